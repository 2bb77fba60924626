"""Logs as one JSON object a line, with the trace id of what was being done."""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

from services.chassis import trace
from services.chassis.faults import describe

_PLAIN = frozenset(vars(logging.makeLogRecord({})))


class JsonLines(logging.Formatter):
    """time, level, service, logger, message, trace, and what was passed as `extra`."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if found := trace.trace_id():
            line["trace"] = found
        line.update({k: v for k, v in vars(record).items() if k not in _PLAIN and k != "color_message"})
        if record.exc_info and record.exc_info[1] is not None:
            line["error"] = _story(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


def _story(error: BaseException) -> str:
    """The traceback with its causes, oldest first, worded by `describe`: a plain one would print people's data."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    told = [_story(cause)] if cause is not None else []
    told += [*traceback.format_tb(error.__traceback__), describe(error)]
    if isinstance(error, BaseExceptionGroup):
        told += [_story(one) for one in error.exceptions]
    return "\n".join(part.rstrip("\n") for part in told)


def set_up(service: str, level: str) -> None:
    """Sends all logs of this process to standard error as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("aio_pika", "aiormq", "httpx", "httpcore", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
