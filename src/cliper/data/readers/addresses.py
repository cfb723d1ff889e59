"""Where an item's pictures are: a path on this machine, or addresses to fetch them from."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from cliper.data.catalogue import FieldValue
from cliper.data.ledger import Ledger
from cliper.data.readers.fields import FieldColumn

ADDRESS_COLUMNS = ("image_urls", "image_url")
MAX_ADDRESS = 4_096  # longer ones were cut or hold a picture instead of naming one


def is_address(value: str) -> bool:
    """Whether a value is an http or https address with a host.

    >>> is_address("HTTPS://example.org/a.jpg"), is_address("a.jpg"), is_address("http:///a.jpg")
    (True, False, False)
    """
    if not value[:8].lower().startswith(("http://", "https://")) or len(value) > MAX_ADDRESS:
        return False
    try:
        return bool(urlsplit(value).hostname)
    except ValueError:
        return False


def local_paths(value: FieldValue) -> list[str]:
    """The image paths of one item, each once: what is no address.

    >>> local_paths(["a.jpg", "https://example.org/b.jpg", "c.jpg", "a.jpg"])
    ['a.jpg', 'c.jpg']
    """
    return list(dict.fromkeys(one for one in _listed(value) if not _looks_like_address(one)))


def addresses(
    image: FieldColumn | None, others: Sequence[FieldColumn], ids: Sequence[str], ledger: Ledger
) -> list[tuple[str, ...]] | None:
    """The addresses of n items' pictures, in the order of the columns, each once.

    What is no address is dropped and counted; in the column `image` only what looks like one,
    since the rest are paths.

    Args:
        image: the column `image`, if there is one.
        others: columns that hold nothing but addresses.
        ids: the n item ids, for samples.
        ledger: counts what is no address.

    Returns:
        n tuples, or None where no item has an address.
    """
    columns = [column for column in (image, *others) if column is not None]
    if not columns:
        return None
    found: list[dict[str, None]] = [{} for _ in ids]
    for column in columns:
        for row, value in enumerate(column.values):
            for one in _listed(value):
                if is_address(one):
                    found[row][one] = None
                elif column is not image or _looks_like_address(one):
                    ledger.drop("images", "not an http(s) address", 1, [f"item {ids[row]}: {one}"])
    return [tuple(one) for one in found] if any(found) else None


def _listed(value: FieldValue) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _looks_like_address(value: str) -> bool:
    return value[:6].lower().startswith(("http:", "https:"))
