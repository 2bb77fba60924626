"""The types of fields in requests: strict about numbers and text, so that what is stored is what was meant."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from services.catalog.domain.values import Pledge, PledgeDraft

MOST_PLEDGES = 1000
"""Pledges of one offer; keeps its event far below the largest one that is sent."""

NO_CONTROLS = r"^[^\x00-\x1f\x7f-\x9f]*$"

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


def _day_text(value: object) -> object:
    if isinstance(value, str) and not _DAY.fullmatch(value):
        raise ValueError("must look like 2026-11-24")
    return _text_only(value)


def _text_only(value: object) -> object:
    if isinstance(value, int | float):
        raise ValueError("must be text in RFC 3339 form")
    return value


def _of_our_time(value: datetime) -> datetime:
    if not 2000 <= value.year < 2200:
        raise ValueError("must lie between the years 2000 and 2200")
    return value.astimezone(UTC)


def _day_of_our_time(value: date) -> date:
    if not 2000 <= value.year < 2200:
        raise ValueError("must lie between the years 2000 and 2200")
    return value


def _composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)  # one spelling of Vietnamese letters, so that equal names are equal


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=63), Field(examples=["van-ho"])]
Code = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64), Field(examples=["cai-meo"])
]
Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=NO_CONTROLS),
    AfterValidator(_composed),
]
Names = Annotated[tuple[Text, ...], Field(max_length=20), AfterValidator(lambda names: tuple(dict.fromkeys(names)))]
"""Names of which each counts once, in the order of the request."""
QuantitySteps = Annotated[int, Field(strict=True, ge=0, le=1_000_000, description="In steps of the product.")]
PriceVnd = Annotated[
    int, Field(strict=True, ge=1, le=1_000_000_000, description="VND per unit; a step must have a whole price.")
]
Moment = Annotated[AwareDatetime, BeforeValidator(_text_only), AfterValidator(_of_our_time)]
Day = Annotated[date, BeforeValidator(_day_text), AfterValidator(_day_of_our_time)]
LocalTime = Annotated[
    str,
    StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$"),
    Field(examples=["17:30"], description="HH:MM in the cooperative's zone."),
]


def local_time(text: str) -> time:
    """The time of a LocalTime."""
    return time.fromisoformat(text)


class Body(BaseModel):
    """A request body: an unknown field is an error, since it would otherwise be silently lost."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PledgeBody(Body):
    """The most that one household offers."""

    household_code: Code
    quantity_steps: QuantitySteps

    def draft(self) -> PledgeDraft:
        """For the domain."""
        return PledgeDraft(self.household_code, self.quantity_steps)


Pledges = Annotated[list[PledgeBody], Field(max_length=MOST_PLEDGES)]


class PledgeAnswer(BaseModel):
    """A pledge of an offer or a standing offer."""

    household_id: UUID
    household_code: str
    quantity_steps: int

    @classmethod
    def of_all(cls, pledges: Iterable[Pledge], codes: Mapping[UUID, str]) -> "list[PledgeAnswer]":
        """By the codes of the households."""
        answers = [
            cls(
                household_id=pledge.household_id,
                household_code=codes[pledge.household_id],
                quantity_steps=pledge.quantity_steps,
            )
            for pledge in pledges
        ]
        return sorted(answers, key=lambda answer: answer.household_code)
