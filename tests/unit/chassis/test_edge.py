"""The outermost layer of HTTP: bodies that are too large, with and without a length, and addresses of nothing."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel

from services.chassis import problems
from services.chassis.direct import DirectRoute, DirectRoutes
from services.chassis.http import Edge
from services.chassis.ledger import EventTooLarge
from services.chassis.metrics import Metrics


class Toy(BaseModel):
    name: str


def client() -> httpx.AsyncClient:
    app = FastAPI()
    problems.install(app)

    @app.post("/toys")
    async def make(toy: Toy) -> str:
        if toy.name == "too much":
            raise EventTooLarge("toys.toy_made.v1 has 262145 bytes; the most is 262144")
        return toy.name

    router = APIRouter(route_class=DirectRoute)

    @router.put("/toys/{name}")
    async def take(request: Request, name: str) -> Response:
        if name == "broken":
            raise ValueError("out of order")
        if name == "away":
            raise ConnectionError("gone")
        return Response(f"{name} {len(await request.body())}")

    app.include_router(router)
    edge = Edge(app, DirectRoutes(app, router.routes), Metrics(), max_body_bytes=1000)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=edge), base_url="http://toys")


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(body), 100):
        yield body[at : at + 100]


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_as_such(chunked: bool) -> None:
    body = b'{"name": "' + b"x" * 2000 + b'"}'
    async with client() as http:
        answer = await http.post("/toys", content=in_pieces(body) if chunked else body)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:cho-phien:problem:too-large"


async def test_what_one_event_cannot_tell_is_refused_for_good_and_not_to_be_sent_again() -> None:
    async with client() as http:
        answer = await http.post("/toys", json={"name": "too much"})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:cho-phien:problem:too-much"


async def test_a_direct_route_answers_and_its_refusals_are_problem_documents() -> None:
    async with client() as http:
        answers = {name: await http.put(f"/toys/{name}", content=b"abc") for name in ("doll", "broken", "away")}
        assert (answers["doll"].status_code, answers["doll"].text) == (200, "doll 3")
        assert {name: answers[name].status_code for name in ("broken", "away")} == {"broken": 500, "away": 503}
        assert answers["broken"].headers["content-type"] == problems.MEDIA_TYPE
        assert "out of order" not in answers["broken"].text
        assert (await http.put("/toys/doll", content=b"x" * 1001)).status_code == 413
        assert (await http.put("/toys/doll", content=in_pieces(b"x" * 1001))).status_code == 413
        assert (await http.get("/toys/doll")).status_code == 405


@pytest.mark.parametrize(("address", "place"), [("/toys/a%00b", "path"), ("/toys/doll?q=a%00", "query")])
async def test_a_nul_in_an_address_is_refused_before_a_database_is_asked_for_it(address: str, place: str) -> None:
    async with client() as http:
        answer = await http.put(address)
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json()["errors"]] == [place]
