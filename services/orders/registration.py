"""What a partner registers beside its secret: checked the same at its registration and later, over HTTP and typed."""

import re
from collections.abc import Mapping
from uuid import UUID

from services.chassis import outbound
from services.chassis.ledger import Connection
from services.orders.adapters import ADAPTERS
from services.orders.settings import OrdersSettings
from services.orders.store import partners as store
from services.orders.store import reconciliations

SHOP_URL = "shop_url"
NAME = r"^[a-z][a-z0-9_]{0,39}$"
TEXT = r"^[^\x00-\x1f\x7f]+$"
MOST_TEXT = 500

_SHOP_URL = re.compile(r"https?://[^\s/?#@\\]+(/[^\s?#@\\]*)?")


class Faulty(Exception):
    """Settings that cannot be; `fields` are (name, what is wrong with it)."""

    def __init__(self, fields: list[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{name} {detail}" for name, detail in fields))
        self.fields = fields


def check_settings(adapter: str, given: Mapping[str, str], settings: OrdersSettings) -> None:
    """Raises Faulty with what is missing, what the adapter does not know, and what has no sense."""
    declaration = ADAPTERS[adapter].DECLARATION
    known = {name.removesuffix("?"): not name.endswith("?") for name in declaration.settings}
    faults = [(f"settings.{name}", "is missing") for name, needed in known.items() if needed and name not in given]
    faults += [(f"settings.{name}", f"is nothing that {adapter} needs") for name in given if name not in known]
    for name, text in given.items():
        if not re.fullmatch(TEXT, text) or len(text) > MOST_TEXT:
            faults.append((f"settings.{name}", f"must have 1 to {MOST_TEXT} characters, and no control characters"))
        elif name == SHOP_URL and name in known and (fault := shop_url_fault(text, settings)):
            faults.append((f"settings.{name}", fault))
    if faults:
        raise Faulty(faults)


def shop_url_fault(url: str, settings: OrdersSettings) -> str | None:
    """What is wrong with a shop's address; None where nothing is."""
    if not url:
        return "is missing"
    if not _SHOP_URL.fullmatch(url):
        return "must be an https URL without user name, password, query or fragment"
    try:
        reason = outbound.refusal_of_url(url, settings.shop_networks)
    except ValueError:
        return "has no port"
    return f"cannot be asked: {reason}" if reason else None


async def change_settings(
    conn: Connection, partner_id: UUID, changes: Mapping[str, str | None], settings: OrdersSettings
) -> None:
    """Sets what is named, and takes away what is None. Raises Faulty; KeyError where there is no such partner.

    The key to a shop's API is for the shop that it was given for: with another address it has to be given again.
    """
    partner = (await store.lock_partners(conn, [partner_id]))[partner_id]
    merged = {**partner.settings, **changes}
    changed = {name: text for name, text in merged.items() if text is not None}
    check_settings(partner.adapter, changed, settings)
    await store.save_settings(conn, partner_id, changed)
    if changed.get(SHOP_URL) != partner.settings.get(SHOP_URL):
        await reconciliations.void_key(conn, partner_id)
