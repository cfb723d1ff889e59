"""Encoding under Ray Data: Parquet files of chunks, a pool of actors, rows into the store.

Ray schedules, restarts what dies and repeats its chunks. Nothing else is asked of it: what a
worker makes goes to the store and not through Ray, and what the store holds is not asked for
again, so a job that is killed goes on where it was.
"""

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Any

from cliper import progress
from cliper.encoders.content import GRAPHS, Content
from cliper.encoders.distributed.report import DistributedReport
from cliper.encoders.distributed.work import EncodingChunk, chunks_of, write_work
from cliper.encoders.distributed.worker import ChunkWorker, Job
from cliper.encoders.encode_fill import missing_images, missing_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.encode_texts import open_rows
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError

_SPARE = 1  # for Ray's own tasks beside the actors
_LOCAL_BYTES = 512 * 2**20  # of a local Ray's object store


def encode_on_ray(
    content: Content,
    settings: EncoderSettings,
    *,
    workers: int = 2,
    address: str | None = None,
    gpus_each: float = 0.0,
) -> DistributedReport:
    """Fill a dataset's store with what it lacks (`first` of `encode_dataset`).

    The rows are those of a single process: to the byte where the workers compute with as many
    threads as it does (Ray gives an actor one), else up to rounding, about 1e-6.

    Args:
        content: of a dataset in a directory that every worker sees under the same path.
        settings: of the encoder; its weights, too, lie where every worker sees them.
        workers: processes that hold the encoder.
        address: of a running cluster, e.g. `auto` or `ray://head:10001`; None starts Ray here.
        gpus_each: share of a GPU that each worker takes; use `device="cuda"` with it.

    Raises:
        InputError: Ray is not installed or not reached, a worker cannot make the encoder.
    """
    started = perf_counter()
    root = content.root.resolve()
    weights = None if settings.weights is None else settings.weights.resolve()
    settings = settings.model_copy(update={"graphs": root / GRAPHS, "weights": weights})
    rows = open_rows(root, settings)
    keys, local = content.keys.ravel(), EncodeReport(settings.name)
    texts = missing_texts(rows.text_rows, keys, local)
    images = missing_images(rows.image_rows, rows.failed, content.image, local)
    report = DistributedReport()
    if texts or images:
        job: Job = {
            "root": str(root),
            "encoder": settings,
            "folder": str(rows.text_rows.folder),
        }

        def chunks() -> Iterator[EncodingChunk]:
            path_at = content.path_at
            yield from chunks_of("text", texts, keys, content.text_at)
            yield from chunks_of(
                "image", images, content.image, lambda i: str(path_at(i).resolve())
            )

        del rows  # the networks are the workers' business from here on
        root.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=".work-", dir=root))
        try:
            count = len(texts) + len(images)
            files = write_work(work, chunks(), count, workers)
            total = sum(map(len, texts)) + sum(map(len, images))
            with _cluster(address, workers), progress.task("encode on Ray", total=total) as bar:
                for done in _run(files, job, min(workers, len(files)), gpus_each):
                    _count(report, done)
                    bar.advance(done["texts"] + done["images"] + done["unusable"])
        finally:
            shutil.rmtree(work, ignore_errors=True)
    report.seconds = perf_counter() - started
    return report


def _run(files: list[Path], job: Job, workers: int, gpus_each: float) -> Iterator[dict[str, Any]]:
    import ray.data

    # The workers read the files: Ray's own reader would list and sample them first.
    names = [{"file": str(path)} for path in files]
    counts = ray.data.from_items(names, override_num_blocks=len(names)).map_batches(
        ChunkWorker,
        batch_size=1,
        batch_format="pyarrow",
        fn_constructor_args=(job,),
        compute=ray.data.ActorPoolStrategy(size=workers),
        num_cpus=1,
        num_gpus=gpus_each,
    )
    for row in counts.iter_rows():
        if row["error"]:
            raise InputError(row["error"])
        yield row


def _count(report: DistributedReport, done: Mapping[str, Any]) -> None:
    report.texts += done["texts"]
    report.images += done["images"]
    report.unusable_images += done["unusable"]
    report.truncated_texts += done["truncated"]
    report.chunks += not done["skipped"]
    report.skipped_chunks += done["skipped"]
    report.workers.add(done["worker"])
    report.worker_seconds += done["seconds"]


@contextmanager
def _cluster(address: str | None, workers: int) -> Iterator[None]:
    """A running cluster, or one of this machine's processes that ends with the block."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unasked
    try:
        import ray
        import ray.data
    except ImportError:
        raise InputError(
            "Ray is not installed", where="--engine ray", remedy="pip install 'cliper[ray]'"
        ) from None
    here: dict[str, Any] = {"address": address}
    if address is None:
        cpus = workers + _SPARE
        here = {"num_cpus": cpus, "object_store_memory": _LOCAL_BYTES, "include_dashboard": False}
    try:
        ray.init(**here, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise InputError(
            f"no Ray cluster can be reached ({error})",
            where=f"--ray-address {address}",
            remedy="leave it out to use this machine alone",
        ) from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()
