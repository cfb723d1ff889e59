"""Which library computes an encoder's towers, in which precision, and what goes together."""

from importlib.util import find_spec
from typing import Literal

from cliper.errors import InputError

Runtime = Literal["torch", "onnx"]

_OF = {"torch": ("float32", "bfloat16", "float16"), "onnx": ("float32", "int8")}
_NEEDED = ("onnx", "onnxruntime", "onnxscript")

# Changed whenever the same weights would give other numbers than before.
_ONNX_RECIPES = {
    "float32": "onnx, weights int8 by channel, activations uint8 by batch; 1",
    "int8": "onnx, weights int8 of 7 bits by channel, activations uint8 by batch; 2",
}


def check_runtime(runtime: str, dtype: str, device: str) -> None:
    """Refuse what does not go together, or is not installed (an `InputError`)."""
    if dtype not in _OF[runtime]:
        other = "; ".join(f"{name}: {', '.join(types)}" for name, types in _OF.items())
        raise InputError(
            f"the runtime {runtime!r} does not compute in {dtype}",
            where="encoder.dtype",
            remedy=f"choose a pair of these: {other}",
        )
    if runtime == "onnx":
        if device != "cpu":
            raise InputError(
                "the runtime 'onnx' is for the CPU", where="encoder.device", remedy="use cpu"
            )
        missing = [name for name in _NEEDED if find_spec(name) is None]
        if missing:
            raise InputError(
                f"the runtime 'onnx' needs {', '.join(missing)}",
                where="encoder.runtime",
                remedy="pip install 'cliper[onnx]'",
            )


def refuse_runtime(runtime: str) -> None:
    """The packaged networks are torch's: elsewhere they gain nothing (an `InputError`)."""
    if runtime != "torch":
        raise InputError(
            f"the packaged networks do not run under {runtime!r}, where they gain nothing",
            where="encoder.runtime",
            remedy="leave it out",
        )


def precision_key(runtime: str, dtype: str) -> str:
    """What an encoder's hash says of how it computes; `torch` in float32 is just `float32`.

    >>> precision_key("torch", "bfloat16")
    'bfloat16'
    """
    return dtype if runtime == "torch" else f"{dtype}; {_ONNX_RECIPES[dtype]}"
