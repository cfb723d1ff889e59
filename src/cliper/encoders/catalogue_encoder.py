"""`CatalogueEncoder`: the protocol of encoders that are fitted on what they encode."""

from pathlib import Path
from typing import Protocol, runtime_checkable

from cliper.encoders.assembled import Space
from cliper.encoders.base import DualEncoder
from cliper.encoders.content import Content
from cliper.encoders.encode_report import EncodeReport
from cliper.encoders.rows import DualRows, StoredRows, fill
from cliper.types import BoolArray


@runtime_checkable
class CatalogueEncoder(Protocol):
    """An encoder that does not exist without a catalogue: it is fitted on it.

    Attributes:
        name: what results call it.
    """

    name: str

    def rows(self, root: Path) -> StoredRows:
        """What encodes before there is a fit.

        Raises:
            InputError: nothing does, the fit comes first.
        """
        ...

    def encode(self, content: Content, report: EncodeReport, fit_on: BoolArray | None) -> Space:
        """Fit, unless that is stored, and fill the stores.

        Args:
            content: of the catalogue.
            report: filled.
            fit_on: bool (N,), items that the fit may see; all if None.
        """
        ...

    def fitted(self, content: Content) -> DualEncoder:
        """What was fitted, for texts and pictures that came later; nothing is fitted.

        Args:
            content: of the catalogue that it was fitted on.

        Raises:
            InputError: the store does not hold the fit, or it cannot take others.
        """
        ...


def encode_frozen(
    encoder: DualEncoder, content: Content, report: EncodeReport, root: Path | None = None
) -> Space:
    """The same for an encoder as it is.

    Args:
        encoder: any dual encoder.
        content: of the catalogue.
        report: filled.
        root: where its rows belong; the content's store if None.
    """
    rows = DualRows(content.root if root is None else root, encoder)
    content = fill(rows, content, report)
    folder = rows.folder / content.key(encoder.hash)[:16]
    source = getattr(encoder, "source", {})
    return Space(encoder.name, encoder.hash, encoder.width, folder, content, rows, source=source)
