"""docker-compose.yml, .env and the code say the same: services, ports, variables, what is open to others.

Each is derived from the code: the settings classes, who reads whom, what the definitions need. No Docker is needed.
"""

import importlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import compose_env, runtime_lock
from infra.local.rabbitmq import MAX_MESSAGE_BYTES
from infra.rabbitmq import definitions
from infra.rabbitmq.definitions import ADMIN, SERVICES
from services.chassis.runtime import Service
from services.chassis.settings import ServiceSettings, load
from services.contracts import flow
from services.notify.provider_settings import ProviderSettings
from services.orders.settings import OrdersSettings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
EXAMPLE = (ROOT / ".env.example").read_text()
ACCOUNTS = "orders-accounts"
WITNESS = "/tmp/in-step"  # noqa: S108 - in a container of its own
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[?-])(?P<rest>[^}]*))?\}")


def service(name: str) -> Service[Any]:
    found: Service[Any] = importlib.import_module(f"services.{name}.app").service
    return found


def variable_of(name: str, field: str) -> str:
    prefix: str = service(name).settings.model_config["env_prefix"]
    return (prefix + field).upper()


def environment(name: str) -> dict[str, str | None]:
    """As the file has it; None stands for a variable that is handed on when it is there."""
    found: dict[str, str | None] = COMPOSE["services"][name].get("environment", {})
    return found


def values(env_file: str) -> dict[str, str]:
    lines = [line for line in env_file.splitlines() if line and not line.startswith("#")]
    return dict(line.split("=", 1) for line in lines)


def filled(name: str, env: dict[str, str]) -> dict[str, str]:
    """What the container gets."""

    def value(match: re.Match[str]) -> str:
        default = match["rest"] if match["kind"] == "-" else None
        found = env.get(match["name"]) or default
        assert found is not None, match["name"]
        return found

    given = {
        key: env.get(key) if text is None else VARIABLE.sub(value, str(text)) for key, text in environment(name).items()
    }
    return {key: text for key, text in given.items() if text is not None}


def published(name: str) -> list[list[str]]:
    """[address, port outside, port inside], or without the address when everybody may connect."""
    return [str(port).split(":") for port in COMPOSE["services"][name].get("ports", [])]


def test_compose_runs_the_four_services_and_what_they_need() -> None:
    servers = {"postgres", "rabbitmq-definitions", "rabbitmq", "prometheus"}
    assert set(COMPOSE["services"]) == {*SERVICES, ACCOUNTS, *servers}
    assert COMPOSE["services"]["postgres"]["image"] == "postgres:17"
    assert COMPOSE["services"]["rabbitmq"]["image"] == "rabbitmq:4-management"


@pytest.mark.parametrize("name", SERVICES)
def test_every_variable_of_a_service_is_one_that_it_reads(name: str) -> None:
    read = {variable_of(name, field) for field in service(name).settings.model_fields}
    assert set(environment(name)) <= read


@pytest.mark.parametrize("name", SERVICES)
def test_every_setting_without_a_default_has_its_variable(name: str) -> None:
    fields = service(name).settings.model_fields.items()
    required = {variable_of(name, field) for field, its in fields if its.is_required()}
    assert required
    assert required <= set(environment(name))


def test_every_provider_of_notices_can_be_set_up_in_the_env_file() -> None:
    named = {variable_of("notify", field) for field in ProviderSettings.model_fields} - {
        variable_of("notify", field) for field in ServiceSettings.model_fields
    }
    wanted = {name for name in named if not name.endswith("_URL")}
    assert wanted
    assert wanted <= {name for name, text in environment("notify").items() if text is None}
    assert wanted <= set(re.findall(r"^#(\w+)=", EXAMPLE, re.MULTILINE))


