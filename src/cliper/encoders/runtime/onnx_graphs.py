"""Networks as ONNX graphs on disk: exported once, quantised if asked, whole or not there.

Imports nothing of ONNX until it is used; the packages come with `cliper[onnx]`.
"""

import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cliper.errors import InputError, first_line
from cliper.files import sweep, temporary_folder
from cliper.sums import write_sums

GRAPH = "graph.onnx"
_NOISY = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


def stored_graph(
    folder: Path,
    network: nn.Module,
    example: Mapping[str, Tensor],
    dynamic: Mapping[str, Mapping[int, str]],
    *,
    int8: bool,
) -> Path:
    """The graph of a network in `folder`, made there if it is missing.

    Args:
        folder: named by what decides the numbers; it comes into being whole or not at all.
        network: in evaluation mode; its inputs are `example`'s, by order, its result one tensor.
        example: inputs by name; along a dynamic axis at least 2 long.
        dynamic: of each input, axes whose length may differ, and their names.
        int8: quantise the weights of all matrix products, per output channel, to -64 … 64 in
            bytes. The activations are quantised as they come to 0 … 255, each product's whole
            input with one scale.

    Raises:
        InputError: the network cannot be exported.
    """
    path = folder / GRAPH
    if path.is_file():
        return path
    sweep(folder.parent)
    with temporary_folder(folder) as temporary:
        exact = temporary / "float" if int8 else temporary
        exact.mkdir(exist_ok=True)
        with _quiet():
            _export(exact / GRAPH, network, example, dynamic)
            if int8:
                _quantise(exact / GRAPH, temporary / GRAPH)
                shutil.rmtree(exact)
        write_sums(temporary, [entry.name for entry in temporary.iterdir()])
        try:
            os.rename(temporary, folder)  # noqa: PTH104 (Path.replace means the same)
        except OSError:
            if not path.is_file():  # otherwise another process was first
                raise
    return path


def open_graph(path: Path, threads: int | None = None) -> Any:
    """An `onnxruntime.InferenceSession` on the CPU.

    Args:
        path: of the graph.
        threads: to compute with; torch's number if None.

    Raises:
        InputError: the file is damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_mem_pattern = False  # a plan for one shape, and texts have many
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's exceptions have no common ancestor of their own
        raise InputError(
            f"not a graph that can be run: {first_line(error)}",
            where=str(path),
            remedy="delete its folder; it is made again",
        ) from error


def _export(
    path: Path,
    network: nn.Module,
    example: Mapping[str, Tensor],
    dynamic: Mapping[str, Mapping[int, str]],
) -> None:
    shapes = {
        name: {axis: torch.export.Dim(axis_name) for axis, axis_name in dynamic[name].items()}
        for name in example
    }
    exporter: Any = torch.onnx.export
    try:
        with torch.inference_mode(False), torch.no_grad():
            exporter(
                network.eval(), tuple(example.values()), str(path), dynamo=True, verbose=False,
                external_data=True, input_names=list(example), output_names=["features"],
                dynamic_shapes=tuple(shapes.values()),
            )  # fmt: skip
    except Exception as error:  # torch.onnx raises many kinds, all of which mean the same here
        raise InputError(
            f"cannot be exported to ONNX: {first_line(error)}",
            where="encoder.runtime",
            remedy="use the runtime torch",
        ) from error


def _quantise(exact: Path, out: Path) -> None:
    # Processors with AVX2 or AVX-512 and without VNNI add two products of bytes in 16 bits, where
    # 2 * 255 * 127 saturates without a word. 2 * 255 * 64 does not, so that every processor finds
    # the same integers.
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        exact,
        out,
        op_types_to_quantize=["MatMul", "Gemm"],
        per_channel=True,
        weight_type=QuantType.QInt8,
        reduce_range=True,
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters warn of what is not installed and not needed; a library does not print."""
    loggers = [logging.getLogger(name) for name in ("", *_NOISY)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
