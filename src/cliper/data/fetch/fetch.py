"""`fetch_images`: a dataset's addresses become its pictures."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cliper.data.catalogue import Catalogue
from cliper.data.dataset import Dataset
from cliper.data.fetch.candidates import Candidates
from cliper.data.fetch.network import Resolver
from cliper.data.fetch.outcome import Outcome, Picture
from cliper.data.fetch.report import FetchReport, write_failures
from cliper.data.fetch.run import FetchRun
from cliper.data.fetch.settings import FetchSettings
from cliper.data.fetch.store import FOLDER, PictureStore
from cliper.data.images import TO_FETCH, bring
from cliper.errors import InputError
from cliper.progress import task
from cliper.types import JsonObject

FAILURES = "failures.csv"


def fetch_images(
    dataset: Dataset,
    settings: FetchSettings | None = None,
    resolve: Resolver | None = None,
) -> tuple[Dataset, FetchReport]:
    """Fetch a picture for every item that has addresses and no picture yet.

    Pictures are stored as they come, so a run that was killed goes on where it was. At the end, and
    when it is interrupted, `items.parquet` and `dataset.json` are renewed (each whole or not at
    all) and `fetched/failures.csv` lists every address that gave no picture.

    Args:
        dataset: with a directory.
        settings: limits; polite defaults.
        resolve: host to addresses, for tests; the system's by default.

    Returns:
        The renewed dataset (its hash is another when items got pictures), and what was done.

    Raises:
        InputError: the dataset names no addresses, or another run is fetching for it.
        KeyboardInterrupt: after what was finished has been brought into the dataset.
    """
    settings = settings or FetchSettings()
    catalogue, path = _fetchable(dataset)
    started = time.perf_counter()
    with PictureStore(path / FOLDER).opened() as store:
        known = store.known()
        present = {i: str(n) for i, n in enumerate(catalogue.images) if _is_there(path, n)}
        wanted, fetched_before = _wanted(catalogue.image_urls or (), present, known)
        candidates = Candidates(wanted, known, fetched_before, settings.retry_failed)
        named = sum(bool(own) for own in catalogue.image_urls or ())
        report = FetchReport(named, had_image=named - candidates.unresolved)
        try:
            _run(candidates, store, settings, report, resolve)
        finally:
            dataset = _bring_in(dataset, candidates, report, present)
            report.seconds = time.perf_counter() - started
    return dataset, report


def _fetchable(dataset: Dataset) -> tuple[Catalogue, Path]:
    if dataset.path is None:
        raise InputError("a dataset without a directory has no pictures", remedy="save it first")
    if dataset.catalogue is None or not any(dataset.catalogue.image_urls or ()):
        raise InputError(
            "the dataset names no addresses of pictures",
            where=str(dataset.path),
            remedy="prepare it from a catalogue with http(s) addresses in image, image_url or "
            "image_urls",
        )
    return dataset.catalogue, dataset.path


def _is_there(path: Path, name: str | None) -> bool:
    return name is not None and (path / name).is_file()


def _wanted(
    urls: Sequence[tuple[str, ...]], present: Mapping[int, str], known: Mapping[str, Outcome]
) -> tuple[dict[int, tuple[str, ...]], dict[int, str]]:
    """Items that live from their addresses, and the files of those that were served before.

    An item with a picture of its own, from `prepare`, is none of them.
    """
    wanted: dict[int, tuple[str, ...]] = {}
    before: dict[int, str] = {}
    for item, own in enumerate(urls):
        if not own:
            continue
        if item in present:
            outcomes = (known.get(address) for address in own)
            files = {f"images/{o.file}" for o in outcomes if isinstance(o, Picture)}
            if present[item] not in files:
                continue
            before[item] = present[item].removeprefix("images/")
        wanted[item] = own
    return wanted, before


def _run(
    candidates: Candidates,
    store: PictureStore,
    settings: FetchSettings,
    report: FetchReport,
    resolve: Resolver | None,
) -> None:
    """Fetch with a progress bar; counts reach the report however it ends."""
    with task("fetching images", candidates.unresolved) as bar:
        failed = 0

        def progress(items: int, good: bool) -> None:
            nonlocal failed
            failed += 0 if good else items
            bar.advance(items, f"{failed:,} without" if failed else "")

        run = FetchRun(candidates, store, settings, progress, resolve)
        try:
            asyncio.run(run.run())
        finally:
            report.requests, report.bytes = run.requests, run.bytes


def _bring_in(
    dataset: Dataset, candidates: Candidates, report: FetchReport, present: Mapping[int, str]
) -> Dataset:
    """Link what was fetched into `images/`, renew the dataset's files, write the failures."""
    catalogue, path = _fetchable(dataset)
    (path / "images").mkdir(exist_ok=True)
    fetched = candidates.pictures()
    files = set(fetched.values())
    for file in files:
        bring(path / FOLDER / file, path / "images" / file)
    images = [present.get(item) for item in range(len(catalogue.images))]
    for item, file in fetched.items():
        images[item] = f"images/{file}"
    failures = candidates.failures()
    with_image = sum(
        images[i] is not None for i, own in enumerate(catalogue.image_urls or ()) if own
    )
    missing = report.with_addresses - with_image
    report.fetched = with_image - report.had_image
    report.unfinished = candidates.unresolved
    report.without_image = missing - report.unfinished
    report.count(failures)
    report.failures_file = str(path / FOLDER / FAILURES)
    write_failures(path / FOLDER / FAILURES, dataset.items.ids(), failures, set(fetched))
    about = {
        **dataset.about,
        "changed": _changed(dataset, missing),
        "images": sum(name is not None for name in images),
        "fetched": {"items": with_image, "pictures": len(files), "failures": report.failures},
    }
    catalogue = replace(catalogue, images=tuple(images))
    return replace(dataset, catalogue=catalogue, about=about).save_catalogue()


def _changed(dataset: Dataset, missing: int) -> JsonObject:
    """What `prepare` counted as still to be fetched, brought up to date."""
    changed: JsonObject = {k: dict(v) for k, v in dataset.about.get("changed", {}).items()}
    counts = changed.setdefault("images", {})
    counts.pop(TO_FETCH, None)
    if missing:
        counts[TO_FETCH] = missing
    return changed