@pytest.mark.parametrize("name", SERVICES)
def test_a_generated_env_makes_settings_that_the_service_accepts(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    env = values(compose_env.fill(EXAMPLE))
    for key, value in filled(name, env).items():
        monkeypatch.setenv(key, value)
    settings: ServiceSettings = load(service(name).settings)
    own, broker = env[f"{name.upper()}_DATABASE_PASSWORD"], env[f"{name.upper()}_AMQP_PASSWORD"]
    assert settings.database_url.get_secret_value() == f"postgresql://{name}:{own}@postgres:5432/{name}"
    assert settings.amqp_url.get_secret_value() == f"amqp://{name}:{broker}@rabbitmq:5672/%2F"
    assert settings.http_host == "0.0.0.0"  # noqa: S104 - inside its container
    assert settings.shared_lanes == ServiceSettings.model_fields["shared_lanes"].default


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_reached_and_probed_on_the_port_that_is_its_default(name: str) -> None:
    port = str(service(name).settings.model_fields["http_port"].default)
    assert str(environment(name)[variable_of(name, "http_port")]) == port
    assert published(name) == [[port, port]]
    assert f"http://127.0.0.1:{port}/healthz" in COMPOSE["services"][name]["healthcheck"]["test"][-1]
    assert re.search(rf"^EXPOSE .*\b{port}\b", dockerfile(), re.MULTILINE)


def test_nothing_but_the_four_http_ports_is_open_to_others() -> None:
    for name in COMPOSE["services"].keys() - set(SERVICES):
        assert all(port[:-2] == ["127.0.0.1"] for port in published(name)), name
        assert COMPOSE["services"][name].get("network_mode") != "host"


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_migrates_its_database_and_then_becomes_the_process_that_gets_the_signals(name: str) -> None:
    its = COMPOSE["services"][name]
    assert its["command"] == [
        "sh", "-c", f"python -m services.{name} migrate && exec python -m services.{name} serve"
    ]  # fmt: skip
    assert its["init"] is True
    assert its["depends_on"]["postgres"]["condition"] == "service_healthy"
    assert its["build"] == {"context": ".", "dockerfile": "infra/Dockerfile", "args": {"SERVICE": name}}


@pytest.mark.parametrize("name", SERVICES)
def test_a_stopping_service_gets_the_time_to_drain(name: str) -> None:
    drain_s = service(name).settings.model_fields["drain_s"].default
    pool_s = 10
    assert int(COMPOSE["services"][name]["stop_grace_period"].removesuffix("s")) >= 2 * drain_s + pool_s


def test_the_partners_users_are_kept_by_a_process_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    its = COMPOSE["services"][ACCOUNTS]
    assert its["command"] == ["python", "-m", "services.orders", "accounts", "--touch", WITNESS]
    assert published(ACCOUNTS) == []
    env = values(compose_env.fill(EXAMPLE))
    for key, value in filled(ACCOUNTS, env).items():
        monkeypatch.setenv(key, value)
    settings = load(OrdersSettings)
    password = env["RABBITMQ_ADMIN_PASSWORD"]
    assert settings.broker_admin_url
    assert settings.broker_admin_url.get_secret_value() == f"http://{ADMIN}:{password}@rabbitmq:15672"
    assert settings.partners_vhost == definitions.PARTNERS_VHOST
    door = environment("orders")["ORDERS_PARTNERS_AMQP_URL"]
    assert door == environment(ACCOUNTS)["ORDERS_PARTNERS_AMQP_URL"]
    knowing = {name for name in COMPOSE["services"] if "RABBITMQ_ADMIN_PASSWORD" in str(environment(name))}
    assert knowing == {ACCOUNTS, "rabbitmq-definitions"}


def test_it_is_healthy_while_the_broker_was_in_step_a_short_time_ago(tmp_path: Path) -> None:
    *_, program = COMPOSE["services"][ACCOUNTS]["healthcheck"]["test"]
    witness = tmp_path / "in-step"

    def is_healthy() -> bool:
        command = [sys.executable, "-c", program.replace(WITNESS, str(witness))]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    assert not is_healthy()
    witness.touch()
    assert is_healthy()
    os.utime(witness, (time.time() - 90,) * 2)
    assert not is_healthy()


def test_all_that_lasts_is_watched_and_comes_back() -> None:
    for name, its in COMPOSE["services"].items():
        if name != "rabbitmq-definitions":
            assert its["restart"] == "unless-stopped", name
            assert its["healthcheck"]["test"], name


def test_a_missing_variable_is_named_and_has_a_line_in_env_example() -> None:
    handed_on = {key for name in COMPOSE["services"] for key, value in environment(name).items() if value is None}
    explained = set(re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE))
    given = values(compose_env.fill(EXAMPLE))
    used = list(VARIABLE.finditer(TEXT))
    assert TEXT.count("$") == len(used), "written as ${NAME:?...} or ${NAME:-...}"
    for match in used:
        assert match["name"] in given
        assert match["kind"] == "-" or match["rest"] == "set it in .env", match[0]
    assert {match["name"] for match in used} | handed_on == explained


def test_env_example_holds_no_secret_and_a_generated_env_no_secret_twice() -> None:
    empty = {key for key, value in values(EXAMPLE).items() if not value}
    assert empty == {key for key in values(EXAMPLE) if key.endswith(("_PASSWORD", "_SECRETS"))}
    given = values(compose_env.fill(EXAMPLE))
    secrets = [given[key] for key in empty]
    assert len(set(secrets)) == len(secrets)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", secret) for secret in secrets), "they stand in addresses"


def test_a_default_is_not_given_to_a_secret() -> None:
    defaults = [match["name"] for match in VARIABLE.finditer(TEXT) if match["kind"] == "-"]
    assert not [name for name in defaults if "PASSWORD" in name or "SECRET" in name]


