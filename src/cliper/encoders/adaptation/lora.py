"""Low-rank adapters beside the linear layers of frozen towers (Hu et al. 2021, arXiv 2106.09685).

Their Eq. 3: y = W·x + b + (α/r)·B·A·x, with A drawn at random and B zero, so that an untrained
adapter changes nothing. The layers stay as they are; hooks add the second term while the adapters
are trained, and `merge` puts B·A into W afterwards. A merged tower is an ordinary one: it costs
nothing more, and whatever folds, casts, compiles or exports towers needs to know nothing of this.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cliper.errors import InputError
from cliper.files import as_written
from cliper.tensor_files import ENCODE_AGAIN, load_tensors, save_tensors


class LowRankAdapters:
    """One pair of matrices for each of some linear layers.

    Args:
        tensors: `NAME.a` (r, in) and `NAME.b` (out, r) for each layer's name.
        scale: α/r.
    """

    def __init__(self, tensors: dict[str, Tensor], scale: float) -> None:
        self.tensors = tensors
        self.scale = scale

    @classmethod
    def initial(
        cls, layers: Mapping[str, nn.Linear], rank: int, alpha: float, generator: torch.Generator
    ) -> "LowRankAdapters":
        """A uniform within 1/√in, B zero, on each layer's device, float32 and trainable."""
        tensors: dict[str, Tensor] = {}
        for name, layer in layers.items():
            device, bound = layer.weight.device, layer.in_features**-0.5
            a = (2 * torch.rand(rank, layer.in_features, generator=generator) - 1) * bound
            tensors[f"{name}.a"] = a.to(device).requires_grad_(True)
            tensors[f"{name}.b"] = torch.zeros(
                layer.out_features, rank, device=device, requires_grad=True
            )
        return cls(tensors, alpha / max(rank, 1))

    @property
    def names(self) -> list[str]:
        """The adapted layers' names."""
        return [key.removesuffix(".a") for key in self.tensors if key.endswith(".a")]

    @contextmanager
    def attached(self, module: nn.Module) -> Iterator[None]:
        """Inside the block, the named layers of `module` compute Eq. 3."""
        handles = []
        try:
            for name in self.names:
                layer = module.get_submodule(name)
                handles.append(layer.register_forward_hook(self._hook(name)))
            yield
        finally:
            for handle in handles:
                handle.remove()

    @torch.no_grad()
    def merge(self, module: nn.Module) -> None:
        """Add (α/r)·B·A to the weights of the named layers of `module`, for good."""
        for name in self.names:
            weight = module.get_submodule(name).weight
            assert isinstance(weight, Tensor)
            a, b = (self.tensors[f"{name}.{side}"].to(weight.device) for side in "ab")
            weight.copy_(weight + self.scale * (b @ a))

    @property
    def hash(self) -> str:
        """Hex SHA-256 of the adapters and their scale."""
        digest = hashlib.sha256(str(self.scale).encode())
        for name, tensor in sorted(self.tensors.items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write a safetensors file, whole or not at all."""
        save_tensors(path, self.tensors, {"scale": self.scale})

    @classmethod
    def load(cls, path: Path) -> "LowRankAdapters":
        """Read what `save` wrote.

        Raises:
            InputError: the file is broken.
        """
        tensors, facts = load_tensors(path)
        with as_written(path, ENCODE_AGAIN):
            return cls(tensors, float(facts["scale"]))

    def _hook(self, name: str) -> Any:
        a, b = self.tensors[f"{name}.a"], self.tensors[f"{name}.b"]

        def add(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            more = nn.functional.linear(nn.functional.linear(inputs[0].to(a.dtype), a), b)
            return output + (self.scale * more).to(output.dtype)

        return add


def adaptable_layers(towers: nn.Module, layers: str = "all") -> dict[str, nn.Linear]:
    """Linear layers in the numbered blocks of the towers, by name.

    Args:
        towers: both towers.
        layers: `attention`, `mlp`, or `all` of them. A layer counts as attention's when a part
            of its name says so, as `transformers` names them.

    Raises:
        InputError: there is none.
    """
    found: dict[str, nn.Linear] = {}
    for name, module in towers.named_modules():
        parts = name.split(".")
        if type(module) is not nn.Linear or not any(part.isdigit() for part in parts):
            continue  # (a subclass may not go through `forward`: see nn.MultiheadAttention)
        if any("cross" in part for part in parts):
            continue  # of text with a picture (BLIP): no embedding depends on it
        attention = any("attn" in part or "attention" in part for part in parts)
        if layers == "all" or attention == (layers == "attention"):
            found[name] = module
    if not found:
        raise InputError(
            "this encoder has no such layers to put adapters in",
            where="encoder.adapt.layers",
            remedy="use --adapt projection",
        )
    return found
