"""Requests go to the public internet and nowhere else, whatever a name leads to and however an address is written."""

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.outbound import (
    Address,
    Failure,
    OutboundClient,
    Resolve,
    inner,
    is_public,
    private_network,
    refusal,
    refusal_of_url,
)

LOOPBACK = (ip_network("127.0.0.0/8"),)

NOT_GLOBAL = [
    ip_network(text)
    for text in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
        "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24",
        "224.0.0.0/4", "240.0.0.0/4",
        "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16",
        "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
    )
]  # fmt: skip
"""IANA's special-purpose registries for IPv4 and IPv6, and multicast: what the internet does not route to a host."""

WRAPPED = {
    "mapped": lambda v4: IPv6Address((0xFFFF << 32) | int(v4)),
    "nat64": lambda v4: IPv6Address(int(IPv6Address("64:ff9b::")) | int(v4)),
    "6to4": lambda v4: IPv6Address((0x2002 << 112) | (int(v4) << 80) | 1),
}


def in_one_of(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> st.SearchStrategy[Address]:
    return st.integers(0, network.num_addresses - 1).map(lambda offset: network[offset])


addresses = st.one_of(
    st.sampled_from(NOT_GLOBAL).flatmap(in_one_of),
    st.integers(0, 2**32 - 1).map(IPv4Address),
    st.integers(0, 2**128 - 1).map(IPv6Address),
    in_one_of(ip_network("2000::/3")),
)


def expected(address: Address) -> bool:
    """By the registry alone, number by number."""
    if isinstance(address, IPv6Address):
        number = int(address)
        if number >> 32 == 0xFFFF or number >> 32 == int(IPv6Address("64:ff9b::")) >> 32:
            return expected(IPv4Address(number & 0xFFFFFFFF))
        if number >> 112 == 0x2002:
            return expected(IPv4Address((number >> 80) & 0xFFFFFFFF))
        if number >> 125 != 1:
            return False
    return not any(
        network.version == address.version and int(network[0]) <= int(address) <= int(network[-1])
        for network in NOT_GLOBAL
    )


@settings(max_examples=300)
@given(addresses)
def test_an_address_is_public_as_the_registries_say(address: Address) -> None:
    assert is_public(address) == expected(address)


@settings(max_examples=300)
@given(addresses)
def test_nothing_is_public_that_the_standard_library_calls_not_global(address: Address) -> None:
    if is_public(address):
        assert inner(address).is_global


@pytest.mark.parametrize("form", WRAPPED)
@settings(max_examples=300)
@given(st.one_of(st.sampled_from([n for n in NOT_GLOBAL if n.version == 4]).flatmap(in_one_of),
                 st.integers(0, 2**32 - 1).map(IPv4Address)))  # fmt: skip
def test_an_address_in_disguise_is_judged_like_the_one_that_it_stands_for(form: str, v4: IPv4Address) -> None:
    assert is_public(WRAPPED[form](v4)) == is_public(v4)
    assert refusal(WRAPPED[form](v4), 443, True, LOOPBACK) == refusal(v4, 443, True, LOOPBACK)


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::a9fe:a9fe", "2002:a00:1::1", "169.254.169.254",
     "fe80::1%2", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fd00::1", "0.0.0.1", "100.100.100.200"],
)  # fmt: skip
def test_well_known_ways_inward_are_closed(text: str) -> None:
    assert refusal(ip_address(text), 443, True, ()) == "address_not_public"


@pytest.mark.parametrize("text", ["1.1.1.1", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101"])
def test_public_addresses_are_reached_by_https_on_its_port_only(text: str) -> None:
    address = ip_address(text)
    assert refusal(address, 443, True, ()) is None
    assert refusal(address, 8443, True, ()) == "port_not_allowed"
    assert refusal(address, 80, False, LOOPBACK) == "https_needed"


def test_an_opened_network_takes_any_scheme_and_port_and_opens_nothing_else() -> None:
    assert refusal(ip_address("127.0.0.2"), 8080, False, LOOPBACK) is None
    assert refusal(ip_address("::ffff:127.0.0.2"), 22, False, LOOPBACK) is None
    assert refusal(ip_address("::1"), 443, True, LOOPBACK) == "address_not_public"
    assert refusal(ip_address("10.0.0.1"), 443, True, LOOPBACK) == "address_not_public"


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://shop.example/h", None),
        ("https://shop.example:443/h", None),
        ("https://shop.example:8443/h", "port_not_allowed"),
        ("http://shop.example/h", "https_needed"),
        ("https://127.0.0.1/h", "address_not_public"),
        ("https://[::1]/h", "address_not_public"),
        ("https://1.1.1.1/h", None),
    ],
)
def test_what_can_be_seen_from_a_url_is_seen_at_once(url: str, fault: str | None) -> None:
    assert refusal_of_url(url, ()) == fault


def test_a_name_may_lead_to_an_opened_network() -> None:
    assert refusal_of_url("http://shop.test:8080/h", LOOPBACK) is None
    assert refusal_of_url("http://127.0.0.1:8080/h", LOOPBACK) is None
    assert refusal_of_url("http://10.0.0.1:8080/h", LOOPBACK) == "address_not_public"


@pytest.mark.parametrize("text", ["0.0.0.0/0", "::/0", "8.8.8.0/24", "127.0.0.1/8", "shop", "2000::/3", "0.0.0.0/1"])
def test_only_private_networks_can_be_opened(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        private_network(text)


@pytest.mark.parametrize("text", ["127.0.0.0/8", " 10.1.0.0/16", "100.64.0.0/10", "fd00::/8", "::1/128"])
def test_private_networks_are_read(text: str) -> None:
    assert private_network(text) == ip_network(text.strip())


# -- Connections -----------------------------------------------------------------------------------------------


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
    from services.chassis.outbound import resolve

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
