"""Where Telegram brings what people write to the bot."""

from fastapi import APIRouter, Request, Response

from services.chassis import problems
from services.chassis.problems import Problem
from services.notify.inbound import Forged, Malformed
from services.notify.inbound.telegram import SECRET_TOKEN, TelegramReader

router = APIRouter(prefix="/v1/hooks", tags=["hooks"])

_BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}}},
        "description": "An update as Telegram documents it.",
    }
}


@router.post(
    "/telegram",
    summary="What people write to the Telegram bot",
    responses={
        200: {"description": "Taken, or nothing that concerns us."},
        403: {"description": "The secret token is not the one that Telegram was given; nothing was taken."},
        **problems.refusals(404, 422),
    },
    openapi_extra=_BODY,
)
async def telegram_update(request: Request) -> Response:
    """Texts of people; one update however often it comes. Anything else is answered and ignored."""
    reader: TelegramReader | None = request.app.state.telegram_reader
    if reader is None:
        raise problems.not_found("hook, because Telegram is not set up here")
    try:
        reports = reader.read(request.headers.get(SECRET_TOKEN, ""), await request.body())
    except Forged:
        detail = "The secret token is not the one that Telegram was given; nothing was taken."
        raise Problem(403, "forged", "Forged", detail) from None
    except Malformed as error:
        raise problems.invalid([(str(error), "is not as Telegram documents it")]) from None
    if reports:
        await request.app.state.inbound.take(reports)
    return Response()
