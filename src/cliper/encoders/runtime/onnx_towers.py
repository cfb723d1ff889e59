"""`OnnxTowers`: a family's towers through ONNX Runtime, with the two functions of `Towers`."""

import tempfile
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cliper.encoders.runtime.onnx_graphs import open_graph, stored_graph
from cliper.encoders.towers import Towers

_EXAMPLE_ROWS = 2
_EXAMPLE_TOKENS = 8


class OnnxTowers:
    """Two towers as graphs; each is exported when it is first used, and kept.

    Args:
        towers: float32, on the CPU, weights as they came.
        digest: the encoder's hash; names the graphs' folder.
        image_shape: (height, width) of the pictures.
        int8: with quantised weights and activations.
        graphs: where graphs are kept; None keeps them for this object's life.
    """

    def __init__(
        self,
        towers: Towers,
        digest: str,
        image_shape: tuple[int, int],
        *,
        int8: bool,
        graphs: Path | None = None,
    ) -> None:
        self._towers, self._image_shape, self._int8 = towers, image_shape, int8
        self._temporary = None if graphs else tempfile.TemporaryDirectory(prefix="cliper-graphs-")
        root = graphs or Path(self._temporary.name if self._temporary else "")
        self._folder = root / digest[:16]

    def text(self, ids: Tensor, mask: Tensor | None) -> Tensor:
        """As `Towers.text`."""
        inputs = {"ids": ids.numpy()}
        if self._towers.masked:
            inputs["mask"] = (torch.ones_like(ids) if mask is None else mask).numpy()
        return torch.from_numpy(self._text.run(None, inputs)[0])

    def image(self, pixels: Tensor) -> Tensor:
        """As `Towers.image`."""
        return torch.from_numpy(self._image.run(None, {"pixels": pixels.contiguous().numpy()})[0])

    @cached_property
    def _text(self) -> Any:
        length = self._towers.padded_to or min(_EXAMPLE_TOKENS, self._towers.max_tokens)
        axes = {0: "rows"} if self._towers.padded_to else {0: "rows", 1: "tokens"}
        ids = torch.ones(_EXAMPLE_ROWS, length, dtype=torch.int64)
        example = (
            {"ids": ids, "mask": torch.ones_like(ids)} if self._towers.masked else {"ids": ids}
        )
        return self._opened("text", example, axes)

    @cached_property
    def _image(self) -> Any:
        pixels = torch.zeros(_EXAMPLE_ROWS, 3, *self._image_shape)
        return self._opened("image", {"pixels": pixels}, {0: "rows"})

    def _opened(self, side: str, example: dict[str, Tensor], axes: dict[int, str]) -> Any:
        tower, dynamic = _Side(self._towers, side), dict.fromkeys(example, axes)
        return open_graph(
            stored_graph(self._folder / side, tower, example, dynamic, int8=self._int8)
        )


class _Side(nn.Module):
    """One tower alone, for the exporter."""

    def __init__(self, towers: Towers, side: str) -> None:
        super().__init__()
        self.towers, self.side = towers, side

    def forward(self, given: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.towers.text(given, mask) if self.side == "text" else self.towers.image(given)
