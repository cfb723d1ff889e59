"""What was done of a chunk, and of all of them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ChunkReport:
    """One chunk; the fields of `DistributedReport`."""

    worker: str
    texts: int = 0
    images: int = 0
    unusable: int = 0
    truncated: int = 0
    skipped: bool = False
    seconds: float = 0.0


@dataclass
class DistributedReport:
    """Counts of one distributed run.

    Attributes:
        texts, images: encoded by workers.
        unusable_images: pictures that could not be used.
        truncated_texts: of the encoded ones, how many lost their end to the token limit.
        chunks: units of work that were done; `skipped_chunks` lay in the store already, because a
            worker had died after writing them.
        workers: process ids that did any of it, by node.
        worker_seconds: spent encoding, summed over workers; seconds: from start to end.
    """

    texts: int = 0
    images: int = 0
    unusable_images: int = 0
    truncated_texts: int = 0
    chunks: int = 0
    skipped_chunks: int = 0
    workers: set[str] = field(default_factory=set)
    worker_seconds: float = 0.0
    seconds: float = 0.0

    def add(self, done: ChunkReport) -> None:
        """Count one chunk."""
        self.texts += done.texts
        self.images += done.images
        self.unusable_images += done.unusable
        self.truncated_texts += done.truncated
        self.chunks += not done.skipped
        self.skipped_chunks += done.skipped
        self.workers.add(done.worker)
        self.worker_seconds += done.seconds
