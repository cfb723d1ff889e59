"""Models from the Hugging Face hub: the local cache first, the network only when asked for."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from cliper.encoders.families.clip_tokenizer import TOKENIZER_FILES
from cliper.encoders.preprocessing import PREPROCESSING_FILE, PROCESSOR_FILE
from cliper.errors import InputError

_SMALL = ["config.json", PREPROCESSING_FILE, PROCESSOR_FILE, *TOKENIZER_FILES]
_SAFE = ["model.safetensors", "model.safetensors.index.json", "model-*.safetensors"]
_BIN = ["pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"]


def fetch_model(repository: str, *, allow_download: bool) -> Path:
    """The folder of a model in `transformers`' layout, safetensors where there are any.

    Args:
        repository: `ORG/NAME`.
        allow_download: without it only the local cache is looked at.

    Raises:
        InputError: not in the cache and not to be downloaded, or the hub is out of reach.
    """
    folder = cached_model(repository)
    if folder is not None:
        return folder
    if not allow_download:
        raise _absent(repository, "model")

    def download(patterns: list[str]) -> Path:
        return Path(snapshot_download(repository, allow_patterns=patterns))

    folder = _reaching(repository, lambda: download([*_SMALL, *_SAFE]))
    if not _has_weights(folder):  # some repositories keep only the older format
        folder = _reaching(repository, lambda: download([*_SMALL, *_BIN]))
    if not _has_weights(folder):
        raise InputError("the repository has no model of a known layout", where=repository)
    return folder


def fetch_file(repository: str, name: str, *, allow_download: bool) -> Path:
    """One file of a repository; errors as for `fetch_model`."""
    cached = cached_file(repository, name)
    if cached is not None:
        return cached
    if not allow_download:
        raise _absent(repository, name)
    return _reaching(repository, lambda: Path(hf_hub_download(repository, name)))


def fetch_tokenizer(repository: str, *, allow_download: bool) -> Path:
    """The folder with a repository's tokeniser files; errors as for `fetch_model`."""
    if (cached := cached_file(repository, "tokenizer.json")) is not None:
        return cached.parent
    if not allow_download:
        raise _absent(repository, "tokeniser")
    names = list(TOKENIZER_FILES)
    return _reaching(repository, lambda: Path(snapshot_download(repository, allow_patterns=names)))


def cached_model(repository: str) -> Path | None:
    """The folder of a model that is in the local cache whole, or None. Never the network."""
    try:
        found: Any = snapshot_download(repository, local_files_only=True)
    except (OSError, ValueError, EntryNotFoundError, LocalEntryNotFoundError):
        return None
    folder = Path(found)
    return folder if _complete(folder) else None


def cached_file(repository: str, name: str) -> Path | None:
    """A file that is in the local cache, or None. Never the network."""
    try:
        return Path(hf_hub_download(repository, name, local_files_only=True))
    except (OSError, ValueError, EntryNotFoundError, LocalEntryNotFoundError):
        return None


def _has_weights(folder: Path) -> bool:
    weights = any(folder.glob("model*.safetensors")) or any(folder.glob("pytorch_model*.bin"))
    return weights and (folder / "config.json").is_file()


def _complete(folder: Path) -> bool:
    # Another program may have fetched the weights alone.
    tokenizer = any((folder / name).is_file() for name in ("tokenizer.json", "merges.txt"))
    pictures = any((folder / name).is_file() for name in (PREPROCESSING_FILE, PROCESSOR_FILE))
    return _has_weights(folder) and tokenizer and pictures


def _reaching(repository: str, download: Callable[[], Path]) -> Path:
    try:
        return download()
    except Exception as error:  # each version of the hub client and its transport has its own
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise InputError(
            f"could not be downloaded: {reason}",
            where=f"https://huggingface.co/{repository}",
            remedy="download it elsewhere and point at its folder or file with --encoder PATH",
        ) from error


def _absent(repository: str, what: str) -> InputError:
    return InputError(
        f"{what} not in the local cache, and downloading was not asked for",
        where=f"https://huggingface.co/{repository}",
        remedy="add --download to 'cliper encode', or encoder.allow_download=true, or point "
        "at a local copy with --encoder PATH",
    )
