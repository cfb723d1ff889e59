"""What a run was made with, and what of it is otherwise now."""

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import cliper
from cliper.data import Dataset
from cliper.encoders.assembled import load_assembled, stored
from cliper.errors import CliperError
from cliper.experiments.run.config import ExperimentConfig
from cliper.files import sha256_file
from cliper.representation.features import ItemFeatures
from cliper.representation.given import GIVEN
from cliper.representation.represent import represent_dataset
from cliper.runs import MadeWith, Results, RunDirectory

LIBRARIES = (
    "torch", "numpy", "scipy", "transformers", "tokenizers", "safetensors", "pyarrow", "pillow",
)  # fmt: skip
MODEL = "model.safetensors"


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
        model=sha256_file(run.path / MODEL),
    )


def differences(run: RunDirectory, config: ExperimentConfig) -> list[str]:
    """What is otherwise now than when a run was made, in sentences.

    The data itself is compared by `evaluate_run`, which refuses other data.

    Args:
        run: finished.
        config: its settings; the dataset that they name holds the encoding store.
    """
    results = run.read_results()
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
    model = sha256_file(run.path / MODEL) if (run.path / MODEL).is_file() else "missing"
    if then.model is not None and model != then.model:
        told.append(f"the model was {then.model[:12]}, is {model[:12]}")
    return told + _other_features(then, results, config)


def _other_features(then: MadeWith, results: Results, config: ExperimentConfig) -> list[str]:
    """What of encoder and features is otherwise, as far as the dataset's store tells.

    Features are made again where nothing has to be encoded for it.
    """
    name, root = results.features.encoder, Path(config.dataset.path) / "encodings"
    found = stored(root, name) if then.encoder and name else {}
    hashes = {str(about.get("encoder_hash", "")) for about in found.values()}
    if found and then.encoder not in hashes:
        others = ", ".join(sorted(one[:12] for one in hashes))
        return [
            f"the encoder {name} was {str(then.encoder)[:12]}, the dataset's store has {others}"
        ]
    same = [
        folder
        for folder, about in found.items()
        if (about.get("encoder_hash"), about.get("views")) == (then.encoder, results.features.views)
    ]
    kind = results.features.kind
    can_be_made = (same and kind == "cliper") or kind == "random" or name == GIVEN
    if then.features is None or not can_be_made:
        return []
    try:
        encodings = load_assembled(same[0]) if same else None
        features = represent_dataset(
            Dataset.load(config.dataset.path),
            config.representation,
            weights=results.features.weights or None,
            encodings=encodings,
        )
    except CliperError as error:  # damaged: whoever trains on them is told
        return [f"the features cannot be made again: {error}"]
    if features is None or features.hash == then.features:
        return []
    return [f"the features were {then.features[:12]}, made again they are {features.hash[:12]}"]


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