def test_postgres_makes_a_role_and_a_database_for_every_service() -> None:
    script = (ROOT / "infra/postgres/services.sql").read_text()
    assert re.findall(r"CREATE DATABASE (\w+) OWNER (\w+);", script) == [(name, name) for name in SERVICES]
    for name in SERVICES:
        variable = f"{name.upper()}_DATABASE_PASSWORD"
        assert f"\\getenv {name}_password {variable}\nCREATE ROLE {name} LOGIN PASSWORD :'{name}_password';" in script
        assert f"REVOKE ALL ON DATABASE {name} FROM PUBLIC;" in script
        assert VARIABLE.fullmatch(str(environment("postgres")[variable]))


def test_the_broker_starts_with_the_definitions_that_are_made_for_it() -> None:
    its = COMPOSE["services"]["rabbitmq-definitions"]
    made_in = dict(volume.split(":")[:2] for volume in its["volumes"])
    wanted = {f"{name.upper()}_AMQP_PASSWORD" for name in SERVICES} | {f"RABBITMQ_{ADMIN.upper()}_PASSWORD"}
    assert set(environment("rabbitmq-definitions")) == wanted
    assert made_in["./infra/rabbitmq/definitions.py"] == "/definitions.py"
    assert "/definitions/definitions.json" in its["command"]

    broker = COMPOSE["services"]["rabbitmq"]
    mounts = {volume.split(":")[0]: volume.split(":")[1:] for volume in broker["volumes"]}
    read_from, mode = mounts["rabbitmq-definitions"]
    assert mode == "ro"
    assert made_in["rabbitmq-definitions"] == "/definitions"
    conf = (ROOT / "infra/rabbitmq/cho-phien.conf").read_text()
    assert f"load_definitions = {read_from}/definitions.json" in conf
    assert broker["hostname"] == "rabbitmq"
    assert broker["depends_on"]["rabbitmq-definitions"]["condition"] == "service_completed_successfully"


def test_both_brokers_carry_the_largest_push_and_little_more() -> None:
    conf = (ROOT / "infra/rabbitmq/cho-phien.conf").read_text()
    found = re.search(r"^max_message_size = (\d+)$", conf, re.MULTILINE)
    assert found is not None
    assert int(found[1]) == MAX_MESSAGE_BYTES
    largest_push = OrdersSettings.model_fields["http_max_body_bytes"].default
    assert largest_push * 1.2 <= MAX_MESSAGE_BYTES <= largest_push * 1.5


def test_prometheus_asks_every_service_and_the_broker() -> None:
    configuration = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in configuration["scrape_configs"]}
    ports = {name: service(name).settings.model_fields["http_port"].default for name in SERVICES}
    assert targets == {name: [f"{name}:{port}"] for name, port in ports.items()} | {"rabbitmq": ["rabbitmq:15692"]}
    assert "rabbitmq_prometheus" in (ROOT / "infra/rabbitmq/enabled_plugins").read_text()


def test_prometheus_finds_its_rules_beside_its_configuration() -> None:
    configuration = yaml.safe_load((ROOT / "infra/prometheus/prometheus.yml").read_text())
    mounted = {volume.split(":")[0]: volume.split(":")[1] for volume in COMPOSE["services"]["prometheus"]["volumes"]}
    assert configuration["rule_files"]
    for name in ("prometheus.yml", *configuration["rule_files"]):
        assert mounted[f"./infra/prometheus/{name}"] == f"/etc/prometheus/{name}"


def test_every_file_that_is_mounted_exists() -> None:
    for its in COMPOSE["services"].values():
        for volume in its.get("volumes", []):
            source = volume.split(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).is_file(), source


def dockerfile() -> str:
    return (ROOT / "infra/Dockerfile").read_text()


def test_an_image_holds_the_contracts_the_chassis_and_one_service() -> None:
    final = dockerfile().rpartition("\nFROM ")[2]
    copied = re.findall(r"^(?:COPY|ADD) (.+)$", final, re.MULTILINE)
    assert copied == [
        "--from=packages /opt/venv /opt/venv",
        "services/__init__.py services/",
        "services/contracts services/contracts",
        "services/chassis services/chassis",
        "services/$SERVICE services/$SERVICE",
    ]
    assert re.findall(r"^USER (.+)$", final, re.MULTILINE) == ["10001"]
    assert re.findall(r"^CMD (.+)$", final, re.MULTILINE) == ['["sh", "-c", "exec python -m services.$SERVICE serve"]']
    assert "syntax=" not in dockerfile()


def test_the_packages_of_an_image_are_entries_of_the_lock_with_all_their_hashes() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    known = runtime_lock.entries(lock)
    assert "".join(known.values()) == lock
    assert {"faststream", "asyncpg", "pydantic-settings"} <= known.keys()
    assert all("--hash=sha256:" in entry for entry in known.values())


def test_the_brokers_definitions_and_the_services_agree_who_reads_whom() -> None:
    """definitions.py repeats the table, since it runs where the services' code is not."""
    assert definitions.READS == flow.READS
