"""What a run was made with, and what of it is otherwise now."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cliper
from cliper.encoders.assembled import encoder_hashes
from cliper.files import sha256_file
from cliper.representation.features import ItemFeatures
from cliper.runs import MadeWith, Results, RunDirectory

LIBRARIES = (
    "torch", "numpy", "scipy", "transformers", "tokenizers", "safetensors", "pyarrow", "pillow",
)  # fmt: skip


def made_with(features: ItemFeatures | None, run: RunDirectory) -> MadeWith:
    """What a training that ends now was made with.

    Args:
        features: what the backbone saw.
        run: whose model has been written.
    """
    return MadeWith(
        versions=versions(),
        code=code_hash(),
        features=None if features is None else features.hash,
        encoder=None if features is None else features.encoder_hash or None,
        model=sha256_file(run.path / "model.safetensors"),
    )


def differences(results: Results, dataset: Path) -> list[str]:
    """What is otherwise now than when a run was made, in sentences.

    The data itself is compared by `evaluate_run`, which refuses other data.

    Args:
        results: of the run.
        dataset: its directory; the encoder's hash lies in its store, beside what it encoded.
    """
    then = results.made_with
    if then is None:
        return ["not known, the run is of a version that did not record what it was made with"]
    now = versions()
    told = [
        f"{name} was {old}, is {now.get(name, 'not installed')}"
        for name, old in then.versions.items()
        if now.get(name) != old
    ]
    if code_hash() != then.code:
        told.append(f"cliper's code was {then.code[:12]}, is {code_hash()[:12]}")
    if then.encoder and results.features.encoder:
        stored = encoder_hashes(dataset / "encodings", results.features.encoder)
        if stored and then.encoder not in stored:
            others = ", ".join(sorted(one[:12] for one in stored))
            told.append(
                f"the encoder {results.features.encoder} was {then.encoder[:12]}, "
                f"the dataset's store has {others}"
            )
    return told


def versions() -> dict[str, str]:
    """Python, this package and what computes for it."""
    found = {"python": platform.python_version(), "cliper": cliper.__version__}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def code_hash() -> str:
    """Hex SHA-256 over the package's modules and their places."""
    root = Path(cliper.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        digest.update(f"{path.relative_to(root).as_posix()}\0".encode())
        digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()
