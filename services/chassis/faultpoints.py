"""Fault points: named steps at which a test lets the process die, as if the power failed there.

They exist only while the setting `fault_point` is given: `name`, `name*7` for the seventh time that the step is
reached, `name=detail` for that detail only (`events`, an event's id). Without it `reach` does nothing. The last line
in the log of a process that died so names the step: `"fault_point": "after_commit"`.
"""

import logging
import os
import re
import signal

log = logging.getLogger(__name__)

POINTS = (
    "before_commit",  # a transaction has done all its work; the detail is `events` where it applies or appends some
    "after_commit",  # it has committed, and nobody has been told yet; with the same detail
    "mid_batch",  # some of a message's events are applied, in a transaction that is still open
    "handling",  # an event is about to be applied; the detail is its id
    "after_confirm",  # the broker has taken a batch, and the relay's cursor has not moved
    "before_ack",  # a message is taken in and not acknowledged; the detail is `events`, or `intake` for partners' own
    "mid_answer",  # the head of an HTTP answer is sent, its body is not; the detail is the request's method
    "mid_send",  # a notice is `begun` and not sent; or a `partner` or `person` has it, and nobody has noted that
)

_FORM = re.compile(r"(?P<name>[a-z_]+)(?:=(?P<detail>[^*]+))?(?:\*(?P<times>[1-9][0-9]*))?")


class _Armed:
    def __init__(self, text: str) -> None:
        match = _FORM.fullmatch(text)
        if match is None or match["name"] not in POINTS:
            raise ValueError(f"a fault point looks like after_commit*3; there are {', '.join(POINTS)}")
        self.name, self.detail = match["name"], match["detail"]
        self.left = int(match["times"] or 1)


_armed: _Armed | None = None


def arm(text: str | None) -> None:
    """Sets the one fault point of this process, or none. Raises ValueError for what is no fault point."""
    global _armed  # noqa: PLW0603 - one process dies once
    _armed = _Armed(text) if text else None


def reach(name: str, detail: object = None) -> None:
    """Called at the step; kills the process if a test wants that here and now."""
    if _armed is None or _armed.name != name or _armed.detail not in (None, str(detail)):
        return
    _armed.left -= 1
    if not _armed.left:
        log.critical("dies here because a test wants it", extra={"fault_point": name})
        os.kill(os.getpid(), signal.SIGKILL)
