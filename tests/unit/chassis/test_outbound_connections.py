"""A connection goes to the address that was judged, and to no other; a receiver on loopback stands for the world."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_network

import pytest
import trustme

from services.chassis.outbound import Failure, OutboundClient, Resolve, resolve


class Server:
    """Answers every request with `answer` and counts connections; keeps them open until it is told not to."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0
        self.heads: list[str] = []
        self.answer = "204 No Content\r\ncontent-length: 0"
        self.closes = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while not self.closes or not self.heads:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = next(line for line in head.split("\r\n") if line.lower().startswith("content-length"))
                await reader.readexactly(int(length.split(":")[1]))
                self.heads.append(head)
                closing = "\r\nconnection: close" if self.closes else ""
                writer.write(f"HTTP/1.1 {self.answer}{closing}\r\n\r\n".encode())
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    made = Server()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        await server.wait_closed()


class Names:
    """A resolver that says what it is told, one answer after the other; the last one stays."""

    def __init__(self, *answers: Sequence[str] | OSError) -> None:
        self.answers, self.asked = list(answers), 0

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OSError):
            raise answer
        return answer


@asynccontextmanager
async def client(resolve: Resolve, kept_open_s: float = 60) -> AsyncIterator[OutboundClient]:
    made = OutboundClient((ip_network("127.0.0.1/32"),), 60, 50, kept_open_s, resolve)
    try:
        yield made
    finally:
        await made.close()


async def reason(made: OutboundClient, url: str) -> str:
    with pytest.raises(Failure) as failed:
        await made.post(url, b"{}", {})
    return failed.value.reason


async def test_a_name_is_resolved_once_and_its_connection_kept() -> None:
    names = Names(["127.0.0.1"], ["10.0.0.1"])
    async with serving() as server, client(names) as made:
        for _ in range(3):
            assert (await made.post(f"http://shop.test:{server.port}/h?a=1", b"{}", {})).status == 204
        assert (names.asked, server.connections) == (1, 1)
        assert f"host: shop.test:{server.port}\r\n" in server.heads[0].lower()
        assert server.heads[0].startswith("POST /h?a=1 HTTP/1.1\r\n")


async def test_a_name_that_leads_elsewhere_the_next_time_is_judged_again() -> None:
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    async with serving() as server, client(names, kept_open_s=0) as made:
        url = f"http://shop.test:{server.port}/h"
        assert (await made.post(url, b"{}", {})).status == 204
        assert await reason(made, url) == "address_not_public"
        assert (names.asked, server.connections) == (2, 1)


async def test_one_inward_address_among_the_answers_is_enough_to_refuse() -> None:
    async with serving() as server, client(Names(["127.0.0.1", "10.0.0.1"])) as made:
        assert await reason(made, f"http://shop.test:{server.port}/h") == "address_not_public"
        assert server.connections == 0


async def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    networks = (ip_network("127.0.0.0/8"),)
    async with serving() as server:
        made = OutboundClient(networks, 60, 50, 60, Names(["127.0.0.9", "127.0.0.1"]))
        assert (await made.post(f"http://shop.test:{server.port}/h", b"{}", {})).status == 204
        await made.close()


async def test_many_at_once_ask_for_a_name_once_and_use_their_connections_again() -> None:
    names = Names(["127.0.0.1"])
    async with serving() as server, client(names) as made:
        for _ in range(2):
            url = f"http://shop.test:{server.port}/h"
            answers = await asyncio.gather(*(made.post(url, b"{}", {}) for _ in range(50)))
            assert {answer.status for answer in answers} == {204}
        assert (names.asked, server.connections) == (1, 50)


async def test_a_redirect_is_an_answer_and_leads_nowhere() -> None:
    async with serving() as server, client(Names(["127.0.0.1"])) as made:
        server.answer = f"307 Elsewhere\r\nlocation: http://127.0.0.1:{server.port}/other\r\ncontent-length: 0"
        answer = await made.post(f"http://shop.test:{server.port}/h", b"{}", {})
        assert (answer.status, len(server.heads)) == (307, 1)


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://10.0.0.1:3128")
    async with serving() as server, client(Names(["127.0.0.1"])) as made:
        assert (await made.post(f"http://shop.test:{server.port}/h", b"{}", {})).status == 204


@pytest.mark.parametrize("answer", [socket.gaierror("unknown"), [], UnicodeError("label too long")])
async def test_a_name_that_leads_nowhere_is_a_failure(answer: Sequence[str] | OSError) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        if isinstance(answer, Exception):
            raise answer
        return answer

    async with client(resolve) as made:
        assert await reason(made, "https://shop.test/h") == "name_not_resolved"


@pytest.mark.parametrize(
    ("url", "expected"),
    [("https://shop.test/h", "address_not_public"), ("https://127.1/h", "port_not_allowed"),
     ("http://2130706434/h", "address_not_public"), ("http://0x7f.0.0.2/h", "address_not_public")],
)  # fmt: skip
async def test_odd_spellings_of_addresses_are_what_the_system_makes_of_them(url: str, expected: str) -> None:
    """The system's resolver knows them all, and what it says is judged."""

    async def answers(host: str, port: int) -> Sequence[str]:
        return ["10.0.0.1"] if host == "shop.test" else await resolve(host, port)

    async with client(answers) as made:
        if expected == "port_not_allowed":
            assert await reason(made, url) == "connection_failed"  # 127.0.0.1 is open here, and nobody listens
        else:
            assert await reason(made, url) == expected


async def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    released = asyncio.Event()

    async def hang(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await released.wait()
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    made = OutboundClient((ip_network("127.0.0.1/32"),), 0.2, 50, 60, Names(["127.0.0.1"]))
    assert await reason(made, f"http://shop.test:{port}/h") == "timed_out"
    released.set()
    await made.close()
    server.close()
    await server.wait_closed()


async def test_a_resolver_that_says_nothing_is_not_waited_for_and_left_behind() -> None:
    begun = asyncio.Event()

    async def silent(host: str, port: int) -> Sequence[str]:
        begun.set()
        await asyncio.Event().wait()
        return []

    made = OutboundClient((), 0.2, 50, 60, silent)
    assert await reason(made, "https://shop.test/h") == "timed_out"
    assert begun.is_set()
    await made.close()


async def test_the_status_counts_although_the_rest_of_the_answer_never_comes() -> None:
    async def promise_more(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(promise_more, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with client(Names(["127.0.0.1"])) as made:
        assert (await made.post(f"http://shop.test:{port}/h", b"", {})).status == 200
    server.close()
    await server.wait_closed()


async def test_tls_is_for_the_name_and_not_for_the_address() -> None:
    authority, asked = trustme.CA(), list[str | None]()
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("shop.test").configure_cert(inside)
    inside.sni_callback = lambda _, name, __: asked.append(name)
    made = Server()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0, ssl=inside)
    made.port = server.sockets[0].getsockname()[1]
    outside = OutboundClient((ip_network("127.0.0.1/32"),), 60, 50, 60, Names(["127.0.0.1"]), trusted)
    assert (await outside.post(f"https://shop.test:{made.port}/h", b"{}", {})).status == 204
    assert await reason(outside, f"https://other.test:{made.port}/h") == "connection_failed"
    assert asked == ["shop.test", "other.test"]
    assert len(made.heads) == 1
    await outside.close()
    server.close()
    await server.wait_closed()
