"""Which drawing stands for a product, by the words of its Vietnamese name."""

import re

from services.notify.wording.speech import one_line

SACK = "sack"
"""For all that no word is known of."""

_WORDS = {
    "cabbage": ("bắp cải", "cải bắp", "cải thảo", "súp lơ", "bông cải", "hoa lơ"),
    "leaf": (
        "cải", "rau", "xà lách", "mồng tơi", "hành", "hẹ", "mùi", "thì là", "ngò", "dền", "bò khai", "ngọn su su",
        "ngọn bí", "húng", "tía tô", "kinh giới", "lá",
    ),
    "root": (
        "củ", "cà rốt", "su hào", "khoai", "sắn", "dong riềng", "gừng", "nghệ", "tỏi", "hành củ", "hành tím",
        "hành tây", "măng",
    ),
    "fruit": (
        "mận", "na", "nhãn", "xoài", "chanh", "chanh leo", "bơ", "dâu", "dâu tây", "hồng", "lê", "đào", "cam", "quýt",
        "bưởi", "chuối", "táo", "mơ", "thanh long", "ổi", "vải", "dứa", "quả", "trái", "sơn tra", "táo mèo",
    ),
    "tomato": ("cà chua",),
    "pumpkin": ("bí đỏ", "bí ngô", "bí"),
    "gourd": ("dưa", "dưa chuột", "dưa leo", "bí xanh", "bí đao", "su su", "mướp", "mướp đắng", "bầu", "cà tím"),
    "beans": ("đậu", "đỗ", "lạc"),
    "coffee": ("cà phê",),
    "tea": ("chè", "trà"),
    "honey": ("mật ong", "mật"),
    "grain": ("ngô", "gạo", "lúa", "thóc", "nếp", "kê"),
}  # fmt: skip

CROPS = (*_WORDS, SACK)
"""All drawings that there are."""

_CROP_OF = {phrase: crop for crop, phrases in _WORDS.items() for phrase in phrases}
_PHRASE = re.compile(r"\b(" + "|".join(sorted(map(re.escape, _CROP_OF), key=len, reverse=True)) + r")\b")


def crop_of(product: str) -> str:
    """The drawing for a product; of several words that are known the longest counts, then the first."""
    found = _PHRASE.findall(one_line(product).lower())
    return _CROP_OF[max(found, key=len)] if found else SACK
