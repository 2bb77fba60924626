"""What the routes share: the types of fields, and how refusals are described."""

from typing import Annotated, Any

from pydantic import Field

from services.chassis.problems import MEDIA_TYPE

_REFUSALS = {
    401: "No valid key was sent.",
    404: "There is nothing here that the key may see.",
    409: "It does not fit the state of the day; the detail says what to do.",
    422: "The content is wrong; every faulty field is named.",
}

Steps = Annotated[int, Field(ge=0, description="In steps of the product.")]


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The problem documents (RFC 9457) of a route, for its OpenAPI description."""
    content = {MEDIA_TYPE: {"schema": {"type": "object"}}}
    return {status: {"description": _REFUSALS[status], "content": content} for status in statuses}
