"""Content codings undone within a bound: a small answer must not become a large one."""

import zlib

from cliper.data.fetch.outcome import Cause, FetchError

_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


class Decoder:
    """Takes a body in pieces and gives it back without its coding.

    Args:
        coding: the `Content-Encoding`. None was asked for, but some servers know better.

    Raises:
        FetchError: a coding other than gzip and deflate, or several.
    """

    def __init__(self, coding: str | None) -> None:
        name = (coding or "").strip().lower()
        plain = name in ("", "identity")
        if not plain and name not in _WINDOWS:
            raise FetchError(Cause.BAD_CODING, name[:60])
        self._stream = None if plain else zlib.decompressobj(_WINDOWS[name])

    def feed(self, piece: bytes, room: int) -> bytes:
        """Decode a piece; at most `room` + 1 bytes come out, so that too many are noticed."""
        if self._stream is None:
            return piece
        if self._stream.eof:  # what follows the stream is padding
            return b""
        try:
            return self._stream.decompress(piece, room + 1)
        except zlib.error as error:
            raise FetchError(Cause.BAD_CODING, str(error)) from None

    def end(self) -> None:
        """Say that the body is over.

        Raises:
            FetchError: it is not complete.
        """
        if self._stream is not None and not self._stream.eof:
            raise FetchError(Cause.BAD_CODING, "the compressed body is cut off")
