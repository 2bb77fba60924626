"""Which offer staff mean: by the code of its product, or by its id where the product is offered twice that day."""

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from pydantic import Field

from services.allocation.http.context import Body, Code
from services.allocation.store.arrivals import Bringing

Fault = tuple[str, str]
"""A field, and what is wrong with it."""


class OfOneOffer(Body):
    """Either field is enough; given both, they must agree."""

    product_code: Code | None = None
    offer_id: Annotated[
        UUID | None, Field(description="Instead of the code, where a product is offered twice that day.")
    ] = None

    @property
    def named(self) -> str:
        """The offer in the words of the request."""
        return self.product_code or f"offer {self.offer_id}"


def find_meant(named: OfOneOffer, own: Sequence[Bringing]) -> Bringing | Fault | None:
    """The one of a household's offers of a day that is meant; what is open counts before what is settled.

    None where nothing of the household's is meant, and a fault that names the offers where more than one could be.
    """
    if named.product_code is None and named.offer_id is None:
        return "product_code", "give product_code or offer_id"
    fitting = [
        one for one in own if named.product_code in (None, one.product_code) and named.offer_id in (None, one.offer_id)
    ]
    still_open = [one for one in fitting if not one.settled]
    if len(still_open) > 1:
        listed = ", ".join(f"{one.offer_id} ({one.asked_steps} steps asked)" for one in still_open)
        fault = (
            f"{named.product_code} stands in {len(still_open)} offers of the day; give the offer_id of one: {listed}"
        )
        return "product_code", fault
    return next(iter(still_open or fitting), None)
