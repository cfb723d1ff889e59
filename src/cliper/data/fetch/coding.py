"""Content codings undone within a bound: a small answer must not become a large one."""

import zlib
from typing import Protocol

from cliper.data.fetch.outcome import Cause, FetchError


class Decoder(Protocol):
    """Takes a body in pieces and gives it back without its coding."""

    def feed(self, piece: bytes, room: int) -> bytes:
        """Decode a piece; at most `room` + 1 bytes come out, so that too many are noticed."""
        ...

    def end(self) -> None:
        """Say that the body is over.

        Raises:
            FetchError: it is not complete.
        """
        ...


def decoder_for(coding: str | None) -> Decoder:
    """The decoder of a `Content-Encoding`. None was asked for, but some servers know better.

    Raises:
        FetchError: a coding other than gzip and deflate, or several.
    """
    name = (coding or "").strip().lower()
    if name in ("", "identity"):
        return _Identity()
    if name in ("gzip", "x-gzip"):
        return _Inflate(16 + zlib.MAX_WBITS)
    if name == "deflate":
        return _Inflate(zlib.MAX_WBITS)
    raise FetchError(Cause.BAD_CODING, name[:60])


class _Identity:
    def feed(self, piece: bytes, room: int) -> bytes:
        return piece

    def end(self) -> None:
        return None


class _Inflate:
    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)

    def feed(self, piece: bytes, room: int) -> bytes:
        if self._stream.eof:  # what follows the stream is padding
            return b""
        try:
            return self._stream.decompress(piece, room + 1)
        except zlib.error as error:
            raise FetchError(Cause.BAD_CODING, str(error)) from None

    def end(self) -> None:
        if not self._stream.eof:
            raise FetchError(Cause.BAD_CODING, "the compressed body is cut off")
