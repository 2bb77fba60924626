"""Gets from shops, whose addresses staff have given: only public ones are reached (see chassis/outbound.py)."""

from collections.abc import Mapping, Sequence

from services.chassis.outbound import Failure, Network, OutboundClient
from services.orders.platforms.base import Refused, Unwell
from services.orders.platforms.woocommerce import Fetched

MOST_ANSWER_BYTES = 33_554_432
"""Of a page of 100 orders."""
KEPT_OPEN_S = 5
MOST_KEPT = 20
_WEATHER = ("timed_out", "connection_failed", "name_not_resolved")


class GuardedFetch:
    """To be closed at the end. `timeout_s` is for a whole request."""

    def __init__(self, private: Sequence[Network], timeout_s: float) -> None:
        self._client = OutboundClient(private, timeout_s, MOST_KEPT, KEPT_OPEN_S)

    async def get(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """The answer with its whole body. Raises Unwell and Refused."""
        try:
            answer, body = await self._client.get(url, headers, MOST_ANSWER_BYTES)
        except Failure as failure:
            raise (Unwell if failure.reason in _WEATHER else Refused)(failure.reason) from None
        if body is None:
            raise Unwell("too_large")
        return Fetched(answer.status, answer.headers, body)

    async def close(self) -> None:
        """Closes the connections that are kept open."""
        await self._client.close()
