"""The common base of the local providers: it serves, records and makes the trouble that it was told to make."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.providers import Arrived, Provider, Trouble, serve


class Letterbox(Provider):
    def routes(self) -> Sequence[Route]:
        return [Route("/put", self.put, methods=["POST"]), Route("/other", self.put, methods=["POST"])]

    def refusal(self, status: int, code: int | str | None) -> Response:
        return JSONResponse({"code": code}, status)

    async def put(self, request: Request) -> Response:
        text = (await request.body()).decode()
        self.arrived.append(Arrived("nhà", text, str(len(self.arrived))))
        return JSONResponse({"code": 0})


@dataclass
class Street:
    letterbox: Letterbox
    client: httpx.AsyncClient

    async def put(self, text: str, path: str = "/put") -> httpx.Response:
        return await self.client.post(path, content=text.encode())

    @property
    def texts(self) -> list[str]:
        return [one.text for one in self.letterbox.to("nhà")]


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    letterbox = Letterbox()
    async with (
        serve(letterbox.app) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=0.5) as client,
    ):
        yield Street(letterbox, client)


async def test_what_arrives_is_recorded(street: Street) -> None:
    assert (await street.put("thư")).json() == {"code": 0}
    assert street.texts == ["thư"]
    assert street.letterbox.to("other") == []


async def test_the_next_requests_fail_as_scripted_and_take_nothing(street: Street) -> None:
    street.letterbox.fail_next(2, "full", status=503)
    answers = [await street.put(str(number)) for number in range(3)]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (503, "full"),
        (503, "full"),
        (200, 0),
    ]
    assert street.texts == ["2"]


async def test_trouble_of_one_path_spares_the_others(street: Street) -> None:
    street.letterbox.fail_next(1, "full", path="/put")
    assert (await street.put("thư", "/other")).json() == {"code": 0}
    assert (await street.put("thư", "/put")).json() == {"code": "full"}


async def test_a_connection_breaks_before_or_after_the_request_is_taken(street: Street) -> None:
    street.letterbox.troubles += [Trouble(drop=True), Trouble(drop=True, taken=True)]
    for text in ("lost", "taken"):
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await street.put(text)
    assert street.texts == ["taken"]


async def test_a_request_hangs_until_its_sender_is_tired_of_it(street: Street) -> None:
    street.letterbox.troubles += [Trouble(hang=True), Trouble(hang=True, taken=True)]
    for text in ("lost", "taken"):
        with pytest.raises(httpx.ReadTimeout):
            await street.put(text)
    assert street.texts == ["taken"]
    assert street.letterbox.hanging.is_set()
    assert (await street.put("after")).json() == {"code": 0}


async def test_a_server_is_started_again_on_its_port() -> None:
    async with serve(Letterbox().app) as url:
        pass
    async with serve(Letterbox().app, int(url.rsplit(":", 1)[1])) as again:
        assert again == url
