"""Requests go to the public internet and nowhere else, whatever a name leads to and however an address is written."""

import ipaddress
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.chassis.outbound import (
    Address,
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
