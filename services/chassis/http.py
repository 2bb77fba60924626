"""The HTTP side of every service: probes, metrics, documents, and the routes that the service plugs in."""

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, Request
from prometheus_client import generate_latest
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.chassis import documents, faultpoints, problems, trace
from services.chassis.direct import DirectRoutes
from services.chassis.faults import is_weather
from services.chassis.metrics import Metrics
from services.chassis.runtime import Parts, Runtime, S, Service

log = logging.getLogger(__name__)

Readiness = Callable[[], Awaitable[list[str]]]
"""Returns what is not ready, in words; an empty list means ready."""


class Edge:
    """Outermost: continues the caller's trace, refuses what is too large or names nothing, measures."""

    def __init__(self, app: FastAPI, direct: DirectRoutes, metrics: Metrics, max_body_bytes: int) -> None:
        self._app, self._direct, self._metrics, self._most = app, direct, metrics, max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        token = trace.current.set(trace.continue_from(headers.get(b"traceparent", b"").decode("latin-1") or None))
        began_s, status = time.perf_counter(), 500

        async def measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                faultpoints.reach("mid_answer", scope["method"])
            await send(message)

        try:
            length = headers.get(b"content-length", b"")
            if length.isdigit() and int(length) > self._most:
                await problems.too_large(self._most).response()(scope, receive, measured)
            elif place := _with_nul(scope):
                await problems.invalid([(place, "must have no NUL")]).response()(scope, receive, measured)
            elif found := self._direct.find(scope):
                await self._direct.answer(*found, scope, self._limited(receive), measured)
            else:
                await self._app(scope, self._limited(receive), measured)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "other")
            seconds = time.perf_counter() - began_s
            self._metrics.requests.labels(scope["method"], path, str(status)).observe(seconds)
            trace.current.reset(token)

    def _limited(self, receive: Receive) -> Receive:
        """Counts a body that came without its length."""
        seen = 0

        async def limited() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._most:
                raise problems.too_large(self._most)
            return message

        return limited


def _with_nul(scope: Scope) -> str | None:
    """Which part of the address has a NUL: it names nothing, and the database refuses to look for it."""
    if "\0" in scope["path"]:
        return "path"
    return "query" if b"%00" in scope["query_string"] or b"\0" in scope["query_string"] else None


def probes(runtime: Runtime[S], service: Service[S], ready: Readiness) -> APIRouter:
    """What is open to everybody: liveness, readiness, metrics and documents."""
    router = APIRouter(include_in_schema=False)
    asyncapi = documents.asyncapi(service.name, service.title, service.publishes)

    @router.get("/healthz")
    async def healthz() -> Response:
        return JSONResponse({"status": "alive"})

    @router.get("/readyz")
    async def readyz() -> Response:
        missing = await ready()
        return JSONResponse(
            {"status": "waiting" if missing else "ready", "waits_for": missing}, 503 if missing else 200
        )

    @router.get("/metrics")
    async def metrics() -> Response:
        try:
            await runtime.metrics.refresh(runtime.pool)
        except Exception as error:
            if not is_weather(error):
                raise
        return Response(generate_latest(runtime.metrics.registry), media_type="text/plain; version=0.0.4")

    @router.get("/asyncapi.json")
    async def asyncapi_json() -> Response:
        return JSONResponse(asyncapi)

    @router.get("/asyncapi")
    async def asyncapi_page() -> Response:
        return HTMLResponse(documents.asyncapi_page(asyncapi, service.name))

    @router.get("/docs")
    async def openapi_page(request: Request) -> Response:
        return HTMLResponse(documents.openapi_page(request.app.openapi()))

    return router


class _Described(FastAPI):
    """Its refusals refer to the one description of a problem document."""

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document."""
        described = super().openapi()
        described.setdefault("components", {}).setdefault("schemas", {})[problems.SCHEMA] = problems.DOCUMENT
        return described


def routes_only(title: str, routers: Sequence[APIRouter]) -> FastAPI:
    """The service's own routes, for the app and for its OpenAPI document."""
    app = _Described(title=title, version="1", docs_url=None, redoc_url=None, responses=problems.OF_EVERY_ROUTE)
    for router in routers:
        app.include_router(router)
    return app


def build(runtime: Runtime[S], service: Service[S], parts: Parts, ready: Readiness, with_routes: bool) -> ASGIApp:
    """The ASGI app; without `with_routes` (a pure worker) only the probes."""
    routers = service.routers if with_routes else ()
    app = routes_only(service.title, routers)
    problems.install(app)
    app.include_router(probes(runtime, service, ready))
    app.state.runtime = runtime
    for name, value in parts.state.items():
        setattr(app.state, name, value)
    direct = DirectRoutes(app, (route for router in routers for route in router.routes))
    return Edge(app, direct, runtime.metrics, runtime.settings.http_max_body_bytes)
