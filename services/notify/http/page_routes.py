"""What the pages that signed links lead to have in common: the link itself, and refusals as a browser shows them.

The link is the key: no other one is asked for, and without a good one nothing is said about any household.
"""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Query, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from services.chassis import problems
from services.chassis.problems import Problem
from services.notify import reply_page
from services.notify.domain.links import BadLink, ExpiredLink, Link
from services.notify.domain.replies import Standing
from services.notify.reply_page import HEADERS
from services.notify.store import baskets as store
from services.notify.wording import LANGUAGES

FORM = "application/x-www-form-urlencoded"

Language = Annotated[
    str | None, Query(alias="lang", description=f"{', '.join(LANGUAGES)}; without it, the household's language.")
]

REFUSALS = problems.refusals(404) | {410: problems.refusal("The time of the link is over.")}
"""Of whatever a link leads to."""


class PageRoute(APIRoute):
    """Refusals are pages where a browser asks, and problem documents otherwise."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """As FastAPI calls it."""
        handle = super().get_route_handler()

        async def as_page(request: Request) -> Response:
            try:
                return await handle(request)
            except Exception as error:
                answer = problems.answer_to(error)
                if answer.status_code == 500:
                    raise
                if is_browser(request):
                    language = reply_page.choose_language(request.query_params.get("lang"))
                    answer = HTMLResponse(reply_page.problem(answer.status_code, language), answer.status_code)
                answer.headers.update(HEADERS)
                return answer

        return as_page


def open_link(request: Request, token: str) -> Link:
    """What the link names. Raises Problem."""
    try:
        link: Link = request.app.state.links.open(token, request.app.state.clock())
    except BadLink:
        raise link_not_found() from None
    except ExpiredLink:
        detail = "The time of this link is over. Call the cooperative."
        raise Problem(410, "link-expired", "Link expired", detail) from None
    return link


async def find(request: Request, link: Link) -> Standing:
    """The basket that the link leads to. Raises Problem."""
    standing = await store.get_basket(request.app.state.runtime.pool, link.household_id, link.delivery_day)
    if standing is None:
        raise link_not_found()
    return standing


def link_not_found() -> Problem:
    """The same for a link that is not ours and for one whose basket is not there."""
    detail = "This link does not open. Open the link in the newest notice again, or call the cooperative."
    return Problem(404, "link-not-found", "Link not found", detail)


def is_browser(request: Request) -> bool:
    """Whether the answer is for a person to look at."""
    return "text/html" in request.headers.get("accept", "")
