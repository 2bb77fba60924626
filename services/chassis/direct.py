"""Routes of the hot path: documented like every other one, and called by the edge without the framework between.

FastAPI's routing and dependencies take longer than storing an order does. A direct route takes the request and its
path parameters as text, and answers; its refusals are problem documents as everywhere.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.chassis import problems

log = logging.getLogger(__name__)

Endpoint = Callable[..., Awaitable[Response]]


class DirectRoute(APIRoute):
    """`APIRouter(route_class=DirectRoute)`: its endpoints take `request` and the path parameters, and nothing else."""


class DirectRoutes:
    """The direct routes of an app."""

    def __init__(self, app: FastAPI, routes: Iterable[Any]) -> None:
        self._app = app
        self._routes = [route for route in routes if isinstance(route, DirectRoute)]
        for route in self._routes:
            needs = route.dependant
            if needs.dependencies or needs.query_params or needs.header_params or needs.body_params:
                raise TypeError(f"{route.path}: a direct route has nothing but its path and the request")

    def find(self, scope: Scope) -> tuple[DirectRoute, dict[str, str]] | None:
        """The route that serves this request, with its path parameters."""
        for route in self._routes:
            if scope["method"] in (route.methods or ()) and (match := route.path_regex.match(scope["path"])):
                return route, match.groupdict()
        return None

    async def answer(
        self, route: DirectRoute, parameters: dict[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Calls the endpoint; what it raises becomes a problem document."""
        scope["app"], scope["route"] = self._app, route
        endpoint: Endpoint = route.endpoint
        try:
            response = await endpoint(request=Request(scope, receive), **parameters)
        except Exception as error:
            response = problems.answer_to(error)
            if response.status_code == 500:
                log.error("a request failed", exc_info=error)
        await response(scope, receive, send)
