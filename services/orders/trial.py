"""Trying a partner's whole way with an order of its own, which is cancelled at the end: each step is told.

The order is a real one: while the trial lasts it reserves the smallest quantity that can be ordered.
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

from services.orders.domain.order import OrderState
from services.orders.http import answers
from services.orders.samples import Request, SampleOrder, sample
from services.orders.store import trials as store
from services.orders.store.orders import Filed, get_order
from services.orders.store.partners import Partner

UNKNOWN_SKU = "TEST"
MOST_ITEMS = 1000
POLL_S = 0.1

Say = Callable[[str, str], None]
"""Tells a step and what came of it."""


class Failed(Exception):
    """The way ends here; the message says where to look."""


class Trial:
    """One trial of a partner over `client`, which knows the address of the service."""

    def __init__(
        self, pool: "asyncpg.Pool[asyncpg.Record]", client: httpx.AsyncClient, partner: Partner, say: Say
    ) -> None:
        self._pool, self._client, self._partner, self._say = pool, client, partner, say

    async def run(self, number: int, sku: str | None, wait_s: float) -> None:
        """Orders, waits for the promise, and cancels, whatever happened between. Raises Failed, NoSample.

        Where the cancellation fails as well, it says what is left to be cancelled by hand.
        """
        partner = self._partner
        slug = await store.get_slug(self._pool, partner.cooperative_id)
        self._say("partner", f"{partner.name} ({partner.adapter}) of {slug or 'a cooperative that is not known yet'}")
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
        ref = await self._push("pushed", order)
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
        ref = await self._push("cancelled", order)
        order_id = await store.get_order_id(self._pool, self._partner.partner_id, ref)
        if order_id is None:
            return
        state = (await self._order(order_id)).order.state
        if state is not OrderState.CANCELLED:
            raise Failed(f"{ref} is {state} still: its offer has closed meanwhile, so cancel it by hand")
        self._say("cancelled", f"{ref} is cancelled")

    async def _push(self, step: str, order: SampleOrder) -> str:
        """Returns the reference. Raises Failed."""
        request = self._request(order)
        if not order.cancelled:
            self._say("signed", ", ".join(sorted(name for name in request.headers if name != "content-type")))
        path, began = f"/v1/partners/{self._partner.partner_id}/orders", time.monotonic()
        try:
            answer = await self._client.post(path, content=request.raw, headers=dict(request.headers))
        except httpx.HTTPError as error:
            raise Failed(f"{self._client.base_url} does not answer ({type(error).__name__})") from None
        spent_ms = (time.monotonic() - began) * 1000
        self._say(step, f"POST {path}: {answer.status_code} in {spent_ms:.0f} ms")
        if not answer.is_success:
            raise Failed(f"the push was refused: {answer.text[:500]}")
        return request.ref

    def _request(self, order: SampleOrder) -> Request:
        return sample(self._partner.adapter, self._partner.secrets, {}, datetime.now(UTC), order)

    async def _order(self, order_id: UUID) -> Filed:
        filed = await get_order(self._pool, order_id)
        if filed is None:
            raise Failed(f"order {order_id} is gone")
        return filed
