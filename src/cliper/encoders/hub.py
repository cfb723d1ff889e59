"""Models from the Hugging Face hub: the local cache first, the network only when asked for."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import constants, hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from cliper.encoders.families.tokenizer_files import (
    CLIP_FILES,
    SENTENCEPIECE_FILE,
    VOCABULARY_FILE,
)
from cliper.encoders.preprocessing import PREPROCESSING_FILE, PROCESSOR_FILE
from cliper.errors import InputError, first_line

_TOKENIZERS = [*CLIP_FILES, VOCABULARY_FILE, SENTENCEPIECE_FILE]
_SMALL = ["config.json", PREPROCESSING_FILE, PROCESSOR_FILE, *_TOKENIZERS]
_SAFE = ["model.safetensors", "model.safetensors.index.json", "model-*.safetensors"]
_BIN = ["pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"]
_OPEN_CLIP = "open_clip_model.safetensors"
_OPEN_CLIP_FILES = ["open_clip_config.json", _OPEN_CLIP, *CLIP_FILES]

_NEEDED = (
    f"config.json, {PREPROCESSING_FILE}, model.safetensors (or pytorch_model.bin) and the "
    "tokeniser's files (tokenizer.json and tokenizer_config.json, or vocab.txt or spiece.model)"
)
_NEEDED_OF_OPEN_CLIP = f"{_OPEN_CLIP}, open_clip_config.json and tokenizer.json"

_MISSING = (OSError, ValueError, EntryNotFoundError, LocalEntryNotFoundError)
_NAME = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Repository:
    """A repository on the hub, at a revision or at what its main branch is."""

    name: str
    revision: str | None = None

    @property
    def address(self) -> str:
        """Where a person finds it."""
        tree = f"/tree/{self.revision}" if self.revision else ""
        return f"https://huggingface.co/{self.name}{tree}"


def parse_repository(text: str) -> Repository:
    """`ORG/NAME` or `ORG/NAME@REVISION`, the revision being a branch, a tag or a commit.

    Raises:
        InputError: it is neither.

    >>> parse_repository("openai/clip-vit-base-patch32@3d74acf")
    Repository(name='openai/clip-vit-base-patch32', revision='3d74acf')
    """
    name, at, revision = text.partition("@")
    if not _NAME.fullmatch(name) or (at and not revision.strip("/")):
        raise InputError(
            f"{text!r} is no repository", remedy="write hf:ORG/NAME or hf:ORG/NAME@REVISION"
        )
    return Repository(name, revision or None)


def commit_of(path: Path) -> str | None:
    """The commit whose file or folder of the cache `path` is, None for any other path.

    >>> commit_of(Path("hub/models--a--b/snapshots/0f3c/model.safetensors"))
    '0f3c'
    """
    parts = path.parts
    at = len(parts) - 1 - parts[::-1].index("snapshots") if "snapshots" in parts else len(parts)
    return parts[at + 1] if at + 1 < len(parts) else None


def fetch_model(repository: Repository | str, *, allow_download: bool) -> Path:
    """The folder of a model, in `transformers`' or open_clip's layout; safetensors if there are.

    Args:
        repository: `ORG/NAME`, or with a revision.
        allow_download: without it only the local cache is looked at.

    Raises:
        InputError: not in the cache and not to be downloaded, or the hub is out of reach.
    """
    wanted = _as_repository(repository)
    folder = cached_model(wanted)
    if folder is not None:
        return folder
    if not allow_download:
        raise _absent(wanted, "the model is", _needed(wanted))

    def download(patterns: list[str]) -> Path:
        found = snapshot_download(wanted.name, revision=wanted.revision, allow_patterns=patterns)
        return Path(found)

    # Some repositories keep only the older format, or only open_clip's.
    for patterns in ([*_SMALL, *_SAFE], [*_SMALL, *_BIN], _OPEN_CLIP_FILES):
        folder = _reaching(wanted, partial(download, patterns), _needed(wanted))
        if _has_weights(folder):
            return folder
    raise InputError("the repository has no model of a known layout", where=wanted.address)


def fetch_file(repository: str, name: str, *, allow_download: bool) -> Path:
    """One file of a repository; errors as for `fetch_model`."""
    cached = cached_file(repository, name)
    if cached is not None:
        return cached
    wanted = Repository(repository)
    files = f"{name} and CLIP's tokenizer.json"
    if not allow_download:
        raise _absent(wanted, f"{name} is", files)
    return _reaching(wanted, lambda: Path(hf_hub_download(repository, name)), files)


def cached_model(repository: Repository | str) -> Path | None:
    """The folder of a model that is in the local cache whole, or None. Never the network."""
    wanted = _as_repository(repository)
    try:
        found: Any = snapshot_download(wanted.name, revision=wanted.revision, local_files_only=True)
    except _MISSING:
        return None
    folder = Path(found)
    return folder if _complete(folder) else None


def cached_file(repository: str, name: str) -> Path | None:
    """A file that is in the local cache, or None. Never the network."""
    try:
        return Path(hf_hub_download(repository, name, local_files_only=True))
    except _MISSING:
        return None


def _needed(repository: Repository) -> str:
    """What a model's folder must hold, for messages; timm keeps OpenAI's models for open_clip."""
    of_open_clip = repository.name.startswith("timm/")
    return _NEEDED_OF_OPEN_CLIP if of_open_clip else _NEEDED


def _as_repository(repository: Repository | str) -> Repository:
    return Repository(repository) if isinstance(repository, str) else repository


def _has_weights(folder: Path) -> bool:
    if (folder / _OPEN_CLIP).is_file() and not (folder / "config.json").is_file():
        return True
    weights = any(folder.glob("model*.safetensors")) or any(folder.glob("pytorch_model*.bin"))
    return weights and (folder / "config.json").is_file()


def _complete(folder: Path) -> bool:
    # Another program may have fetched the weights alone.
    words = ("tokenizer.json", "merges.txt", VOCABULARY_FILE, SENTENCEPIECE_FILE)
    tokenizer = any((folder / name).is_file() for name in words)
    pictures = any((folder / name).is_file() for name in (PREPROCESSING_FILE, PROCESSOR_FILE))
    pictures = pictures or not (folder / "config.json").is_file()  # open_clip's has none
    return _has_weights(folder) and tokenizer and pictures


def _reaching(repository: Repository, download: Callable[[], Path], files: str) -> Path:
    try:
        return download()
    except Exception as error:  # each version of the hub client and its transport has its own
        raise InputError(
            f"could not be downloaded: {first_line(error)}",
            where=repository.address,
            remedy=_by_hand(files),
        ) from error


def _absent(repository: Repository, what: str, files: str) -> InputError:
    return InputError(
        f"{what} not in the local cache ({constants.HF_HUB_CACHE}), and downloading was not "
        "asked for",
        where=repository.address,
        remedy="add --download to 'cliper encode' (encoder.allow_download=true); or "
        + _by_hand(files),
    )


def _by_hand(files: str) -> str:
    return (
        f"fetch {files} on another machine, put them into one folder here and name it with "
        "--weights FOLDER (encoder.weights) or --encoder PATH; HF_HUB_CACHE names another cache"
    )
