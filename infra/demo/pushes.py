"""What the partners push on the demo's day: a seeded random plan of orders with everything that really happens.

Each order is a script of pushes that follow one another; scripts run side by side. Every push says which answer
is the right one.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from infra.demo.client import canonical_headers, encode, woocommerce_headers
from infra.demo.seed import SeededPartner
from infra.demo.world import Cooperative, Shop
from services.orders.adapters import ADAPTERS

TOO_LARGE = b'{"order":{"ref":"' + b"x" * 1_100_000 + b'"}}'
"""For any adapter; a canonical order may have 64 KiB, what a platform writes around its order 1 MiB."""


@dataclass(frozen=True, slots=True)
class Push:
    """One request: `right` are the answers that are right; `kind` is what it shows; `ref` is the partner's number.

    `updated_at`, `lines` (sku, quantity) and `cancelled` are what the partner says of its order.
    """

    kind: str
    partner: SeededPartner
    ref: str
    body: bytes
    headers: dict[str, str]
    right: tuple[int, ...]
    updated_at: datetime
    lines: tuple[tuple[str, int], ...]
    cancelled: bool

    @property
    def partner_ref(self) -> str:
        """The order's number as it stands in the books."""
        return f"DH-{self.ref}" if self.partner.adapter == "canonical" else self.ref

    def waiting(self, seconds: int) -> "Push":
        """The same, asking for the promise itself (RFC 7240)."""
        return replace(self, headers=self.headers | {"prefer": f"wait={seconds}"}, right=(200, 202))


Script = list[Push]


