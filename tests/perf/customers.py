"""The customers of a shop: many, of whom few come again, as their phones tell."""

from random import Random

REPEATS = 1 / 20
"""So many of the orders come from somebody who has ordered before."""
FAMILIES = ("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng", "Bùi", "Đỗ", "Ngô")
MIDDLES = ("Thị", "Văn", "Thu", "Minh", "Ngọc", "Thanh", "Đức", "Hồng")
GIVEN = ("Hoa", "Lan", "Hạnh", "Hùng", "Dũng", "Mai", "Tuấn", "Hương", "Bình", "Linh", "Sơn", "Yến")
STREETS = ("Hàng Bông", "Hàng Bạc", "Kim Mã", "Láng Hạ", "Tây Sơn", "Bạch Mai", "Cầu Giấy", "Trần Phú")


class Customers:
    """Those of one shop; who comes next is told by the random numbers alone."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._known: list[dict[str, str]] = []

    def next(self) -> dict[str, str]:
        """The contact of an order."""
        rng = self._random
        if self._known and rng.random() < REPEATS:
            return rng.choice(self._known)
        contact = {
            "name": f"{rng.choice(FAMILIES)} {rng.choice(MIDDLES)} {rng.choice(GIVEN)}",
            "phone": f"09{rng.randrange(10**8):08}",
            "address": f"{rng.randint(1, 300)} {rng.choice(STREETS)}, Hà Nội",
        }
        self._known.append(contact)
        return contact
