import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliper.data.fetch.public import why_not_public

# From IANA's IPv4 and IPv6 special-purpose address registries, the multicast registries, and the
# documentation of the clouds' metadata services.
REFUSED = {
    "0.0.0.0": "this network",
    "10.0.0.1": "private",
    "100.64.0.1": "shared with a carrier's NAT",
    "100.100.100.200": "shared with a carrier's NAT",  # a cloud's metadata
    "100.127.255.255": "shared with a carrier's NAT",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "a cloud's own service",
    "169.254.169.254": "link-local",  # most clouds' metadata
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.192": "protocol assignments",  # a cloud's metadata
    "192.0.2.1": "documentation",
    "192.88.99.1": "a 6to4 relay",
    "192.168.1.1": "private",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.7": "documentation",
    "203.0.113.7": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.255": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "reserved",
    "::": "reserved",
    "::1": "loopback",
    "::7f00:1": "reserved",  # IPv4-compatible 127.0.0.1
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "::ffff:169.254.169.254": "link-local",
    "64:ff9b::10.0.0.1": "private",
    "64:ff9b::169.254.169.254": "link-local",
    "64:ff9b:1::8.8.8.8": "reserved",  # NAT64 of a local network
    "100::1": "reserved",
    "2001::1": "protocol assignments",  # Teredo
    "2001:db8::1": "documentation",
    "2002:a00:1::1": "6to4",
    "2002:808:808::1": "6to4",
    "3fff::1": "documentation",
    "5f00::1": "reserved",
    "fc00::1": "private",
    "fd00:ec2::254": "private",  # a cloud's metadata
    "fe80::1": "link-local",
    "fe80::1%eth0": "link-local",
    "fec0::1": "site-local",
    "ff02::1": "multicast",
    "localhost": "no address",
    "": "no address",
}
PUBLIC = [
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "169.253.255.255",
    "223.255.255.255",
    "2606:4700::1111",
    "2001:4860:4860::8888",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize("address", REFUSED)
def test_refused(address: str) -> None:
    assert why_not_public(address) == REFUSED[address]


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert why_not_public(address) is None


@given(st.ip_addresses(v=4) | st.ip_addresses(v=6))
def test_nothing_passes_that_python_calls_special(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    if why_not_public(str(address)) is None:
        assert address.is_global
        assert not (address.is_private or address.is_multicast or address.is_link_local)
        assert not (address.is_loopback or address.is_unspecified)
        assert not (isinstance(address, ipaddress.IPv4Address) and address.is_reserved)


@given(st.ip_addresses(v=4))
def test_an_embedded_address_is_judged_like_the_plain_one(address: ipaddress.IPv4Address) -> None:
    plain = why_not_public(str(address))
    assert why_not_public(f"::ffff:{address}") == plain
    assert why_not_public(f"64:ff9b::{address}") == plain
