"""Whoever did not get a link from us cannot make one."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.notify.domain.links import READABLE_FOR, BadLink, ExpiredLink, Link, Links

NEW, OLD = "the secret of today, long enough", "the secret of before, long enough"
LINKS = Links("https://cho.example", (NEW,))
REPLY_BY = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)
LINK = Link(UUID(int=7 << 100), date(2026, 11, 24), REPLY_BY + READABLE_FOR)
TOKEN = LINKS.token(LINK)


def test_a_link_is_short_and_opens_what_it_was_made_for() -> None:
    url = LINKS.url(LINK.household_id, LINK.delivery_day, REPLY_BY)
    assert url == f"https://cho.example/r/{TOKEN}"
    assert len(TOKEN) == 56
    assert LINKS.open(TOKEN, REPLY_BY) == LINK


@given(
    st.builds(
        Link,
        st.uuids(),
        st.dates(),
        st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)),  # noqa: DTZ001 - the zone follows
    )
)
@settings(max_examples=300)
def test_every_link_opens_as_itself_until_its_last_second(link: Link) -> None:
    token = LINKS.token(link)
    assert LINKS.open(token, link.expires_at - timedelta(seconds=1)) == link
    with pytest.raises(ExpiredLink):
        LINKS.open(token, link.expires_at)


def test_any_flipped_bit_is_refused() -> None:
    content = urlsafe_b64decode(TOKEN)
    for bit in range(len(content) * 8):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BadLink):
            LINKS.open(urlsafe_b64encode(changed).decode(), REPLY_BY)


@given(st.integers(0, 55), st.characters())
@settings(max_examples=300)
def test_any_other_character_is_refused(at: int, character: str) -> None:
    changed = TOKEN[:at] + character + TOKEN[at + 1 :]
    if changed != TOKEN:
        with pytest.raises(BadLink):
            LINKS.open(changed, REPLY_BY)


@pytest.mark.parametrize(
    "token", ["", TOKEN[:-1], TOKEN[:-4], TOKEN + "A", TOKEN + "=", TOKEN + "\n", f" {TOKEN}", "A" * 56]
)
def test_a_cut_or_padded_link_is_refused(token: str) -> None:
    with pytest.raises(BadLink):
        LINKS.open(token, REPLY_BY)


def test_a_new_secret_signs_while_links_of_the_old_one_still_open() -> None:
    rotated = Links(LINKS.public_url, (OLD, NEW))
    assert rotated.open(TOKEN, REPLY_BY) == LINK
    assert rotated.open(rotated.token(LINK), REPLY_BY) == LINK
    assert Links(LINKS.public_url, (OLD,)).open(rotated.token(LINK), REPLY_BY) == LINK
    with pytest.raises(BadLink):
        Links(LINKS.public_url, (OLD,)).open(TOKEN, REPLY_BY)


def test_secrets_and_tokens_are_in_no_error_and_no_representation() -> None:
    with pytest.raises(BadLink) as refused:
        Links("https://cho.example", (OLD,)).open(TOKEN, REPLY_BY)
    assert TOKEN not in str(refused.value)
    assert NEW not in repr(LINKS)
