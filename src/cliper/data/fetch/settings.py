"""`FetchSettings`: how hard, how politely and how much."""

from pydantic import Field, field_validator

from cliper.config import StrictConfig
from cliper.data.pictures import MAX_BYTES


class FetchSettings(StrictConfig):
    """Limits of one run of `cliper images`.

    Attributes:
        concurrency: requests under way at once, over all hosts.
        per_host: of them, to one host.
        rate: requests that start per second, to one host.
        retries: repetitions after a passing failure.
        connect_timeout: seconds for resolving and connecting.
        read_timeout: seconds without a byte.
        total_timeout: seconds for one try, from its start to the last byte, redirects included.
        backoff: the longest wait before the first repetition, seconds; it doubles each time.
        longest_wait: no wait is longer, seconds; a host that asks for more is left for next time.
        max_bytes: of one picture, as sent and after undoing a content coding.
        max_redirects: hops.
        give_up_after: silent tries in a row (no name, no connection, no answer in time) after
            which a host is left for next time.
        allowed_hosts: hosts that may be anywhere, loopback and private networks included.
        retry_failed: also try what failed for good before.
        user_agent: who asks.
        seed: of the back-off's jitter.
    """

    concurrency: int = Field(32, ge=1, le=1_000)
    per_host: int = Field(4, ge=1, le=100)
    rate: float = Field(10.0, gt=0, le=100_000)
    retries: int = Field(3, ge=0, le=20)
    connect_timeout: float = Field(10.0, gt=0, le=600)
    read_timeout: float = Field(20.0, gt=0, le=600)
    total_timeout: float = Field(60.0, gt=0, le=3_600)
    backoff: float = Field(1.0, ge=0, le=600)
    longest_wait: float = Field(120.0, ge=0, le=3_600)
    max_bytes: int = Field(20_000_000, ge=1, le=MAX_BYTES)
    max_redirects: int = Field(5, ge=0, le=20)
    give_up_after: int = Field(20, ge=1, le=1_000_000)
    allowed_hosts: tuple[str, ...] = Field((), strict=False)  # a list in YAML
    retry_failed: bool = False
    user_agent: str = Field("cliper", min_length=1, max_length=200)
    seed: int = 0

    @field_validator("allowed_hosts")
    @classmethod
    def _plain_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        plain = tuple(host.strip().strip("[]").lower() for host in hosts)
        for host in plain:
            if not host or any(c in host for c in "/@ *") or "://" in host:
                raise ValueError("a host is a name or an address, without scheme, port or path")
        return plain

    @field_validator("user_agent")
    @classmethod
    def _one_line(cls, text: str) -> str:
        if not text.isascii() or not text.isprintable():
            raise ValueError("a user agent is printable ASCII")
        return text
