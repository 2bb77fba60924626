"""The door of `POST /v1/partners/{partner_id}/orders`, the same for every peer: verify, parse, answer. No I/O."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import ValidationError

from services.chassis import standard_webhooks
from tests.perf.peers.intake import Partner
from tests.perf.peers.models import ANSWERS, BATCH_TYPE, Answer, PushedOrder, read_push

PATH = "/v1/partners/{partner_id}/orders"


class Refused(Exception):
    """The push is not taken."""

    def __init__(self, status: int, problem: object) -> None:
        super().__init__(problem)
        self.status = status
        self.body = json.dumps({"problem": problem}, default=str).encode()


def read(partner: Partner | None, headers: Mapping[str, str], raw: bytes, now: datetime) -> list[PushedOrder]:
    """The orders of a push that is the partner's. A reference that stands in it twice counts once."""
    if partner is None:
        raise Refused(401, "unauthorized")
    try:
        standard_webhooks.verify([partner.secret], headers, raw, now)
    except standard_webhooks.BadSignature:
        raise Refused(401, "unauthorized") from None
    try:
        orders = read_push(headers.get("content-type", ""), raw)
    except ValidationError as error:
        raise Refused(422, error.errors(include_url=False, include_input=False)) from None
    return list({order.ref: order for order in orders}.values())


def answer(headers: Mapping[str, str], answers: Sequence[Answer]) -> bytes:
    """A list for a batch, one object for a single order."""
    if headers.get("content-type", "") == BATCH_TYPE:
        return ANSWERS.dump_json(list(answers))
    return answers[0].model_dump_json().encode()
