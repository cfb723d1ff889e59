"""`prepare amazon`: the official files of one category become a dataset directory."""

from pathlib import Path

from cliper.data.assemble import Filters, Pictures, assemble
from cliper.data.dataset import Dataset
from cliper.data.directory import check_replaceable
from cliper.data.ledger import Ledger
from cliper.data.sources.amazon.files import MAX_BYTES, fetch, find, present
from cliper.data.sources.amazon.items import amazon_items
from cliper.data.sources.amazon.logs import amazon_log
from cliper.data.sources.amazon.releases import LOG_KINDS, LogKind, release
from cliper.data.sources.amazon.table_1 import compare_with_table_1
from cliper.errors import InputError


def prepare_amazon(
    year: int,
    category: str,
    source: Path | str,
    out: Path,
    *,
    log: LogKind | None = None,
    images: Path | None = None,
    min_rating: float | None = None,
    k_core: int = 5,
    keep_unbought: bool = False,
    name: str | None = None,
    downloads: Path | None = None,
    max_bytes: int = MAX_BYTES,
) -> Dataset:
    """Read a category's metadata and its ratings or reviews, and write a dataset directory.

    Fields: `title`, `brand`, `categories`, `description`, `price`, `features`; addresses of
    pictures become the catalogue's `image_urls`. Where the paper's Table 1 has the data set, the
    counts are compared and `about["notes"]` says so.

    Args:
        year: of the release: 2014, 2018 or 2023.
        category: as in file names, or nearly so (`baby`, `sports & outdoors`).
        source: a folder with the files, or the http(s) address of one: the files are then
            fetched.
        out: the dataset directory; an earlier dataset there is replaced.
        log: `5-core`, `ratings` or `reviews`; by default the first of these that is there.
        images: a folder of pictures called after the item.
        min_rating, k_core, keep_unbought: see `Filters`.
        name: for people; by default the directory's name.
        downloads: where fetched files are kept; by default `downloads/` beside `out`.
        max_bytes: larger files are not fetched.

    Raises:
        InputError: an unknown category, a missing or damaged file, nothing left.
    """
    out = Path(out)
    check_replaceable(out)
    found_release = release(year)
    if log is not None and log not in LOG_KINDS:
        raise InputError(f"no log {log!r}", where="--log", remedy=", ".join(LOG_KINDS))
    filters = Filters(min_rating, k_core, keep_unbought)
    address = str(source) if _is_address(str(source)) else None
    if address is None:
        if not Path(source).is_dir():
            raise InputError(
                "no such folder",
                where=str(source),
                remedy=f"name one, or an address such as {found_release.address}",
            )
        category = found_release.category(category, present(found_release, Path(source)))
        files = find(found_release, category, Path(source), log)
    else:
        from cliper.data.sources.download import Downloads  # nobody else needs an HTTP client

        category = found_release.category(category)
        kept = Downloads(downloads or out.resolve().parent / "downloads", max_bytes)
        files = fetch(found_release, category, address, log, kept)
    ledger = Ledger()
    return assemble(
        amazon_items(files.meta, found_release, ledger),
        amazon_log(files.log, found_release, ledger),
        out,
        filters,
        ledger=ledger,
        pictures=None if images is None else Pictures(Path(images), by_name=True),
        name=name,
        options={"year": year, "category": category, "log": files.kind},
        remarks=lambda left: compare_with_table_1(found_release.year, category, filters, left),
    )


def _is_address(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))
