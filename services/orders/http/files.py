"""Bodies that are files, as a spreadsheet program saves them."""

from collections.abc import Sequence

from fastapi import Request
from starlette.requests import ClientDisconnect

from services.chassis.problems import Problem


def media_type(request: Request) -> str:
    """What the body says that it is, without parameters."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


async def read_file(request: Request, kinds: Sequence[str]) -> bytes:
    """The whole body, whose size the edge limits. Raises 415 where it is of no such kind, 400 where it ends early."""
    if media_type(request) not in kinds:
        detail = f"Send the file itself as the body, with Content-Type {' or '.join(kinds)}."
        raise Problem(415, "unsupported", "Unsupported media type", detail)
    try:
        return await request.body()
    except ClientDisconnect:
        raise Problem(400, "incomplete", "Incomplete", "The body ended too early.") from None
