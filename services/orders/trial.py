"""Trying a partner's whole way with an order of its own, which is cancelled at the end: each step is told.

The order is a real one: while the trial lasts it reserves the smallest quantity that can be ordered. Where the platform
only says that there is an order, it is one that the platform does not know: what is tried is that it can be asked.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from math import gcd
from uuid import UUID

import asyncpg
import httpx

from services.orders.adapters.base import Credentials
from services.orders.domain.order import OrderState
from services.orders.domain.pulls import NOT_FOUND
from services.orders.http import answers
from services.orders.samples import Make, Request, SampleOrder, Shop, sample_of
from services.orders.store import pulls, tokens
from services.orders.store import trials as store
from services.orders.store.order_rows import Filed
from services.orders.store.orders import get_order
from services.orders.store.partners import Partner

UNKNOWN_SKU = "TEST"
MOST_ITEMS = 1000
POLL_S = 0.1

Say = Callable[[str, str], None]
"""Tells a step and what came of it."""


class Failed(Exception):
    """The way ends here; the message says where to look."""


class Trial:
    """One trial of a partner over `client`, which knows the address of the service.

    `public_url`: where platforms reach the service, as some sign it; without it that of the client. `event`: as which
    CloudEvent to push, see `samples.EVENTS`. Raises NoSample.
    """

    def __init__(
        self,
        pool: "asyncpg.Pool[asyncpg.Record]",
        client: httpx.AsyncClient,
        partner: Partner,
        say: Say,
        *,
        public_url: str | None = None,
        event: str | None = None,
    ) -> None:
        self._pool, self._client, self._partner, self._say = pool, client, partner, say
        self._make: Make = sample_of(partner.adapter, event)
        self._path = f"/v1/partners/{partner.partner_id}/orders"
        self._url = (public_url or str(client.base_url).rstrip("/")) + self._path

    async def run(self, number: int, sku: str | None, wait_s: float) -> None:
        """Orders, waits for the promise, and cancels, whatever happened between. Raises Failed, NoSample.

        Where the cancellation fails as well, it says what is left to be cancelled by hand.
        """
        partner = self._partner
        slug = await store.get_slug(self._pool, partner.cooperative_id)
        self._say("partner", f"{partner.name} ({partner.adapter}) of {slug or 'a cooperative that is not known yet'}")
        if not self._request(SampleOrder(number, UNKNOWN_SKU, 1)).has_lines:
            await self._try_pull(SampleOrder(number, sku or UNKNOWN_SKU, 1), wait_s)
            return
        order = await self._sample(number, sku)
        cancellation = SampleOrder(order.number, order.sku, order.quantity, cancelled=True)
        try:
            await self._follow(order, wait_s)
        except BaseException:
            with contextlib.suppress(Exception, asyncio.CancelledError):  # the first failure is the one to look at
                await self._surely_cancel(cancellation)
            raise
        await self._surely_cancel(cancellation)

    async def _surely_cancel(self, order: SampleOrder) -> None:
        try:
            await asyncio.shield(self._cancel(order))
        except BaseException:
            self._say("left", f"{self._request(order).ref} may be ordered still: look, and cancel it by hand")
            raise

    async def _sample(self, number: int, sku: str | None) -> SampleOrder:
        found = await store.find_sellable(self._pool, self._partner.partner_id, sku, datetime.now(UTC))
        if found is None:
            self._say(
                "sku", "nothing that is mapped can be ordered now: the line will be refused, which is tried as well"
            )
            return SampleOrder(number, sku or UNKNOWN_SKU, 1)
        per_item, step = found.numerator * 1000, found.step_milliunits * found.denominator
        quantity = step // gcd(per_item, step)
        if quantity > MOST_ITEMS:
            raise Failed(f"{found.sku} makes a whole step only {quantity} at a time: look at its factor")
        return SampleOrder(number, found.sku, quantity)

    async def _follow(self, order: SampleOrder, wait_s: float) -> None:
        partner = self._partner
        head = await store.get_head(self._pool, partner.cooperative_id)
        ref = (await self._push("pushed", order)).ref
        self._say("order", f"{ref}: {order.quantity} of {order.sku}")
        order_id = await store.get_order_id(self._pool, partner.partner_id, ref)
        if order_id is None:
            raise Failed("the answer was good, but no order is stored: does the address lead to this database?")
        filed = await self._order(order_id)
        for line in answers.of_lines(filed.order):
            what = f"{line.quantity} {line.unit} for {line.delivery_day}" if line.offer_id else line.reason
            self._say("stored", f"order {order_id}, line {line.line_no}: {line.state}, {what}")
        announced = await store.get_announced(self._pool, partner.cooperative_id, head, order_id)
        if announced is None:
            raise Failed("the order is stored, but nothing announces it")
        self._say("announced", f"{announced.kind}, number {announced.sequence} of the stream")
        await self._promise(order_id, head, wait_s)

    async def _promise(self, order_id: UUID, head: int, wait_s: float) -> None:
        began = time.monotonic()
        while (filed := await self._order(order_id)).order.state is OrderState.PLACED:
            if time.monotonic() - began > wait_s:
                announced = await store.get_announced(self._pool, self._partner.cooperative_id, head, order_id)
                where = "allocation" if announced and announced.relayed else "the relay of orders"
                raise Failed(f"no promise within {wait_s:g} s: look at {where}")
            await asyncio.sleep(POLL_S)
        self._say("promised", f"{filed.order.state} after {time.monotonic() - began:.1f} s")
        for line in answers.of_lines(filed.order):
            if line.promise:
                why = f" ({line.promise.reason})" if line.promise.reason else ""
                told = f"{line.promise.promised} {line.unit} promised, {line.promise.short} short{why}"
                self._say("promised", f"line {line.line_no}: {told}")

    async def _cancel(self, order: SampleOrder) -> None:
        request = await self._push("cancelled", order)
        order_id = await store.get_order_id(self._pool, self._partner.partner_id, request.ref)
        if order_id is None:
            return
        left = (await self._order(order_id)).order
        if left.ordered or (request.can_cancel and left.state is not OrderState.CANCELLED):
            raise Failed(f"{request.ref} is {left.state} still: its offer has closed meanwhile, so cancel it by hand")
        done = "is cancelled" if request.can_cancel else "cannot be cancelled on this platform: nothing is left in it"
        self._say("cancelled", f"{request.ref} {done}")

    async def _try_pull(self, order: SampleOrder, wait_s: float) -> None:
        """The push has no lines, so the platform is asked for them. The order is forgotten in the end."""
        partner_id = self._partner.partner_id
        ref = (await self._push("pushed", order)).ref
        try:
            if await store.get_pull(self._pool, partner_id, ref) is None:
                raise Failed("the answer was good, but nothing is stored: does the address lead to this database?")
            self._say("stored", f"{ref} is to be pulled: what is ordered does not stand in the push")
            if await tokens.get_credentials(self._pool, partner_id) is None:
                path = f"PUT /v1/partners/{partner_id}/api-credentials"
                self._say("pull", f"no API credentials are set, so orders wait until there are some ({path})")
                return
            error = await self._pulled(partner_id, ref, wait_s)
            if error not in (None, NOT_FOUND):
                raise Failed(f"the platform was asked and gave no order: {error}")
            self._say("pull", "the platform was asked, and answered that there is no such order: so it can be asked")
        finally:
            async with self._pool.acquire() as conn:
                await pulls.delete_pulls(conn, partner_id, [ref])
            self._say("forgotten", f"{ref} is not asked for any more")

    async def _pulled(self, partner_id: UUID, ref: str, wait_s: float) -> str | None:
        """What asking for the order came to. Raises Failed where nobody has asked in time."""
        began = time.monotonic()
        while (pull := await store.get_pull(self._pool, partner_id, ref)) and not pull.is_asked:
            if time.monotonic() - began > wait_s:
                raise Failed(f"nobody asked the platform within {wait_s:g} s: look at the workers of orders")
            await asyncio.sleep(POLL_S)
        return pull.last_error if pull else None

    async def _push(self, step: str, order: SampleOrder) -> Request:
        """What was pushed. Raises Failed."""
        request = self._request(order)
        if not order.cancelled:
            self._say("signed", _proof(request, self._partner.secrets[0]))
        began = time.monotonic()
        try:
            answer = await self._client.post(
                self._path, content=request.raw, headers=dict(request.headers), params=dict(request.query)
            )
        except httpx.HTTPError as error:
            raise Failed(f"{self._client.base_url} does not answer ({type(error).__name__})") from None
        spent_ms = (time.monotonic() - began) * 1000
        self._say(step, f"POST {self._path}: {answer.status_code} in {spent_ms:.0f} ms")
        if not answer.is_success:
            raise Failed(f"the push was refused: {answer.text[:500]}")
        return request

    def _request(self, order: SampleOrder) -> Request:
        credentials = Credentials(self._partner.secrets, self._partner.settings)
        return self._make(Shop(credentials, self._url, datetime.now(UTC)), order)

    async def _order(self, order_id: UUID) -> Filed:
        filed = await get_order(self._pool, order_id)
        if filed is None:
            raise Failed(f"order {order_id} is gone")
        return filed


def _proof(request: Request, secret: str) -> str:
    """Where the push proves who sent it, without what it proves it with."""
    told = sorted(name for name in request.headers if name != "content-type")
    told += [f"?{name}=" for name in request.query]
    return ", ".join(told if secret.encode() not in request.raw else [*told, "the body"])
