"""Requests to addresses that others choose: they reach the public internet and nothing else.

A name is resolved once for each new connection; every answer is judged, and the connection goes to an address that was
judged, so that no second look-up can lead it elsewhere. TLS and the Host header keep the name. Redirects are answers
like any other; cookies, and proxies from the environment, do not exist here.

A public address is reached by https on port 443 only. The networks in `private` are for development: there any scheme
and port will do. What counts as public follows the IANA registries of special-purpose addresses (RFC 6890).
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

import httpcore

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses; raises OSError or UnicodeError where there are none."""

MOST_ANSWER_BYTES = 65_536
"""Of an answer; it is read only so that the connection can be used again."""
MOST_TRIED = 4
"""Addresses of one name to which a connection is tried."""
HTTPS_PORT = 443

_GLOBAL_UNICAST = IPv6Network("2000::/3")
_NAT64 = IPv6Network("64:ff9b::/96")
_SPECIAL: tuple[Network, ...] = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2001:db8::/32", "3fff::/20"))
)
"""What some versions of Python take for global: protocol assignments, 6to4 relays, Teredo, documentation."""
_SHARED = IPv4Network("100.64.0.0/10")


class Failure(Exception):
    """Nothing came back; `reason` is a code.

    `timed_out`, `connection_failed`, `name_not_resolved`; and from the guard: `address_not_public`, `https_needed`,
    `port_not_allowed`. `unasked`: there was no connection, so nothing of the request has reached anybody.
    """

    def __init__(self, reason: str, unasked: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.unasked = reason, unasked


@dataclass(frozen=True, slots=True)
class Answer:
    """What the other side said; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]


# -- The rule ------------------------------------------------------------------------------------------------


def inner(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for (v4-mapped, NAT64's own prefix, 6to4), or the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet, in whatever form it is written."""
    meant = inner(address)
    if isinstance(meant, IPv6Address) and (meant not in _GLOBAL_UNICAST or meant.scope_id is not None):
        return False
    special = meant.is_multicast or meant.is_reserved or any(meant in network for network in _SPECIAL)
    return meant.is_global and not special


def refusal(address: Address, port: int, encrypted: bool, private: Iterable[Network]) -> str | None:
    """Why there must be no connection to this address; None where there may be."""
    meant = inner(address)
    if any(meant in network or address in network for network in private):
        return None
    if not is_public(address):
        return "address_not_public"
    if not encrypted:
        return "https_needed"
    return None if port == HTTPS_PORT else "port_not_allowed"


def refusal_of_url(url: str, private: Sequence[Network]) -> str | None:
    """Why a request to this URL would be refused whatever its name leads to; None where that remains to be seen."""
    parts = urlsplit(url)
    encrypted = parts.scheme == "https"
    port = parts.port or (HTTPS_PORT if encrypted else 80)
    with contextlib.suppress(ValueError):
        return refusal(ip_address(parts.hostname or ""), port, encrypted, private)
    if private:
        return None  # the name may lead there
    if not encrypted:
        return "https_needed"
    return None if port == HTTPS_PORT else "port_not_allowed"


def private_network(text: str) -> Network:
    """A network for development, such as 127.0.0.0/8. Raises ValueError where it is none, or has public addresses."""
    network = ip_network(text.strip())
    if not (network.is_private or (isinstance(network, IPv4Network) and network.subnet_of(_SHARED))):
        raise ValueError("only private networks can be opened")
    return network


# -- Connections ---------------------------------------------------------------------------------------------


async def resolve(host: str, port: int) -> list[str]:
    """The system's resolver, off the event loop."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class _Lookups:
    """Who asks for a name while it is being looked up shares the answer; afterwards it is forgotten."""

    def __init__(self, resolve: Resolve) -> None:
        self._resolve = resolve
        self._under_way: dict[tuple[str, int], asyncio.Task[Sequence[str]]] = {}

    async def find(self, host: str, port: int) -> list[Address]:
        """Raises Failure."""
        place = (host, port)
        if place not in self._under_way:
            task = self._under_way[place] = asyncio.ensure_future(self._look_up(host, port))
            task.add_done_callback(lambda done: self._forget(place, done))
        try:
            found = [ip_address(text) for text in await asyncio.shield(self._under_way[place])]
        except (OSError, ValueError):  # UnicodeError, of a label that is too long, is one too
            found = []
        if not found:
            raise Failure("name_not_resolved")
        return found

    async def _look_up(self, host: str, port: int) -> Sequence[str]:
        return await self._resolve(host, port)

    def _forget(self, place: tuple[str, int], done: "asyncio.Task[Sequence[str]]") -> None:
        self._under_way.pop(place, None)
        if not done.cancelled():
            done.exception()  # whoever asked may have given up, and then nobody else looks at it

    async def close(self) -> None:
        """Leaves nothing running."""
        tasks = list(self._under_way.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Guard(httpcore.AsyncNetworkBackend):
    """Opens connections for a pool of httpcore, which names the host; TLS is put on top by the pool, with that name.

    https://www.encode.io/httpcore/network-backends/
    """

    def __init__(self, lookups: _Lookups, private: Sequence[Network], encrypted: bool) -> None:
        self._lookups, self._private, self._encrypted = lookups, private, encrypted
        self._tcp = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = await self._lookups.find(host, port)
        for address in addresses:
            if reason := refusal(address, port, self._encrypted, self._private):
                raise Failure(reason)
        *others, last = addresses[:MOST_TRIED]
        share_s = timeout / (len(others) + 1) if timeout else timeout
        for address in others:
            with contextlib.suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._tcp.connect_tcp(str(address), port, share_s, local_address, socket_options)
        return await self._tcp.connect_tcp(str(last), port, share_s, local_address, socket_options)

    async def sleep(self, seconds: float) -> None:
        await self._tcp.sleep(seconds)


class OutboundClient:
    """Asks URLs that others have chosen, over connections that are kept for a while. To be closed at the end."""

    def __init__(
        self,
        private: Sequence[Network],
        timeout_s: float,
        most_kept: int,
        kept_open_s: float,
        resolve: Resolve = resolve,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """`timeout_s` is for a whole request; `tls` are the certificates to trust, the usual ones unless given."""
        self._timeout_s = timeout_s
        self._lookups = _Lookups(resolve)
        context = tls or httpcore.default_ssl_context()  # made once: to read certificates takes longer than to post

        def pool(encrypted: bool) -> httpcore.AsyncConnectionPool:
            return httpcore.AsyncConnectionPool(
                ssl_context=context,
                max_connections=None,
                max_keepalive_connections=most_kept,
                keepalive_expiry=kept_open_s,
                network_backend=_Guard(self._lookups, private, encrypted),
            )

        self._plain, self._encrypted = pool(encrypted=False), pool(encrypted=True)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """The answer, as soon as its status is known; of its body nothing is kept. Raises Failure."""
        answer: Answer | None = None
        try:
            async with self._asked("POST", url, headers, body) as response:
                answer = _answer(response)
                await _read_some(response)
        except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
            timed_out = isinstance(error, httpcore.ConnectTimeout)
            raise Failure("timed_out" if timed_out else "connection_failed") from None
        except (TimeoutError, httpcore.TimeoutException):
            return _unless(answer, "timed_out")
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            return _unless(answer, "connection_failed")
        return answer

    async def get(self, url: str, headers: Mapping[str, str], most_bytes: int) -> tuple[Answer, bytes | None]:
        """The answer and its body; None instead of a body of more than `most_bytes`. Raises Failure."""
        try:
            async with self._asked("GET", url, headers) as response:
                return _answer(response), await _read_all(response, most_bytes)
        except (TimeoutError, httpcore.TimeoutException):
            raise Failure("timed_out") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError):
            raise Failure("connection_failed") from None

    @contextlib.asynccontextmanager
    async def _asked(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None = None
    ) -> AsyncIterator[httpcore.Response]:
        target = httpcore.URL(url)
        pool = self._encrypted if target.scheme == b"https" else self._plain
        named = [("host", urlsplit(url).netloc), *headers.items()]
        limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), self._timeout_s)}
        async with (
            asyncio.timeout(self._timeout_s),
            pool.stream(method, target, headers=named, content=body, extensions=limits) as response,
        ):
            yield response

    async def close(self) -> None:
        """Closes the connections that are kept open."""
        await self._lookups.close()
        await self._plain.aclose()
        await self._encrypted.aclose()


def _answer(response: httpcore.Response) -> Answer:
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
    return Answer(response.status, headers)


def _unless(answer: Answer | None, reason: str) -> Answer:
    """Once there was a status, what becomes of the rest of the answer changes nothing."""
    if answer is None:
        raise Failure(reason, unasked=False) from None
    return answer


async def _read_some(response: httpcore.Response) -> None:
    seen = 0
    async for chunk in response.aiter_stream():
        seen += len(chunk)
        if seen > MOST_ANSWER_BYTES:
            return


async def _read_all(response: httpcore.Response, most_bytes: int) -> bytes | None:
    parts, seen = [], 0
    async for chunk in response.aiter_stream():
        parts.append(chunk)
        seen += len(chunk)
        if seen > most_bytes:
            return None
    return b"".join(parts)
