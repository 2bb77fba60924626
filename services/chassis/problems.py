"""RFC 9457 problem documents: every refusal says what is wrong and what to do, in one shape."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from services.chassis.faults import WEATHER, describe, is_weather
from services.chassis.group import Overloaded
from services.chassis.ledger import MAX_EVENT_BYTES, EventTooLarge

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"


class Problem(HTTPException):
    """Raised anywhere below a route; becomes the answer. `fields` are (name, what is wrong with it).

    FastAPI lets an HTTPException through where a body is read, and makes a bare 400 of all else.
    """

    def __init__(
        self,
        status: int,
        kind: str,
        title: str,
        detail: str,
        fields: Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.status, self.kind, self.title = status, kind, title
        self.fields = tuple(fields)

    def response(self) -> Response:
        """The problem document."""
        body: dict[str, object] = {
            "type": f"urn:cho-phien:problem:{self.kind}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
        }
        if self.fields:
            body["errors"] = [{"field": name, "detail": fault} for name, fault in self.fields]
        return JSONResponse(body, self.status, self.headers, MEDIA_TYPE)


def not_found(what: str) -> Problem:
    """404 for a thing that is not there."""
    return Problem(404, "not-found", "Not found", f"There is no such {what}.")


def conflict(detail: str) -> Problem:
    """409: what was asked does not fit the state of things; the detail says what to do."""
    return Problem(409, "conflict", "Conflict", detail)


def invalid(fields: Sequence[tuple[str, str]]) -> Problem:
    """422 with all faulty fields at once."""
    return Problem(422, "invalid", "Invalid content", "Correct the named fields and send again.", fields)


def from_validation(error: ValidationError | RequestValidationError) -> Problem:
    """422 from what pydantic found; values are not repeated."""
    fields = []
    for fault in error.errors():
        place = () if fault["type"] == "json_invalid" else fault["loc"]  # a broken body has a byte there, no field
        parts = [part for part in place if part != "body"]
        name = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in parts).lstrip(".")
        fields.append((name or "body", str(fault["msg"])))
    return invalid(fields)


def too_large(most: int) -> Problem:
    """413."""
    return Problem(413, "too-large", "Content too large", f"The most is {most} bytes.")


def too_much() -> Problem:
    """422 for a request of which one event could not tell everything; sending it again would not help."""
    detail = f"What comes of this has more than {MAX_EVENT_BYTES} bytes. Nothing was changed; send less at once."
    return Problem(422, "too-much", "Too much at once", detail)


def too_fast(retry_after_s: int) -> Problem:
    """429: the sender has used up what it may send for now."""
    return Problem(
        429,
        "too-fast",
        "Too many requests",
        f"This comes faster than agreed, and nothing of it was taken. Send it again in {retry_after_s} s.",
        headers={"Retry-After": str(retry_after_s)},
    )


def unavailable() -> Problem:
    """503: weather; the same request will do later."""
    return Problem(
        503,
        "unavailable",
        "Try again",
        "The database cannot be reached at the moment. Send the same again; it counts once.",
        headers={"Retry-After": "5"},
    )


def overloaded() -> Problem:
    """503: more is waiting than can be remembered."""
    detail = "More is waiting than can be taken in at once. Send the same again; it counts once."
    return Problem(503, "overloaded", "Try again", detail, headers={"Retry-After": "1"})


def answer_to(error: Exception) -> Response:
    """The problem document for whatever a request raised; 500 for what is our fault."""
    if isinstance(error, Problem):
        return error.response()
    if isinstance(error, HTTPException):
        kind = {404: "not-found", 405: "method-not-allowed"}.get(error.status_code, "refused")
        return Problem(error.status_code, kind, str(error.detail), str(error.detail), (), error.headers).response()
    if isinstance(error, EventTooLarge):
        log.warning("refused: %s", error)
        return too_much().response()
    if isinstance(error, Overloaded):
        log.warning("refused: %s", error)
        return overloaded().response()
    if is_weather(error):
        log.warning("weather in a request: %s", describe(error))
        return unavailable().response()
    return Problem(500, "failed", "Failed", "This is our fault and is in our logs.").response()


def install(app: FastAPI) -> None:
    """Makes every refusal and failure of the app a problem document."""

    async def on_error(_: Request, error: Exception) -> Response:
        return answer_to(error)

    async def on_validation(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return from_validation(error).response()

    app.add_exception_handler(RequestValidationError, on_validation)
    for kind in (HTTPException, EventTooLarge, Overloaded, *WEATHER, Exception):
        app.add_exception_handler(kind, on_error)  # the server logs what is answered with 500


# -- In descriptions of routes -------------------------------------------------------------------------------

_REFUSALS = {
    400: "The body cannot be read.",
    401: "No valid key was sent.",
    403: "The key has the wrong role.",
    404: "There is no such thing that the key may see.",
    409: "It does not fit the state of things; the detail says what to do.",
    413: "The body is too large.",
    415: "The body is of another media type.",
    422: "The content is wrong; every faulty field is named.",
    503: "The database is away, or too much is waiting. Send the same again; it counts once.",
}

SCHEMA = "Problem"
"""What DOCUMENT is called among the components of an OpenAPI document."""

DOCUMENT = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["urn:cho-phien:problem:invalid"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "detail"],
                "properties": {
                    "field": {"type": "string", "examples": ["items[0].name"]},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}


def refusal(description: str) -> dict[str, Any]:
    """A problem document (RFC 9457) of a route, for its OpenAPI description."""
    return {"description": description, "content": {MEDIA_TYPE: {"schema": {"$ref": f"#/components/schemas/{SCHEMA}"}}}}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Those of a route that mean the same everywhere."""
    return {status: refusal(_REFUSALS[status]) for status in statuses}


OF_EVERY_ROUTE = refusals(400, 413, 422, 503)
