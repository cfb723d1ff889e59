"""`ProjectedEncoder`: an encoder and its projection, fitted once and kept beside the report."""

from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from cliper.encoders.adaptation.adapt import (
    adaptation_folder,
    choose,
    fit_projection,
    no_later_items,
)
from cliper.encoders.adaptation.config import ProjectionAdaptation, adapted_name
from cliper.encoders.adaptation.projection import Projection
from cliper.encoders.adaptation.report import AdaptationReport
from cliper.encoders.assembled import Space, assemble, load_assembled
from cliper.encoders.base import DualEncoder
from cliper.encoders.catalogue_encoder import encode_frozen
from cliper.encoders.content import Content
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.registry import create_encoder
from cliper.encoders.rows import DualRows
from cliper.encoders.settings import EncoderSettings
from cliper.types import BoolArray

PROJECTION_FILE = "projection.safetensors"


class ProjectedEncoder:
    """A `CatalogueEncoder`: the rows of the encoder as it is, then a fit on them.

    Args:
        settings: of the encoder; the projection is trained on its device.
        config: how to train.
    """

    def __init__(self, settings: EncoderSettings, config: ProjectionAdaptation) -> None:
        self._encoder, self._config = create_encoder(settings), config
        self._device = settings.device
        self.name = adapted_name(self._encoder.name, config.kind)

    def rows(self, root: Path) -> DualRows:
        """Those of the encoder as it is."""
        return DualRows(root, self._encoder)

    def encode(self, content: Content, report: EncodeReport, fit_on: BoolArray | None) -> Space:
        """See `CatalogueEncoder`."""
        frozen = encode_frozen(self._encoder, content, report)
        folder = adaptation_folder(frozen.content, self._encoder, self._config, fit_on)
        path = folder / PROJECTION_FILE
        if path.is_file():
            projection, adaptation = Projection.load(path), AdaptationReport.load(folder)
        else:
            base = load_assembled(assemble(frozen, report))
            chosen = choose(base.text_present, base.image_present, self._config, fit_on)
            groups = frozen.content.groups(chosen.rows)
            projection, adaptation = fit_projection(
                base, chosen, *groups, self._config, device=self._device
            )
            adaptation.write(folder)
            projection.save(path)  # last: where it is, the report is
        report.encoder, report.adaptation, report.adaptation_folder = self.name, adaptation, folder
        digest = sha256(f"{self._encoder.hash}; {projection.hash}".encode()).hexdigest()
        return replace(
            frozen,
            encoder=self.name,
            digest=digest,
            folder=folder / frozen.content.key(digest)[:16],
            text=projection.project_text,
            image=projection.project_image,
        )

    def fitted(self, content: Content) -> DualEncoder:
        """None: new items are not taken yet."""
        raise no_later_items()
