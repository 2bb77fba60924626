"""A text that is too long for a conversation gives way to the short one, and is never cut."""

from hypothesis import given
from hypothesis import strategies as st

from services.notify.domain.messages import Text, fitting


def test_the_body_goes_before_the_short_text_and_the_short_text_before_nothing() -> None:
    assert fitting(Text("", " dài \n", "ngắn"), 3) == "dài"
    assert fitting(Text("", "dài quá", "ngắn"), 4) == "ngắn"
    assert fitting(Text("", "dài quá", "ngắn"), 3) is None
    assert fitting(Text("", " ", ""), 3) is None


@given(st.text(), st.text(), st.integers(min_value=0, max_value=20))
def test_what_is_sent_is_one_of_both_as_it_is_and_no_longer_than_allowed(body: str, short: str, most: int) -> None:
    found = fitting(Text("", body, short), most)
    assert found is None or (found in (body.strip(), short.strip()) and 1 <= len(found) <= most)
