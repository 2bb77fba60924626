"""Where Zalo reports what happened at the Official Account. Zalo waits 2 s and repeats what it got no 200 for."""

import asyncio

from fastapi import APIRouter, Request, Response

from services.chassis import problems
from services.chassis.problems import Problem
from services.notify.inbound import Forged, Malformed
from services.notify.inbound.zalo import SERVER, SIGNATURE, ZaloReader

PATIENCE_S = 1.5
"""After this it is better that Zalo comes again."""

router = APIRouter(prefix="/v1/hooks", tags=["hooks"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "An event as Zalo documents it. Without X-ZEvent-Signature it is a test of the console: it is "
        "answered well and changes nothing.",
    }
}


@router.post(
    "/zalo",
    summary="Events of the Zalo Official Account",
    responses={
        200: {"description": "Taken, or nothing that concerns us."},
        403: {"description": "The signature is not Zalo's; nothing was taken."},
        **problems.refusals(404, 422),
    },
    openapi_extra=_BODY,
)
async def zalo_event(request: Request) -> Response:
    """Receipts and answers of users; one event however often it comes. Anything else is answered and ignored."""
    reader: ZaloReader | None = request.app.state.zalo_reader
    if reader is None:
        raise problems.not_found("hook, because Zalo is not set up here")
    body = await request.body()
    try:
        reports = reader.read(body, request.headers.get(SIGNATURE), request.headers.get(SERVER))
    except Forged:
        detail = "X-ZEvent-Signature does not fit the content; nothing was taken."
        raise Problem(403, "forged", "Forged", detail) from None
    except Malformed as error:
        raise problems.invalid([(str(error), "is not as Zalo documents it")]) from None
    if reports:
        async with asyncio.timeout(PATIENCE_S):
            await request.app.state.inbound.take(reports)
    return Response(status_code=200)
