"""Which network addresses count as public: the rest are never connected to unasked.

The tables are IANA's special-purpose registries (RFC 6890 and what was added since). IPv6 is told
the other way round: only what is handed out as global unicast (2000::/3) can be public.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_NOT_PUBLIC_4 = [
    (ipaddress.IPv4Network(network), what)
    for network, what in (
        ("0.0.0.0/8", "this network"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared with a carrier's NAT"),
        ("127.0.0.0/8", "loopback"),
        ("168.63.129.16/32", "a cloud's own service"),  # Azure's, though in a public range
        ("169.254.0.0/16", "link-local"),  # and the metadata service of most clouds
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "protocol assignments"),
        ("192.0.2.0/24", "documentation"),
        ("192.88.99.0/24", "a 6to4 relay"),
        ("192.168.0.0/16", "private"),
        ("198.18.0.0/15", "benchmarking"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
]
_NOT_PUBLIC_6 = [
    (ipaddress.IPv6Network(network), what)
    for network, what in (
        ("::1/128", "loopback"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("ff00::/8", "multicast"),
        ("2001::/23", "protocol assignments"),  # Teredo among them
        ("2001:db8::/32", "documentation"),
        ("2002::/16", "6to4"),
        ("3fff::/20", "documentation"),
    )
]
_GLOBAL_6 = ipaddress.IPv6Network("2000::/3")
# An IPv4 address in the last 32 bits: mapped, and translated by NAT64 (RFC 6052).
_CARRIES_IPV4 = (ipaddress.IPv6Network("::ffff:0:0/96"), ipaddress.IPv6Network("64:ff9b::/96"))


def why_not_public(text: str) -> str | None:
    """What kind of address this is when it is not a public one, else None.

    >>> why_not_public("169.254.169.254"), why_not_public("::ffff:10.0.0.1")
    ('link-local', 'private')
    >>> why_not_public("8.8.8.8") is None
    True

    Args:
        text: an IPv4 or IPv6 address, as a resolver gives it.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return "no address"
    if isinstance(address, ipaddress.IPv6Address):
        if address.scope_id is not None:
            return "link-local"
        if not any(address in network for network in _CARRIES_IPV4):
            return _kind_6(address)
        address = ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    kind = next((what for network, what in _NOT_PUBLIC_4 if address in network), None)
    return kind or _second_opinion(address)


def _kind_6(address: ipaddress.IPv6Address) -> str | None:
    kind = next((what for network, what in _NOT_PUBLIC_6 if address in network), None)
    if kind is None and address not in _GLOBAL_6:
        return "reserved"
    return kind or _second_opinion(address)


def _second_opinion(address: Address) -> str | None:
    """Python's own table, for what is registered after this one was written."""
    return None if address.is_global and not address.is_multicast else "reserved"
