"""The rules of the promise applied plainly: every place in memory, sorted anew for each step, nothing clever."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID, uuid5

from services.allocation.domain.books import Cancel, Change, CloseIntake, Command, Line, Place, SetSupply, Wanted
from services.allocation.domain.policies import PromiseRule

Key = tuple[UUID, int, UUID]  # order_id, line_no, offer_id


@dataclass
class Spot:
    """One place in a queue."""

    key: Key
    tier: int
    position: int
    ordered: int
    minimum: int
    promised: int = 0
    short: int = 0
    shorted: int = 0
    cancelled: int = 0

    @property
    def net(self) -> int:
        return self.promised - self.shorted

    @property
    def wanted(self) -> int:
        return self.ordered - self.cancelled


class PlainPromise:
    """What `decide` must come to, one command at a time."""

    def __init__(self) -> None:
        self.supply: dict[UUID, int] = {}
        self.rule: dict[UUID, PromiseRule] = {}
        self.listed: set[UUID] = set()
        self.closed: set[UUID] = set()
        self.spots: list[Spot] = []

    def apply(self, command: Command) -> None:
        match command:
            case Place(order_id, lines, tier):
                if not any(spot.key[0] == order_id for spot in self.spots):
                    for key, (steps, minimum) in summed(order_id, lines).items():
                        self.ask(key, steps, tier, max(1, min(minimum, steps)))
            case Change(order_id, lines, tier):
                self.change(order_id, summed(order_id, lines), tier)
            case Cancel(order_id):
                self.change(order_id, {}, 1)
            case SetSupply(offer_id, supply_steps, withdrawn, rule) if offer_id not in self.closed:
                self.supply[offer_id] = supply_steps
                if not withdrawn:
                    self.rule.setdefault(offer_id, rule)
                self.shorten(offer_id)
                self.serve(offer_id)
            case CloseIntake(offer_id, withdrawn):
                if withdrawn:
                    self.apply(SetSupply(offer_id, 0, withdrawn=True))
                if offer_id not in self.closed and self.rule.get(offer_id) is PromiseRule.FAIR:
                    self.share_out(offer_id)
                self.closed.add(offer_id)

    def of(self, offer_id: UUID) -> list[Spot]:
        """In the order of the queue."""
        spots = [spot for spot in self.spots if spot.key[2] == offer_id]
        return sorted(spots, key=lambda spot: (spot.tier, spot.position))

    def line(self, key: Key) -> list[Spot]:
        return [spot for spot in self.of(key[2]) if spot.key == key]

    def net(self, key: Key) -> int:
        return sum(spot.net for spot in self.line(key))

    def free(self, offer_id: UUID) -> int:
        return self.supply.get(offer_id, 0) - sum(spot.net for spot in self.of(offer_id))

    def ask(self, key: Key, steps: int, tier: int, minimum: int) -> None:
        if steps:
            position = max((spot.position for spot in self.of(key[2])), default=0) + 1
            self.spots.append(Spot(key, tier, position, steps, minimum, short=steps))
            self.serve(key[2])

    def change(self, order_id: UUID, wanted: dict[Key, tuple[int, int]], tier: int) -> None:
        held = list(dict.fromkeys(spot.key for spot in self.spots if spot.key[0] == order_id))
        rises = dict.fromkeys(wanted, 0)
        for key in [*held, *(key for key in wanted if key not in held)]:
            steps, minimum = wanted.get(key, (0, 1))
            rises[key] = steps - sum(spot.wanted for spot in self.line(key))
            self.cut(key, -rises[key])
            if key in wanted and key[2] not in self.closed:
                for spot in self.line(key):
                    spot.minimum = max(1, min(minimum, steps, self.net(key) or steps))
        for offer_id in {key[2] for key in held}:
            self.serve(offer_id)
        for key in wanted:
            if rises[key] > 0:
                minimum = max(1, min(wanted[key][1], wanted[key][0]))
                self.ask(key, rises[key], tier, self.line(key)[0].minimum if self.line(key) else minimum)

    def cut(self, key: Key, steps: int) -> None:
        newest_first = sorted(self.line(key), key=lambda spot: -spot.position)
        for kind in ("short", "shorted", "net"):
            for spot in newest_first:
                if kind == "net" and key[2] in self.closed:
                    continue
                taken = max(0, min(getattr(spot, kind), steps))
                steps -= taken
                spot.cancelled += taken
                if kind == "short":
                    spot.short -= taken
                else:
                    spot.promised -= taken
                    spot.shorted -= taken if kind == "shorted" else 0

    def can_be_served(self, spot: Spot) -> bool:
        free, line = self.free(spot.key[2]), self.line(spot.key)
        needed = 1 if self.net(spot.key) else spot.minimum
        return spot.short > 0 and min(free, sum(x.short for x in line)) >= needed

    def serve(self, offer_id: UUID) -> None:
        """Again and again the first in the queue that can be served."""
        if offer_id in self.closed or self.rule.get(offer_id) is PromiseRule.FAIR:
            return
        while first := next((spot for spot in self.of(offer_id) if self.can_be_served(spot)), None):
            give(first, self.free(offer_id))
            for spot in self.line(first.key):
                give(spot, first.minimum - self.net(first.key))

    def shorten(self, offer_id: UUID) -> None:
        for spot in self.of(offer_id)[::-1]:
            spot.shorted += max(0, min(spot.net, -self.free(offer_id)))
            if self.net(spot.key) < spot.minimum:
                for lost in self.line(spot.key):
                    lost.shorted = lost.promised

    def share_out(self, offer_id: UUID) -> None:
        left = self.supply[offer_id]
        tier_of: dict[Key, int] = {}
        for spot in self.of(offer_id):
            if spot.short:
                tier_of.setdefault(spot.key, spot.tier)
        for tier in sorted(set(tier_of.values())):
            keys = {key for key in tier_of if tier_of[key] == tier}
            for key, steps in self.shares(left, keys).items():
                left -= steps
                for spot in self.line(key):
                    give(spot, steps - self.net(key))

    def shares(self, total: int, keys: set[Key]) -> dict[Key, int]:
        """Drop one line and share again, until everyone has its minimum."""
        while True:
            shares = dict.fromkeys(keys, 0)
            for _ in range(total):
                below = [key for key in keys if shares[key] < sum(spot.short for spot in self.line(key))]
                if below:
                    shares[min(below, key=lambda key: (shares[key], drawn(key)))] += 1
            minimum = {key: self.line(key)[0].minimum for key in keys}
            missing = [key for key in keys if shares[key] < minimum[key] and minimum[key] > 1]
            if not missing:
                return shares
            keys = keys - {max(missing, key=lambda key: (minimum[key], drawn(key)))}

    def lines(self) -> dict[tuple[UUID, int], Line]:
        """What the books must hold, without the reasons and what each place needs."""
        return {
            (spot.key[2], spot.position): Line(
                *spot.key, spot.position, spot.ordered, spot.promised, spot.short, spot.shorted, spot.cancelled,
                tier=spot.tier, minimum_steps=spot.minimum,
            )
            for spot in self.spots
        }  # fmt: skip


def give(spot: Spot, steps: int) -> None:
    given = max(0, min(spot.short, steps))
    spot.promised += given
    spot.short -= given


def drawn(key: Key) -> bytes:
    """The lot of a line."""
    return sha256(key[2].bytes + uuid5(key[0], str(key[1])).bytes).digest()


def summed(order_id: UUID, lines: Sequence[Wanted]) -> dict[Key, tuple[int, int]]:
    """Quantity and minimum of each line."""
    found: dict[Key, tuple[int, int]] = {}
    for wanted in lines:
        key = (order_id, wanted.line_no, wanted.offer_id)
        steps, minimum = found.get(key, (0, 1))
        found[key] = (steps + wanted.quantity_steps, max(minimum, wanted.minimum_steps))
    return found
