"""Where providers of SMS report what became of messages and what people wrote back.

The routes are as the providers need them, hence two by GET that take something. Forged reports are refused and change
nothing; what is taken twice counts once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import APIRouter, Request, Response

from services.chassis import problems
from services.chassis.problems import Problem
from services.notify.domain.messages import Receipt, Said
from services.notify.inbound import Forged, Malformed
from services.notify.inbound.esms import EsmsReader, thanks
from services.notify.inbound.speedsms import SpeedSmsReader
from services.notify.inbound.twilio import SIGNATURE, TwilioReader

router = APIRouter(prefix="/v1/hooks/sms", tags=["hooks"])

MOST_FIELDS = 100
_XML = "text/xml; charset=utf-8"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class SmsReaders:
    """A reader for each provider that is set up here."""

    esms: EsmsReader | None = None
    speedsms: SpeedSmsReader | None = None
    twilio: TwilioReader | None = None


Reader = TypeVar("Reader")


def _responses(good: str) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"description": good},
        403: {"description": "It does not prove that it is the provider's; nothing was taken."},
        **problems.refusals(404, 422),
    }


def _body(media_type: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "object"}}}
    return {"requestBody": {"required": True, "content": content, "description": "As the provider documents it."}}


@router.get(
    "/esms/receipts/{message_id}/{mac}",
    summary="eSMS: what became of a message",
    responses=_responses("Taken, or the message is still under way."),
)
async def esms_receipt(request: Request, message_id: UUID, mac: str) -> Response:
    """`CallbackUrl` of the message, with the fields that eSMS documents in the query."""
    reader, query = _set_up(_readers(request).esms), _query(request)
    await _take(request, lambda: reader.receipt(message_id, mac, query, request.app.state.clock()))
    return Response()


@router.get(
    "/esms/replies/{mac}",
    summary="eSMS: a text to the short number",
    response_class=Response,
    responses=_responses("Taken; the sender is answered nothing by this way."),
)
async def esms_reply(request: Request, mac: str) -> Response:
    """The fields that eSMS documents, in the query."""
    reader, query = _set_up(_readers(request).esms), _query(request)
    await _take(request, lambda: reader.reply(mac, query, request.app.state.clock()))
    return Response(thanks(query), media_type=_XML)


@router.post(
    "/speedsms/reports/{mac}",
    summary="SpeedSMS: receipts and texts",
    responses=_responses("Taken, or the message is still under way."),
    openapi_extra=_body("application/json"),
)
async def speedsms_report(request: Request, mac: str) -> Response:
    """The address that is entered for the account."""
    reader, body = _set_up(_readers(request).speedsms), await request.body()
    await _take(request, lambda: reader.read(mac, body, request.app.state.clock()))
    return Response()


@router.post(
    "/twilio/receipts/{message_id}",
    summary="Twilio: what became of a message",
    responses=_responses("Taken, or the message is still under way."),
    openapi_extra=_body(_FORM),
)
async def twilio_receipt(request: Request, message_id: UUID) -> Response:
    """`StatusCallback` of the message."""
    reader, body = _set_up(_readers(request).twilio), await request.body()
    path, signature, now = _path(request), request.headers.get(SIGNATURE, ""), request.app.state.clock()
    await _take(request, lambda: reader.receipt(message_id, path, body, signature, now))
    return Response()


@router.post(
    "/twilio/replies",
    summary="Twilio: a text to our number",
    response_class=Response,
    responses=_responses("Taken; the sender is answered nothing by this way."),
    openapi_extra=_body(_FORM),
)
async def twilio_reply(request: Request) -> Response:
    """The address for incoming messages that is entered for the number."""
    reader, body = _set_up(_readers(request).twilio), await request.body()
    path, signature, now = _path(request), request.headers.get(SIGNATURE, ""), request.app.state.clock()
    await _take(request, lambda: reader.reply(path, body, signature, now))
    return Response("<Response></Response>", media_type=_XML)


def _readers(request: Request) -> SmsReaders:
    readers: SmsReaders = request.app.state.sms_readers
    return readers


def _set_up(reader: Reader | None) -> Reader:
    if reader is None:
        raise problems.not_found("hook, because this provider is not set up here")
    return reader


def _query(request: Request) -> dict[str, str]:
    try:
        return dict(parse_qsl(request.url.query, keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:
        raise problems.invalid([("query", "has too many fields")]) from None


def _path(request: Request) -> str:
    """As the provider asked for it, with its query."""
    path = request.scope["raw_path"].decode("latin-1").partition("?")[0]
    return f"{path}?{request.url.query}" if request.url.query else path


async def _take(request: Request, read: Callable[[], list[Receipt | Said]]) -> None:
    try:
        reports = read()
    except Forged:
        detail = "This does not prove that it is the provider's; nothing was taken."
        raise Problem(403, "forged", "Forged", detail) from None
    except Malformed as error:
        raise problems.invalid([(str(error), "is not as the provider documents it")]) from None
    if reports:
        await request.app.state.inbound.take(reports)
