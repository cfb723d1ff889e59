"""What the child process does with a picture, as readers for `Meter`."""

from cliper.data.pictures import child
from cliper.data.pictures.process import MAX_MEMORY, MAX_SECONDS

MODULES = ("cliper.data.pictures.child",)
GOOD = "picture"


def by_verification(data: bytes) -> str:
    """As `prepare` and `images` ask for, before a picture is kept."""
    return _read(data, child.ONLY_CHECK)


def by_encoders(data: bytes) -> str:
    """As every encoder asks for: upright RGB, a JPEG reduced as far as 224 pixels allow."""
    return _read(data, 224)


def in_full(data: bytes) -> str:
    """As an encoder that wants every pixel would."""
    return _read(data, 0)


def _read(data: bytes, at_least: int) -> str:
    child.bound_memory(MAX_MEMORY)
    child.bound_time(MAX_SECONDS)
    told, _ = child.read(data, at_least)
    return f"refused: {told['refused']}" if "refused" in told else GOOD