class Plan:
    """Makes the scripts of one cooperative; equal seeds make equal orders."""

    def __init__(self, cooperative: Cooperative, delivery_day: date, now: datetime, seed: int) -> None:
        self._cooperative, self._day, self._now = cooperative, delivery_day, now
        self._random = random.Random(f"{seed} {cooperative.slug}")  # noqa: S311 - a reproducible day, not a secret
        self._number = 1000

    def scripts(self, shop: Shop, partner: SeededPartner, orders: int) -> Iterator[Script]:
        """`orders` orders of one partner; about every fifth is more than a plain push."""
        extras = ("duplicate", "out of order", "changed", "cancelled", "cancelled before placed", "unknown SKU", "wait")
        for n in range(orders):
            kind = extras[(n // 4) % len(extras)] if n % 4 == 3 else "placed"
            yield self._script(kind, shop, partner)

    def refused(self, shop: Shop, partner: SeededPartner) -> Iterator[Script]:
        """One push of each kind that must not be taken; WooCommerce gets 200 to a malformed one, which is set aside."""
        good = self._push("", shop, partner, self._ref(), 0, self._lines(shop))
        signature = "webhook-signature" if partner.adapter == "canonical" else "x-wc-webhook-signature"
        forged = good.headers | {signature: "v1,AAAA" if partner.adapter == "canonical" else "AAAA"}
        yield [replace(good, kind="bad signature", headers=forged, right=(401,))]
        malformed = ADAPTERS[partner.adapter].DECLARATION.on_malformed
        for kind, body, status in (("malformed", b'{"order": [', malformed), ("too large", TOO_LARGE, 413)):
            yield [
                replace(good, kind=kind, body=body, headers=self._headers(partner, body, self._now), right=(status,))
            ]
        if partner.adapter == "canonical":
            stale = self._headers(partner, good.body, self._now - timedelta(minutes=20))
            yield [replace(good, kind="stale timestamp", headers=stale, right=(401,))]
            wrong = encode({"order": {"ref": "", "updated_at": "yesterday", "status": "placed", "lines": [{"sku": 7}]}})
            yield [
                replace(
                    good,
                    kind="wrong fields",
                    body=wrong,
                    headers=self._headers(partner, wrong, self._now),
                    right=(422,),
                )
            ]

    def _script(self, kind: str, shop: Shop, partner: SeededPartner) -> Script:
        ref, lines = self._ref(), self._lines(shop)
        if kind == "unknown SKU":
            lines.append(("KHONG-RO", 2))
        first = self._push(kind, shop, partner, ref, 0, lines)
        if kind == "duplicate":
            return [first, replace(first, right=(200,))]
        if kind == "wait":
            return [first.waiting(2)]
        if kind == "changed":
            return [first, self._push(kind, shop, partner, ref, 5, self._lines(shop))]
        if kind == "out of order":
            newer = self._push(kind, shop, partner, ref, 5, self._lines(shop))
            return [newer, replace(first, right=(200,))]
        if kind.startswith("cancelled"):
            end = self._push(kind, shop, partner, ref, 5, lines, cancelled=True)
            return [first, end] if kind == "cancelled" else [end, replace(first, right=(200,))]
        return [first]

    def _ref(self) -> str:
        self._number += 1
        return f"{self._number}"

    def _lines(self, shop: Shop) -> list[tuple[str, int]]:
        skus = self._random.sample(sorted(shop.skus), k=min(len(shop.skus), self._random.randint(1, 4)))
        return [(sku, self._random.randint(1, 6)) for sku in skus]

    def _push(
        self, kind: str, shop: Shop, partner: SeededPartner, ref: str, minutes: int, lines: list[tuple[str, int]],
        cancelled: bool = False,
    ) -> Push:  # fmt: skip
        updated_at = self._now - timedelta(minutes=30) + timedelta(minutes=minutes)
        if partner.adapter == "canonical":
            body = encode(self._canonical(ref, updated_at, lines, cancelled))
        else:
            body = encode(self._woocommerce(ref, updated_at, lines, cancelled))
        headers = self._headers(partner, body, self._now, minutes > 0)
        return Push(kind, partner, ref, body, headers, (202,), updated_at, tuple(lines), cancelled)

    def _headers(self, partner: SeededPartner, body: bytes, now: datetime, update: bool = False) -> dict[str, str]:
        message_id = UUID(int=self._random.getrandbits(128)).hex
        if partner.adapter == "canonical":
            return canonical_headers(partner.secret, f"msg_{message_id}", now, body)
        return woocommerce_headers(partner.secret, f"order.{'updated' if update else 'created'}", message_id, body)

    def _canonical(
        self, ref: str, updated_at: datetime, lines: list[tuple[str, int]], cancelled: bool
    ) -> dict[str, Any]:
        return {
            "order": {
                "ref": f"DH-{ref}",
                "updated_at": updated_at.isoformat(),
                "status": "cancelled" if cancelled else "placed",
                "delivery_day": self._random.choice([self._day.isoformat(), None]),
                "lines": [{"sku": sku, "quantity": str(quantity)} for sku, quantity in lines],
                "contact": {"name": "Nguyễn Thị Hạnh", "phone": "0912345678", "address": "12 Hàng Bè, Hà Nội"},
            }
        }

    def _woocommerce(
        self, ref: str, updated_at: datetime, lines: list[tuple[str, int]], cancelled: bool
    ) -> dict[str, Any]:
        modified = updated_at.replace(tzinfo=None).isoformat(timespec="seconds")
        person = {
            "first_name": "",
            "last_name": "Trần Văn Bình",
            "address_1": "5 Ngõ Huyện",
            "city": "Hà Nội",
            "country": "VN",
        }
        return {
            "id": int(ref),
            "number": ref,
            "status": "cancelled" if cancelled else "processing",
            "currency": "VND",
            "version": "9.8.1",
            "date_created_gmt": modified,
            "date_modified_gmt": modified,
            "total": "0",
            "billing": person | {"phone": "0987654321", "email": "binh@khach.example"},
            "shipping": person,
            "payment_method": "cod",
            "customer_note": "Giao buổi sáng giúp tôi",
            "line_items": [
                {
                    "id": n,
                    "name": sku,
                    "product_id": 100 + n,
                    "variation_id": 0,
                    "quantity": quantity,
                    "sku": sku,
                    "price": 0,
                }
                for n, (sku, quantity) in enumerate(lines, 1)
            ],
            "refunds": [],
            "meta_data": [],
        }
