"""Which connections are made, with a resolver that answers whatever a test wants."""

import asyncio
import socket
from collections.abc import Sequence

import httpcore2
import pytest

from cliper.data.fetch.network import GuardedNetwork, SystemResolver
from cliper.data.fetch.outcome import Cause, FetchError


class Recorder(httpcore2.AsyncNetworkBackend):
    """Connects to nothing and notes where to."""

    def __init__(self, unreachable: Sequence[str] = ()) -> None:
        self.to: list[str] = []
        self._unreachable = unreachable

    async def connect_tcp(self, host, port, timeout=None, local_address=None, socket_options=None):
        self.to.append(host)
        if host in self._unreachable:
            raise httpcore2.ConnectError("nobody there")
        return httpcore2.AsyncMockStream([])


def connect(answers: list[str], host: str = "shop.example", allowed=(), unreachable=()):
    recorder = Recorder(unreachable)

    async def resolve(name: str, port: int) -> list[str]:
        assert (name, port) == (host, 80)
        return list(answers)

    network = GuardedNetwork(resolve, allowed, recorder)
    try:
        asyncio.run(network.connect_tcp(host, 80, timeout=1.0))
    except FetchError as error:
        return error.failure.cause, recorder.to
    return None, recorder.to


@pytest.mark.parametrize(
    "answers",
    [
        ["127.0.0.1"],
        ["10.1.2.3"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a9fe:a9fe"],
        ["fd00:ec2::254"],
        ["100.100.100.200"],
        ["8.8.8.8", "10.0.0.1"],
        ["10.0.0.1", "8.8.8.8"],
        ["2606:4700::1111", "fe80::1%eth0"],
        ["nonsense"],
    ],
)
def test_a_name_with_an_address_that_is_not_public_is_not_connected_to(answers: list[str]) -> None:
    assert connect(answers) == (Cause.REFUSED_ADDRESS, [])


def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    assert connect(["8.8.8.8", "2606:4700::1111"]) == (None, ["8.8.8.8"])


def test_the_next_address_is_tried_where_one_does_not_answer() -> None:
    assert connect(["8.8.8.8", "8.8.4.4"], unreachable=["8.8.8.8"]) == (
        None,
        ["8.8.8.8", "8.8.4.4"],
    )
    with pytest.raises(httpcore2.ConnectError):
        connect(["8.8.8.8", "8.8.4.4"], unreachable=["8.8.8.8", "8.8.4.4"])


def test_a_name_is_resolved_once_so_a_second_answer_changes_nothing() -> None:
    recorder, asked = Recorder(), []

    async def rebinding(name: str, port: int) -> list[str]:
        asked.append(name)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    async def twice() -> None:
        network = GuardedNetwork(rebinding, (), recorder)
        await network.connect_tcp("shop.example", 80)
        with pytest.raises(FetchError):
            await network.connect_tcp("shop.example", 80)

    asyncio.run(twice())
    assert recorder.to == ["8.8.8.8"]
    assert len(asked) == 2


def test_only_the_named_host_is_allowed() -> None:
    assert connect(["127.0.0.1"], host="localhost", allowed=["localhost"]) == (None, ["127.0.0.1"])
    assert connect(["127.0.0.1"], host="127.0.0.1", allowed=["localhost"])[0] is not None
    assert connect(["127.0.0.1"], host="x.localhost", allowed=["localhost"])[0] is not None


def test_names_without_an_address() -> None:
    assert connect([]) == (Cause.UNKNOWN_HOST, [])

    async def failing(name: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def slow(name: str, port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    for resolve in (failing, slow):
        network = GuardedNetwork(resolve, (), Recorder())
        with pytest.raises(FetchError) as caught:
            asyncio.run(network.connect_tcp("shop.example", 80, timeout=0.05))
        assert caught.value.failure.cause is Cause.UNKNOWN_HOST
        assert caught.value.failure.again == "later"


def test_no_unix_sockets() -> None:
    network = GuardedNetwork(SystemResolver(), ["localhost"])
    with pytest.raises(FetchError):
        asyncio.run(network.connect_unix_socket("/run/x.sock"))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "localhost"])
def test_the_system_resolves_every_spelling_of_this_machine_to_itself(host: str) -> None:
    network = GuardedNetwork(SystemResolver(), (), Recorder())
    with pytest.raises(FetchError) as caught:
        asyncio.run(network.connect_tcp(host, 80, timeout=5.0))
    assert caught.value.failure.cause is Cause.REFUSED_ADDRESS
