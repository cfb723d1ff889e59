"""`embedded` on a catalogue: unimodal rows first, then the fit, then both projected."""

import hashlib
from pathlib import Path

import numpy as np

from cliper.encoders.alignment import Alignment, AlignmentConfig
from cliper.encoders.alignment_fit import RECIPE, fit_alignment
from cliper.encoders.assembled import Space
from cliper.encoders.content import Content, encoder_folder
from cliper.encoders.embedded import EmbeddedEncoder, embedded_hash
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.pairs import choose_pairs
from cliper.encoders.rows import fill, stored
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.store import ABSENT
from cliper.encoders.unimodal import Unimodal
from cliper.errors import InputError
from cliper.types import BoolArray

ALIGNMENT_FILE = "alignment.safetensors"


class FittedEmbedded:
    """A `CatalogueEncoder`.

    The unimodal rows are kept, so a new seed or one changed template costs little; the pictures'
    rows are shared with `vanilla`.

    Args:
        settings: how the networks run.
        seed: of the fit.
        config: how to train the alignment.
    """

    name = "embedded"

    def __init__(
        self, settings: EncoderSettings, seed: int = 0, config: AlignmentConfig | None = None
    ) -> None:
        self._settings, self._seed, self._config = settings, seed, config or AlignmentConfig()

    def rows(self, root: Path) -> Unimodal:
        """The two networks."""
        return Unimodal(root, self._settings)

    def encode(
        self, content: Content, report: EncodeReport, fit_on: BoolArray | None = None
    ) -> Space:
        """See `CatalogueEncoder`; the fit sees all items that have a picture and a text."""
        both = self.rows(content.root)
        content = fill(both, content, report)
        folder = self._folder(both, content)
        path = folder / ALIGNMENT_FILE
        if path.is_file():
            alignment = Alignment.load(path)
        else:
            alignment = self._fit(both, content)
            alignment.save(path)
        report.retrieval_recall_at_10 = alignment.score.recall_at_10
        report.retrieval_chance = alignment.score.chance
        return Space(
            self.name, embedded_hash(both.text, both.image, alignment), alignment.width,
            folder / "encodings", content, both, alignment.project_text, alignment.project_image,
        )  # fmt: skip

    def fitted(self, content: Content) -> EmbeddedEncoder:
        """See `CatalogueEncoder`."""
        both = self.rows(content.root)
        path = self._folder(both, stored(both, content)) / ALIGNMENT_FILE
        if not path.is_file():
            raise InputError(
                "the dataset's store no longer holds the encoder that was fitted to it",
                where=str(content.root),
                remedy=f"run 'cliper encode {content.root.parent}' again",
            )
        return EmbeddedEncoder(both.text, both.image, Alignment.load(path))

    def _folder(self, both: Unimodal, content: Content) -> Path:
        """Named by all that decides the fit: networks, content, recipe and seed."""
        config = self._config.model_dump_json()
        settings = f"{RECIPE}; {config}; {self._seed}; {both.text.hash}; {both.image.hash}"
        digest = hashlib.sha256(settings.encode())
        digest.update(content.key("").encode())
        return encoder_folder(content.root, self.name, digest.hexdigest())

    def _fit(self, both: Unimodal, content: Content) -> Alignment:
        present = content.keys != ABSENT
        usable = content.image != ABSENT
        rows = choose_pairs(present, usable, self._config.max_items, self._seed)
        text = np.stack([both.text_rows.read(view[rows]) for view in content.keys])
        return fit_alignment(
            text, present[:, rows], both.image_rows.read(content.image[rows]),
            groups=content.groups(rows)[0], seed=self._seed, config=self._config,
        )  # fmt: skip
