"""Staff: which partners may push over AMQP. The broker learns of it within seconds, from `accounts`."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from services.chassis import problems
from services.chassis.ledger import Transaction
from services.chassis.runtime import Runtime
from services.orders.amqp import topology
from services.orders.amqp.passwords import new_password, password_hash
from services.orders.amqp.receiving import ADAPTER
from services.orders.http.partners import OwnShop
from services.orders.settings import OrdersSettings
from services.orders.store import accounts as store

router = APIRouter(tags=["staff"], responses=problems.refusals(401, 404, 409))


class AmqpAccount(BaseModel):
    """What the partner needs to publish orders; `password` is shown this once."""

    vhost: str
    user: str
    password: str
    exchange: str
    reject_queue: str


@router.post(
    "/v1/partners/{partner_id}/amqp-account",
    status_code=201,
    summary="Give a partner AMQP access, or a new password",
    responses={409: problems.refusal("The partner's adapter is another than `canonical`, or there is no AMQP here.")},
)
async def renew_amqp_account(partner: OwnShop, request: Request) -> AmqpAccount:
    """Valid within seconds; a password from before ends then, with the connections that were opened with it."""
    runtime: Runtime[OrdersSettings] = request.app.state.runtime
    vhost, now = runtime.settings.partners_vhost, datetime.now(UTC)
    if vhost is None:
        raise problems.conflict("Orders are not taken over AMQP here.")
    if partner.adapter != ADAPTER:
        raise problems.conflict(f"Only partners with the adapter {ADAPTER} can push over AMQP.")
    password = new_password()

    async def work(tx: Transaction) -> None:
        await store.save_account(tx.conn, partner.partner_id, password_hash(password), now)

    await runtime.ledger.transact(work)
    return AmqpAccount(
        vhost=vhost,
        user=topology.user(partner.partner_id),
        password=password,
        exchange=topology.exchange(partner.partner_id),
        reject_queue=topology.reject_queue(partner.partner_id),
    )


@router.delete(
    "/v1/partners/{partner_id}/amqp-account", status_code=204, summary="Withdraw the AMQP access of a partner"
)
async def withdraw_amqp_account(partner: OwnShop, request: Request) -> Response:
    """Within seconds the partner is disconnected and let in no more, and nothing that it publishes is taken."""

    async def work(tx: Transaction) -> None:
        await store.delete_account(tx.conn, partner.partner_id)

    await request.app.state.runtime.ledger.transact(work)
    return Response(status_code=204)
