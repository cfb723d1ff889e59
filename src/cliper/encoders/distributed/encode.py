"""Encoding under Ray: chunks go out as work, rows come back by way of the store.

The chunks are those that a single process would encode, cut at the same places, so that every
batch holds the same texts wherever it is computed. What the store holds is not asked for again, so
a job that is killed goes on where it was.
"""

from collections.abc import Iterator
from functools import partial
from time import perf_counter

from cliper import progress
from cliper.encoders.content import GRAPHS, Content
from cliper.encoders.distributed.report import DistributedReport
from cliper.encoders.distributed.worker import ChunkWorker, encode_images, encode_texts
from cliper.encoders.encode import open_rows
from cliper.encoders.encode_fill import missing_images, missing_texts
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.settings import EncoderSettings
from cliper.errors import CliperError
from cliper.parallel import Cluster, OnRay, Work


def encode_on_ray(content: Content, settings: EncoderSettings, where: OnRay) -> DistributedReport:
    """Fill a dataset's store with what it lacks (`first` of `encode_dataset`).

    The rows are those of a single process: to the byte where it computes with one thread, as the
    workers do, else up to rounding, about 1e-6.

    Args:
        content: of a dataset in a directory that every worker sees under the same path.
        settings: of the encoder; its weights, too, lie where every worker sees them.
        where: the workers; give them a share of a GPU with `device="cuda"`.

    Raises:
        InputError: Ray is not installed or not reached, a worker cannot make the encoder.
        CliperError: chunks that could not be encoded; the others are in the store.
    """
    started = perf_counter()
    root = content.root.resolve()
    weights = None if settings.weights is None else settings.weights.resolve()
    settings = settings.model_copy(update={"graphs": root / GRAPHS, "weights": weights})
    rows = open_rows(root, settings)
    keys, local = content.keys.ravel(), EncodeReport(settings.name)
    texts = missing_texts(rows.text_rows, keys, local)
    images = missing_images(rows.image_rows, rows.failed, content.pictures, local)
    report = DistributedReport()
    if not texts and not images:
        report.seconds = perf_counter() - started
        return report
    open_worker = partial(ChunkWorker, root, settings, rows.text_rows.folder)
    del rows  # the networks are the workers' business from here on

    def chunks() -> Iterator[Work]:
        for number, at in enumerate(texts):
            given = {"keys": keys[at], "texts": [content.text_at(int(i)) for i in at]}
            yield Work(number, f"chunk {number} of texts", encode_texts, given)
        for number, at in enumerate(images, len(texts)):
            paths = [content.path_at(int(i)).resolve() for i in at]
            given = {"keys": content.pictures[at], "paths": paths}
            yield Work(number, f"chunk {number} of pictures", encode_images, given)

    sizes = [len(at) for at in (*texts, *images)]
    failures: list[str] = []
    with (
        progress.task("encode on Ray", total=sum(sizes)) as bar,
        Cluster(open_worker, where) as cluster,
    ):
        for result in cluster.results(chunks()):
            if result.error:
                failures.append(f"{result.name}: {result.error}")
            else:
                report.add(result.value)
            bar.advance(sizes[result.number])
    if failures:
        raise CliperError(
            f"{len(failures)} of {len(sizes)} chunks failed, the others are kept: "
            + "; ".join(failures)
        )
    report.seconds = perf_counter() - started
    return report
