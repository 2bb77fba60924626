"""Wrong settings are named, and a password never leaves in clear."""

import pytest

from services.chassis.settings import WrongSettings, load
from services.notify.settings import NotifySettings


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name, value in {
        "DATABASE_URL": "postgresql://x", "AMQP_URL": "amqp://x", "SMTP_HOST": "mail", "SMTP_SENDER": "no-reply@x.vn",
    }.items():  # fmt: skip
        monkeypatch.setenv(f"NOTIFY_{name}", value)
    return monkeypatch


def test_mail_goes_out_over_tls_unless_said_otherwise(environment: pytest.MonkeyPatch) -> None:
    settings = load(NotifySettings)
    assert (settings.smtp_tls, settings.smtp_port, settings.http_port) == ("starttls", 587, 8004)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"SMTP_SENDER": "no-reply"}, "NOTIFY_SMTP_SENDER is wrong"),
        ({"SMTP_SENDER": "a@x.vn\r\nBcc: b@y.vn"}, "NOTIFY_SMTP_SENDER is wrong"),
        ({"SMTP_USERNAME": "u", "SMTP_PASSWORD": "geheim", "SMTP_TLS": "none"}, "NOTIFY_SMTP_TLS is wrong"),
        ({"SMTP_USERNAME": "u"}, "NOTIFY_SMTP_TLS is wrong"),
        ({"UNKNOWN_AFTER_S": "60"}, "NOTIFY_UNKNOWN_AFTER_S is wrong"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(
    environment: pytest.MonkeyPatch, changes: dict[str, str], named: str
) -> None:
    for name, value in changes.items():
        environment.setenv(f"NOTIFY_{name}", value)
    with pytest.raises(WrongSettings, match=named) as refused:
        load(NotifySettings)
    assert "geheim" not in str(refused.value)


def test_a_missing_mail_server_is_named(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("NOTIFY_SMTP_HOST")
    with pytest.raises(WrongSettings, match="NOTIFY_SMTP_HOST is not set"):
        load(NotifySettings)
