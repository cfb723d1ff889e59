"""`EncodeReport`: what an encoding run did, for people and for `results.json`."""

from dataclasses import dataclass, field
from pathlib import Path

from cliper.encoders.adaptation.report import AdaptationReport


@dataclass
class EncodeReport:
    """Counts and times of one run; filled while it goes.

    Attributes:
        encoder: the encoder's name.
        encoded_texts, reused_texts: distinct texts.
        truncated_texts: of the encoded ones, how many lost their end to the token limit.
        encoded_images, reused_images: distinct pictures.
        failed_images: pictures that cannot be used, by reason; their items count as without.
        damaged_chunks: broken files of the store that were passed over and encoded again.
        text_seconds, image_seconds: spent encoding; seconds: all in all.
        images_at_once, tokens_at_once: sizes of batches, chosen or given; None where nothing had
            to be encoded.
        retrieval_recall_at_10, retrieval_chance: of a fitted encoder on held-out pairs.
        adaptation, adaptation_folder: of an adapted encoder, and where its report lies.
    """

    encoder: str
    encoded_texts: int = 0
    reused_texts: int = 0
    truncated_texts: int = 0
    encoded_images: int = 0
    reused_images: int = 0
    failed_images: dict[str, int] = field(default_factory=dict)
    damaged_chunks: int = 0
    text_seconds: float = 0.0
    image_seconds: float = 0.0
    seconds: float = 0.0
    images_at_once: int | None = None
    tokens_at_once: int | None = None
    retrieval_recall_at_10: float | None = None
    retrieval_chance: float | None = None
    adaptation: AdaptationReport | None = field(default=None, repr=False)
    adaptation_folder: Path | None = None

    def fail(self, reason: str, count: int = 1) -> None:
        """Count pictures that cannot be used."""
        if count:
            self.failed_images[reason] = self.failed_images.get(reason, 0) + count

    @property
    def texts_per_second(self) -> float | None:
        """Distinct texts encoded per second, None when none was."""
        return self.encoded_texts / self.text_seconds if self.encoded_texts else None

    @property
    def images_per_second(self) -> float | None:
        """Pictures encoded per second, None when none was."""
        return self.encoded_images / self.image_seconds if self.encoded_images else None
