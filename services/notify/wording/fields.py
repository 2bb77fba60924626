"""The facts of a notice piece by piece, for templates that a provider has approved. All of them short strings."""

from services.notify.domain.facts import (
    ArrivalFacts,
    BasketFacts,
    BasketItem,
    ConfirmedFacts,
    DaySettlementFacts,
    EndpointFacts,
    MonthSettlementFacts,
    ReminderFacts,
    stops,
)
from services.notify.domain.notices import Facts
from services.notify.domain.staff_facts import (
    CallListFacts,
    NotUnderstoodFacts,
    QuarantinedFacts,
    ShortfallFacts,
    SoldOutFacts,
    SummaryFacts,
)
from services.notify.wording.speech import Speech

Fields = dict[str, str]


def fields(facts: Facts, to_name: str, speech: Speech, link: str | None) -> Fields:
    """By name; what a notice does not have is not among them."""
    found = {"name": speech.name(to_name), "cooperative": speech.cooperative(sender(facts)), **_own(facts, speech)}
    if link:
        found["link"] = link
    return found


def sender(facts: Facts) -> str:
    """Who speaks: the cooperative, or the union."""
    return facts.union if isinstance(facts, SummaryFacts) else facts.cooperative


def command(facts: QuarantinedFacts) -> str:
    """What an operator types to see the events that wait."""
    return f"python -m services.{facts.service} quarantine list"


def _own(facts: Facts, speech: Speech) -> Fields:
    match facts:
        case BasketFacts():
            found = _brought(facts.items, speech) | {"day": speech.day(facts.delivery_day)}
            return found | ({"reply_by": speech.moment(facts.reply_by_at)} if facts.reply_by_at else {})
        case ConfirmedFacts() | ReminderFacts():
            return _brought(facts.items, speech) | {"day": speech.day(facts.delivery_day)}
        case ArrivalFacts():
            return {"day": speech.day(facts.delivery_day), **_received(facts, speech)}
        case DaySettlementFacts():
            settled = facts.settled
            amounts = _amounts(settled.gross_vnd, settled.fee_vnd, settled.net_vnd, speech)
            return {"day": speech.day(settled.delivery_day), **amounts}
        case MonthSettlementFacts():
            amounts = _amounts(facts.gross_vnd, facts.fee_vnd, facts.net_vnd, speech)
            return {"month": speech.month(facts.month), "count": speech.count(facts.day_count), **amounts}
        case _:
            return _staff(facts, speech)


def _staff(facts: Facts, speech: Speech) -> Fields:
    match facts:
        case EndpointFacts():
            return {"host": speech.name(facts.host), "count": speech.count(facts.failures)}
        case SoldOutFacts():
            return {"day": speech.day(facts.delivery_day), "goods": speech.names(facts.products)}
        case ShortfallFacts():
            missing = [f"{speech.name(o.goods.name)} {speech.quantity(o.goods, o.missing_steps)}" for o in facts.offers]
            return {"day": speech.day(facts.delivery_day), "goods": ", ".join(missing)}
        case CallListFacts():
            first = {"reply_by": speech.moment(facts.first_by_at)} if facts.first_by_at else {}
            return {"count": speech.count(facts.households), **first}
        case QuarantinedFacts():
            return {"count": speech.count(facts.events), "command": command(facts)}
        case NotUnderstoodFacts():
            return {"moment": speech.moment(facts.said_at)}
        case SummaryFacts():
            total = facts.total
            return {
                "day": speech.day(facts.day),
                "count": speech.count(len(facts.cooperatives)),
                "orders": speech.count(total.orders),
                **_amount(total.settled_vnd, speech),
            }
    raise AssertionError(facts)


def _brought(items: tuple[BasketItem, ...], speech: Speech) -> Fields:
    """All goods with their quantities, the place and its time; `product` and `quantity` where there is one.

    Of several stops each has its place and time among the goods: none of them may stand for all.
    """
    found = stops(items)
    if not found:
        return {}
    if len(found) > 1:
        return {"goods": speech.loads(found)}
    written = [
        (speech.name(load.goods.name), speech.quantity(load.goods, load.quantity_steps)) for load in found[0].loads
    ]
    only = {"product": written[0][0], "quantity": written[0][1]} if len(written) == 1 else {}
    return {
        "goods": ", ".join(f"{product} {quantity}" for product, quantity in written),
        "place": speech.name(found[0].collection_point),
        "arrive_by": speech.moment(found[0].arrive_by_at),
        **only,
    }


def _received(facts: ArrivalFacts, speech: Speech) -> Fields:
    lines = facts.lines
    accepted = [f"{speech.name(line.goods.name)} {speech.quantity(line.goods, line.accepted_steps)}" for line in lines]
    rejected = [
        f"{speech.name(line.goods.name)} {speech.quantity(line.goods, line.rejected_steps)}"
        for line in lines
        if line.rejected_steps
    ]
    found = {"goods": ", ".join(accepted), "lot": speech.names(line.lot for line in lines)}
    if rejected:
        found |= {"rejected": ", ".join(rejected), "reason": speech.names(line.reason for line in lines if line.reason)}
    return found


def _amounts(gross_vnd: int, fee_vnd: int, net_vnd: int, speech: Speech) -> Fields:
    return {"gross": speech.money(gross_vnd), "fee": speech.money(fee_vnd), **_amount(net_vnd, speech)}


def _amount(vnd: int, speech: Speech) -> Fields:
    """Also in bare digits, which is what some providers call an amount."""
    return {"amount": speech.money(vnd), "amount_vnd": str(vnd)}
