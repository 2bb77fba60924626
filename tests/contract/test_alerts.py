"""The rules of Prometheus: they parse, they fire when they should, they name metrics that exist, and for each alert
the runbook says what to do."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import CollectorRegistry

from infra.local import binaries
from services.chassis.metrics import Metrics
from services.contracts.flow import READS
from services.notify.metrics import NoticeMetrics
from services.notify.tokens import TokenMetrics
from services.orders.metrics import OrderMetrics, PullMetrics

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra/prometheus"
TESTS = sorted((RULES / "tests").glob("*.yml"))
RUNBOOK = ROOT / "infra/runbook.md"
NOT_OF_ALERTS = {"Before you type", "Backup and restore", "Rebuild", "Other work"}
"""The sections of the runbook that answer no alert."""
WORDS_OF_PROMQL = {
    *("sum", "min", "max", "rate", "delta", "increase", "changes", "absent", "histogram_quantile", "label_replace"),
    *("or", "and", "unless", "offset"),
}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [binaries.promtool(), *arguments], capture_output=True, text=True, check=False, cwd=RULES, timeout=120
    )


def rules(name: str) -> list[dict[str, Any]]:
    content = yaml.safe_load((RULES / name).read_text())
    return [rule for group in content["groups"] for rule in group["rules"]]


ALERTS = {rule["alert"]: rule for rule in rules("alerts.yml")}
RECORDED = rules("rules.yml")


def exported() -> set[str]:
    """The names of all samples that the services can have."""
    registry = CollectorRegistry()
    found = [*Metrics().registry._collector_to_names.values()]
    NoticeMetrics(registry)
    TokenMetrics(registry)
    OrderMetrics(registry)
    PullMetrics(registry)
    return {name for names in (*found, *registry._collector_to_names.values()) for name in names}


def metrics_in(expression: str) -> set[str]:
    """What is left when strings, label matchers, durations, lists of labels and the words of PromQL are taken away."""
    for what in (r'"[^"]*"', r"\{[^}]*\}", r"\[\w+\]", r"\b(by|on|group_left) \([^)]*\)", r"\b\d\w*"):
        expression = re.sub(what, "", expression)
    return set(re.findall(r"[a-z_:]+", expression)) - WORDS_OF_PROMQL


def expectations(alert: str) -> list[tuple[str, list[str]]]:
    """(when, labels of what fires) of every time at which the tests look at the alert."""
    found = []
    for file in TESTS:
        for test in yaml.safe_load(file.read_text())["tests"]:
            for check in test["promql_expr_test"]:
                if f'alertname="{alert}"' in check["expr"]:
                    found.append((check["eval_time"], [sample["labels"] for sample in check["exp_samples"]]))
    return found


def test_prometheus_takes_configuration_and_rules() -> None:
    done = promtool("check", "config", "prometheus.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    done = promtool("check", "rules", "rules.yml", "alerts.yml")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_alerts_fire_when_they_should_and_only_then(file: Path) -> None:
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("alert", ALERTS)
def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not(alert: str) -> None:
    assert {bool(labels) for _, labels in expectations(alert)} == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_what_an_alert_says_names_only_labels_that_it_has(alert: str) -> None:
    annotations = ALERTS[alert]["annotations"]
    named = set(re.findall(r"\$labels\.(\w+)", annotations["summary"] + annotations["description"]))
    for _, fired in expectations(alert):
        for labels in fired:
            assert named <= set(re.findall(r"(\w+)=", labels)), labels


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_it_is_what_it_is_and_what_to_do(alert: str) -> None:
    rule = ALERTS[alert]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"].keys() == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"infra/runbook.md#{alert.lower()}"


@pytest.mark.parametrize(
    "rule", [*rules("rules.yml"), *rules("alerts.yml")], ids=lambda it: it.get("alert") or it["record"]
)
def test_every_metric_in_a_rule_is_one_that_the_services_have(rule: dict[str, Any]) -> None:
    known = exported() | {it["record"] for it in RECORDED} | {"up"}
    named = metrics_in(rule["expr"])
    assert named
    assert named <= known, named - known


def test_the_rules_know_who_reads_whom() -> None:
    (rule,) = [it for it in RECORDED if it["record"] == "lane:expected_events"]
    told = re.findall(r'producer=~"([^"]+)"\}, "consumer", "(\w+)"', rule["expr"])
    assert {consumer: set(producers.split("|")) for producers, consumer in told} == {
        consumer: set(producers) for consumer, producers in READS.items()
    }


def test_every_alert_has_its_section_in_the_runbook_and_every_section_its_alert() -> None:
    headings = re.findall(r"^## (.+)$", RUNBOOK.read_text(), re.M)
    assert len(headings) == len(set(headings))
    assert set(headings) - NOT_OF_ALERTS == ALERTS.keys()
