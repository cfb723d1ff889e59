"""The exception tree: what a caller may want to tell apart."""

MOST = 1000
"""Characters of each part of a message: values of strangers are quoted in it."""


class CliperError(Exception):
    """Base of every error that cliper raises on purpose."""


class InputError(CliperError):
    """The user's input is wrong; the message says what, where, and what would be right.

    Commands print it as one line and exit with status 2.

    >>> str(InputError("no column 'item_id'", where="items.csv", remedy="rename one to item_id"))
    "items.csv: no column 'item_id' (rename one to item_id)"
    """

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        what, where, remedy = _line(what), _line(where or ""), _line(remedy or "")
        text = f"{where}: {what}" if where else what
        super().__init__(f"{text} ({remedy})" if remedy else text)


class MismatchError(CliperError):
    """Two containers were joined that speak of different users or items."""


def first_line(error: BaseException) -> str:
    """What another library's error says first; its kind where it says nothing.

    >>> first_line(ValueError("no such key\\nin line 3")), first_line(KeyError())
    ('no such key', 'KeyError')
    """
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _line(text: str) -> str:
    """One line of bounded length, whatever it was made of."""
    line = " ".join(text.splitlines())
    return line if len(line) <= MOST else f"{line[:MOST]}…"
