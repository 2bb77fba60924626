"""How the households of the demo are told: where local providers run, by the channels that people there really use.

In Vân Hồ each household shows another way of the ladder; in Chiềng Mai a third each has Zalo, SMS and mail first.
Without local providers everybody has mail.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from infra.demo.world import VAN_HO, Cooperative

CONSENT = {"purposes": ["work", "money"], "source": "giấy đồng ý, ký khi vào hợp tác xã"}
_VAN_HO = (
    "email",
    "sms email",
    "zalo! sms",  # the number is not on Zalo
    "zalo sms",  # answers there in its own words
    "zalo!",  # nor is this one, and there is no other way: somebody has to call
    "telegram sms",
    "email",
    "zalo sms email",
)
"""By household; `zalo!`: it says that it has Zalo, and its number has none."""
_CHIENG_MAI = ("zalo sms", "sms email", "email")

SPEAKS = (VAN_HO.slug, 3)
"""The household that writes what it can bring, instead of filling in the page; it grows one product only."""
SPECIALISED = {(VAN_HO.slug, 3): "cai-meo"}


@dataclass(frozen=True, slots=True)
class Reach:
    """One household's addresses, and the channels that it has agreed to, the preferred one first."""

    name: str
    code: str
    phone: str
    ways: tuple[str, ...]
    has_zalo: bool

    @property
    def email(self) -> str:
        """Its mailbox."""
        return f"{self.code.lower()}@bancon.example"

    @property
    def addresses(self) -> tuple[str, str, str]:
        """Under which its messages are found."""
        return self.email, self.phone, self._chat

    @property
    def _chat(self) -> str:
        return self.phone.removeprefix("+")

    @property
    def _zalo_user(self) -> str:
        return f"80{self._chat}"

    def contact(self) -> dict[str, Any]:
        """As staff write it down. The Zalo user is there to be recognised; nothing is sent to it."""
        places = {"email": self.email, "telegram": self._chat}
        addresses = [{"channel": way, "address": places.get(way, self.phone), "consent": CONSENT} for way in self.ways]
        if "zalo" in self.ways and self.has_zalo:
            addresses.append({"channel": "zalo_oa", "address": self._zalo_user})
        return {"display_name": self.name, "language": "vi", "addresses": addresses}

    def person(self) -> dict[str, str | None]:
        """Who holds the telephone, as the local providers are told."""
        return {
            "name": f"{self.name} ({self.code})",
            "phone": self.phone,
            "zalo": self._zalo_user if self.has_zalo else None,
            "telegram": self._chat if "telegram" in self.ways else None,
            "email": self.email,
        }


def reaches(cooperative: Cooperative, with_providers: bool) -> Iterator[Reach]:
    """All households, in their order."""
    number = 1 if cooperative.slug == VAN_HO.slug else 2
    for index, name in enumerate(cooperative.households):
        chosen = _VAN_HO[index] if cooperative.slug == VAN_HO.slug else _CHIENG_MAI[index % len(_CHIENG_MAI)]
        words = chosen.split() if with_providers else ["email"]
        ways = tuple(word.removesuffix("!") for word in words)
        phone = f"+84912{number:03d}{index + 1:03d}"
        yield Reach(name, cooperative.household_code(index), phone, ways, "zalo" in words)
