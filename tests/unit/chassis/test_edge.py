"""The outermost layer of HTTP: bodies that are too large, with and without a length."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from pydantic import BaseModel

from services.chassis import problems
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

    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=Edge(app, Metrics(), max_body_bytes=1000)), base_url="http://toys"
    )


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
