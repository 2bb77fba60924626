"""One day at a cooperative, as the facts of every kind of notice: for documents, for `render`, and for tests."""

from datetime import UTC, date, datetime
from uuid import UUID

from services.notify.domain import notices, partner_messages
from services.notify.domain.facts import (
    ArrivalFacts,
    ArrivedLine,
    BasketFacts,
    BasketItem,
    CancellationFacts,
    ConfirmedFacts,
    DaySettlementFacts,
    DeliveredLine,
    DeliveryFacts,
    EndpointFacts,
    Goods,
    MonthSettlementFacts,
    PartnerFacts,
    PromisedLine,
    PromiseFacts,
    RefusedLine,
    ReminderFacts,
    SettledDay,
    ShortageFacts,
    ShortedLine,
)
from services.notify.domain.staff_facts import (
    CallListFacts,
    CooperativeDay,
    NotUnderstoodFacts,
    QuarantinedFacts,
    ShortfallFacts,
    ShortOffer,
    SoldOutFacts,
    SummaryFacts,
)

COOPERATIVE, ZONE, DAY = "Hợp tác xã Rau Vân Hồ", "Asia/Ho_Chi_Minh", date(2026, 11, 24)
NOW = datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
"""When the household is told: 18:00 of the day before, in Sơn La."""

CUT_OFF_REPLY = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
ARRIVE_BY = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)

TO_HOUSEHOLD, TO_STAFF = "gia đình bà Mùa Thị Dợ", "chị Hà"

LINK = "https://chophien.example/r/AQGasMSdHnxVsKQ_PF4rehALS3AAAGkbq9DzZ2Jq8mYw1cR5hT0uVxNe"

_CABBAGE, _CORIANDER = Goods("Cải mèo", "kg", 500), Goods("Rau mùi", "bó", 1000)
_PLACE = "Nhà văn hóa bản Bó Nhàng"
_ITEMS = (
    BasketItem(
        UUID(int=1), _CABBAGE, 25, _PLACE, ARRIVE_BY, UUID(int=11),
        why_vi="Khách đặt 100 kg, chia đều theo phần của 8 hộ.",
        why_en="Customers ordered 100 kg, shared evenly by the shares of 8 households.",
    ),
    BasketItem(UUID(int=2), _CORIANDER, 3, _PLACE, ARRIVE_BY, UUID(int=12)),
)  # fmt: skip
_DAYS = tuple(
    SettledDay(date(2026, 11, day), gross_vnd, gross_vnd // 20, gross_vnd - gross_vnd // 20)
    for day, gross_vnd in ((3, 212_000), (10, 187_500), (24, 250_000))
)

PERSONAL: dict[str, notices.Facts] = {
    notices.BASKET: BasketFacts(COOPERATIVE, ZONE, DAY, _ITEMS, CUT_OFF_REPLY),
    notices.BASKET_CONFIRMED: ConfirmedFacts(COOPERATIVE, ZONE, DAY, "reply", _ITEMS),
    notices.REMINDER: ReminderFacts(COOPERATIVE, ZONE, DAY, _ITEMS),
    notices.ARRIVAL: ArrivalFacts(
        COOPERATIVE, ZONE, DAY,
        (ArrivedLine(_CABBAGE, "VH-241126-03", 23, 2, "bị dập"), ArrivedLine(_CORIANDER, "VH-241126-04", 3)),
    ),
    notices.SETTLEMENT_DAY: DaySettlementFacts(COOPERATIVE, ZONE, _DAYS[-1]),
    notices.SETTLEMENT_MONTH: MonthSettlementFacts(COOPERATIVE, ZONE, date(2026, 11, 1), _DAYS),
    notices.ENDPOINT_DISABLED: EndpointFacts(
        COOPERATIVE, ZONE, UUID("019ab0c4-9d1e-7c55-b0a4-3f3c5e2b7a11"), "shop.example", "lasting_failure", "http_500",
        12, datetime(2026, 11, 18, 22, 30, tzinfo=UTC), NOW,
    ),
    notices.SOLD_OUT: SoldOutFacts(COOPERATIVE, ZONE, DAY, ("Cải mèo", "Su su")),
    notices.SHORTFALL: ShortfallFacts(
        COOPERATIVE, ZONE, DAY, (ShortOffer(_CABBAGE, 9, 4), ShortOffer(_CORIANDER, 1, 1))
    ),
    notices.CALL_LIST: CallListFacts(COOPERATIVE, ZONE, 2, CUT_OFF_REPLY),
    notices.QUARANTINED: QuarantinedFacts(COOPERATIVE, ZONE, "allocation", 1),
    notices.NOT_UNDERSTOOD: NotUnderstoodFacts(COOPERATIVE, ZONE, NOW),
    notices.DAILY_SUMMARY: SummaryFacts(
        "Liên hiệp Hợp tác xã Sơn La", ZONE, DAY,
        (
            CooperativeDay(COOPERATIVE, 42, 39, 3, 8, 0, 4_125_000),
            CooperativeDay("Hợp tác xã Cà phê Chiềng Mai", 1_250, 1_250, 0, 16, 2, 21_700_000),
        ),
    ),
}  # fmt: skip
"""What people are told."""

_ORDER, _REF = UUID("019ab0c4-9d1e-7c55-b0a4-3f3c5e2b7a10"), "DH-1042"

TO_PARTNERS: dict[str, PartnerFacts] = {
    partner_messages.ORDER_PROMISED: PromiseFacts(
        _ORDER, _REF, 42, (PromisedLine(1, "CAI-MEO", _CABBAGE, 25, 20, 5, 0, 0, "sold_out"),),
        (RefusedLine(2, "RAU-X", "unknown_sku"),),
    ),
    partner_messages.ORDER_CHANGED: PromiseFacts(
        _ORDER, _REF, 57, (PromisedLine(1, "CAI-MEO", _CABBAGE, 25, 20, 0, 5, 0, None),), ()
    ),
    partner_messages.ORDER_SHORTED: ShortageFacts(
        _ORDER, _REF, 63, (ShortedLine(1, "CAI-MEO", _CABBAGE, 20, 15, "not_delivered"),)
    ),
    partner_messages.ORDER_CANCELLED: CancellationFacts(_ORDER, _REF),
    partner_messages.ORDER_DELIVERED: DeliveryFacts(
        _ORDER, _REF, 71, DAY, (DeliveredLine(1, "CAI-MEO", _CABBAGE, 15),)
    ),
}  # fmt: skip
"""What partners' servers are told."""
