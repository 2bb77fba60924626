"""Why an order line gets less than it asked for: one plain sentence for each code of `allocation`, by language."""

from collections.abc import Mapping

LANGUAGES = ("vi", "en")

_SENTENCES: Mapping[str, tuple[str, str]] = {
    "sold_out": (
        "Đã hết hàng: số khách đặt nhiều hơn số chào bán.",
        "Sold out: more was ordered than was on offer.",
    ),
    "no_offer": (
        "Lúc đặt, mặt hàng này không được chào bán cho ngày giao đó.",
        "When this was ordered, it was not on offer for that delivery day.",
    ),
    "intake_closed": (
        "Đơn, hoặc phần đặt thêm, đến sau khi đã chốt đơn.",
        "The order, or what was added to it, came after orders had closed.",
    ),
    "pledges_reduced": (
        "Sau khi hứa với khách, số các hộ đăng ký giảm xuống, nên phần đã hứa mà không còn đủ hàng bị rút lại.",
        "After the promise the households' pledges were lowered, and what they no longer covered was taken back.",
    ),
    "offer_withdrawn": (
        "Mặt hàng đã ngừng chào bán, nên phần đã hứa với khách bị rút lại.",
        "The offer was withdrawn, and what had been promised of it was taken back.",
    ),
    "below_minimum": (
        "Số có thể giao thấp hơn mức tối thiểu của đơn, nên không giao.",
        "What could be delivered is below the order's minimum, so it is not delivered.",
    ),
    "decided_at_cut_off": (
        "Mỗi đơn được bao nhiêu thì đến lúc chốt đơn mới chia, không hứa ngay lúc đặt.",
        "How much each order gets is decided when orders close, not when the order comes.",
    ),
    "not_delivered": (
        "Số các hộ mang đến ít hơn số đã hứa với khách.",
        "The households bring less than had been promised to customers.",
    ),
}

_UNKNOWN = ("Số hứa giao hiện ít hơn số khách đặt.", "Less is promised at present than was ordered.")


def explain(reason: str) -> dict[str, str]:
    """The sentence in each of `LANGUAGES`; of a code that is not known here, only that less is promised."""
    return dict(zip(LANGUAGES, _SENTENCES.get(reason, _UNKNOWN), strict=True))
