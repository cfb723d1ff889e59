"""`DistributedReport`: what the workers did."""

from dataclasses import dataclass, field


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
