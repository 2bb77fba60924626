"""Who a customer is: one written form for each sign, and nobody for what is masked."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.orders.domain.command import CommandLine, Contact, Kind, OrderCommand
from services.orders.domain.customers import (
    Identity,
    email_of,
    identities_of,
    is_masked,
    may_identify,
    phone_of,
    plain_text,
    platform_id_of,
)

SHOP = UUID(int=7)

mobiles = st.from_regex(r"[35789][0-9]{8}", fullmatch=True)
landlines = st.from_regex(r"2[0-9]{9}", fullmatch=True)
prefixes = st.sampled_from(["0", "84", "0084", "+84", "+840", ""])


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("0912345678", "+84912345678"),
        ("0912 345 678", "+84912345678"),
        ("0912.345.678", "+84912345678"),
        ("(+84) 912-345-678", "+84912345678"),
        ("+84 (0) 912 345 678", "+84912345678"),
        ("84912345678", "+84912345678"),
        ("0084912345678", "+84912345678"),
        ("'0912345678", "+84912345678"),
        ("912345678", "+84912345678"),
        ("０９１２３４５６７８", "+84912345678"),
        ("0212 3852 123", "+842123852123"),
        ("024.3825.1234", "+842438251234"),
        ("+84 28 3829 5678", "+842838295678"),
    ],
)
def test_a_phone_is_the_same_however_it_is_written(written: str, number: str) -> None:
    assert phone_of(written) == number


@pytest.mark.parametrize(
    "written",
    [None, "", "0", "113", "0112345678", "0612345678", "01234567890", "+1 650 253 0000", "+8613800138000", "091234567",
     "09123456789", "0912345678 / 0987654321", "0912345678 - 0987654321", "Chị Mai 0912345678", "0912345678a"],
)  # fmt: skip
def test_what_is_no_vietnamese_number_is_none(written: str | None) -> None:
    assert phone_of(written) is None


@given(st.one_of(mobiles, landlines), prefixes, st.lists(st.sampled_from(["", "", " ", ".", "-"]), min_size=20))
@settings(max_examples=300)
def test_every_way_to_write_a_number_leads_to_one_form_which_stays_as_it_is(
    national: str, prefix: str, between: list[str]
) -> None:
    written = "".join(digit + mark for digit, mark in zip(prefix + national, between, strict=False))
    found = phone_of(written)
    assert found == f"+84{national}"
    assert phone_of(found) == found


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_to_normalise_twice_changes_nothing(text: str) -> None:
    for normalise in (phone_of, email_of, platform_id_of):
        once = normalise(text)
        assert once is None or normalise(once) == once


@pytest.mark.parametrize(
    "written",
    ["******64", "P******n", "(+84)91*****57", "09xxxxx678", "0912XXX678", "m***@gmail.com", "•••@gmail.com", "＊＊＊",
     "xxx", "id-*", "n...n@gmail.com", "n…n@gmail.com", "mai..lo@gmail.com", "abc...xyz", "abc…xyz", "ab··9",
     "09■■■■■678", "m██@gmail.com", "09×××××678", "n×n@gmail.com"],
)  # fmt: skip
def test_what_is_masked_identifies_nobody(written: str) -> None:
    assert is_masked(written)
    assert (phone_of(written), email_of(written), platform_id_of(written), plain_text(written)) == (None,) * 4
    contact = Contact("Lò Thị Mai", written, None, written, written)
    assert list(identities_of(contact, SHOP)) == []


@pytest.mark.parametrize("written", ["ab##9", "ab＃9", "n#n@gmail.com", "09#####678"])
def test_a_sharp_hides_a_sign_and_is_ordinary_in_an_address(written: str) -> None:
    assert (phone_of(written), email_of(written), platform_id_of(written)) == (None,) * 3
    assert plain_text("Nhà #3, Mộc Châu") == "Nhà #3, Mộc Châu"


@pytest.mark.parametrize("phone", ["09*****678", "09...678", "######78", "xxx"])
def test_an_order_that_hides_its_phone_is_known_by_its_account_only(phone: str) -> None:
    contact = Contact("Mai", phone, None, "mai@example.vn", "4711")
    assert list(identities_of(contact, SHOP)) == [Identity(str(SHOP), "4711")]
    assert [sign.kind for sign in identities_of(Contact("Mai", "", None, "mai@example.vn"), SHOP)] == ["email"]


@given(st.one_of(mobiles, st.emails(), st.text(min_size=1, max_size=20)), st.integers(0, 30), st.integers(1, 6))
@settings(max_examples=300)
def test_two_masked_values_are_never_the_same_person(plain: str, place: int, stars: int) -> None:
    hidden = plain[: place % (len(plain) + 1)] + "*" * stars + plain[place % (len(plain) + 1) + stars :]
    for contact in (Contact(phone=hidden), Contact(email=hidden), Contact(platform_id=hidden)):
        assert list(identities_of(contact, SHOP)) == []
        assert not may_identify(contact)


def test_mail_addresses_are_the_same_in_any_case() -> None:
    assert email_of(" Mai.Lo@Gmail.com ") == "mai.lo@gmail.com"


@pytest.mark.parametrize("written", [None, "", "mai", "mai@", "@gmail.com", "mai@gmail", "a@b.c,d@e.vn", "a b@c.vn"])
def test_what_is_no_mail_address_is_none(written: str | None) -> None:
    assert email_of(written) is None


def test_an_account_is_known_within_its_partner_only() -> None:
    contact = Contact(platform_id=" 4711 ")
    here, elsewhere = identities_of(contact, SHOP), identities_of(contact, UUID(int=8))
    assert list(here) == [Identity(str(SHOP), "4711")]
    assert here != elsewhere
    assert platform_id_of("0") is None  # what shops have for guests


def test_the_phone_is_the_strongest_sign() -> None:
    contact = Contact("Mai", "0912345678", "Vân Hồ", "mai@example.vn", "4711")
    assert [sign.kind for sign in identities_of(contact, SHOP)] == ["phone", "email", str(SHOP)]


@given(st.builds(Contact, *[st.one_of(st.none(), st.text(max_size=12), mobiles)] * 5))
@settings(max_examples=300)
def test_whoever_is_identified_was_worth_a_look(contact: Contact) -> None:
    assert may_identify(contact) or not identities_of(contact, SHOP)


# -- Digests: what is stored is compared with later pushes for ever ------------------------------------------

MORNING = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)
LINES = (CommandLine(1, "CAI-MEO-300G", Decimal("1.50"), 15000), CommandLine(2, "SU-SU", Decimal(2)))


@pytest.mark.parametrize(
    ("contact", "digest"),
    [
        (None, "d4f848b7e4853597fc382b6d6ee6b83085a8a738dee4278de634edf4c217db14"),
        (Contact(), "bac7c75c428e02baab210c24c0f93f770a63ae73c15d7459043ab128230995dd"),
        (
            Contact("Lò Thị Mai", "0912345678", None),
            "dcd3a4752b4d6bfe00a13b46d918f13e20018cf04675b119ab81715282e2c1e9",
        ),
        (
            Contact("Lò Thị Mai", "+84 912 345 678", "Bản Hua Tạt, Vân Hồ"),
            "435175b649be290058e79774228ab0ac231fc875023df95436ac3e74f4a1d6cc",
        ),
    ],
)
def test_digests_are_what_they_were_before_contacts_had_a_mail_address(contact: Contact | None, digest: str) -> None:
    command = OrderCommand.make("A-1001", MORNING, 0, Kind.UPSERT, date(2026, 11, 24), LINES, contact)
    assert command.revision.digest == digest


def test_the_digest_of_a_cancellation_is_what_it_was() -> None:
    command = OrderCommand.make("A-1001", MORNING, 1, Kind.CANCEL)
    assert command.revision.digest == "900746d8941e1977e0b94f19a955bd5e8462a60056a5eec70cb33405b426ba33"


def test_a_mail_address_or_account_makes_another_digest() -> None:
    contacts = (Contact("Mai"), Contact("Mai", email="mai@example.vn"), Contact("Mai", platform_id="mai@example.vn"))
    digests = {OrderCommand.make("A", MORNING, 0, Kind.UPSERT, None, LINES, one).revision.digest for one in contacts}
    assert len(digests) == 3


def test_a_push_without_its_contact_is_that_push_in_all_else() -> None:
    told = Contact("Mai", "0912345678", None, "mai@example.vn", "4711")
    command = OrderCommand.make("A", MORNING, 2, Kind.UPSERT, date(2026, 11, 24), LINES, told, restores=True)
    plain = OrderCommand.make("A", MORNING, 2, Kind.UPSERT, date(2026, 11, 24), LINES, None, restores=True)
    assert command.without_contact() == plain
    assert plain.without_contact() == plain
