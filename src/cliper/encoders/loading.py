"""Where a dual encoder comes from: a path, the hub, or a file in OpenAI's layout."""

from pathlib import Path

from cliper.encoders import hub
from cliper.encoders.families import checked, load_folder
from cliper.encoders.families.openai_layout import OPEN_CLIP_WEIGHTS, load_openai_layout
from cliper.encoders.families.tokenizer_files import TOKENIZER_FILE, load_clip_tokenizer
from cliper.encoders.settings import EncoderSettings
from cliper.encoders.text_tokenizer import TextTokenizer
from cliper.encoders.towers import ModelParts
from cliper.encoders.two_tower import TwoTowerEncoder
from cliper.errors import InputError
from cliper.files import read_json

# Every CLIP that OpenAI published, and Long-CLIP, use one tokeniser; this repository has it.
TOKENIZER_REPOSITORY = "openai/clip-vit-large-patch14"


def from_hub(name: str, repository: str, settings: EncoderSettings) -> TwoTowerEncoder:
    """A model of the hub, or `settings.weights` in its place, under `name`.

    Args:
        name: what the user calls it.
        repository: `ORG/NAME` or `ORG/NAME@REVISION`.
        settings: what a person chose.
    """
    if settings.weights is not None:
        return from_path(name, settings.weights, settings)
    wanted = hub.parse_repository(repository)
    folder = hub.fetch_model(wanted, allow_download=settings.allow_download)
    encoder = from_path(name, folder, settings)
    encoder.source = {
        "repository": wanted.name,
        "revision": wanted.revision,
        "commit": hub.commit_of(folder),
    }
    return encoder


def from_path(name: str, path: Path, settings: EncoderSettings) -> TwoTowerEncoder:
    """A folder in `transformers`' layout, or a file in OpenAI's (or a folder with one in it).

    Raises:
        InputError: there is no such thing at `path`.
    """
    if path.is_dir():
        if _in_transformers_layout(path):
            return _encoder(name, load_folder(path), path, settings)
        path = _only_file(path)
    if not path.is_file():
        raise InputError("no such file or folder", where=str(path))
    towers, preprocessing = load_openai_layout(path)
    tokenizer = _tokenizer_for(path, allow_download=settings.allow_download)
    parts = checked(ModelParts(towers, tokenizer, preprocessing), where=path)
    return _encoder(name, parts, path, settings)


def _in_transformers_layout(folder: Path) -> bool:
    """It has a config.json; timm's, which name no model type, lie beside open_clip's weights."""
    path = folder / "config.json"
    if not path.is_file() or not (folder / OPEN_CLIP_WEIGHTS).is_file():
        return path.is_file()
    config = read_json(path)
    return isinstance(config, dict) and "model_type" in config


def _only_file(folder: Path) -> Path:
    if (folder / OPEN_CLIP_WEIGHTS).is_file():
        return folder / OPEN_CLIP_WEIGHTS
    for pattern in ("*.safetensors", "*.pt"):
        files = sorted(folder.glob(pattern))
        if len(files) == 1:
            return files[0]
        if files:
            raise InputError(
                f"no config.json, and {len(files)} {pattern[1:]} files instead of one",
                where=str(folder),
                remedy="name the file",
            )
    raise InputError(
        "no config.json, and no .safetensors or .pt file in OpenAI's layout", where=str(folder)
    )


def long_clip(
    name: str, repository: str, file: str, positions: int, settings: EncoderSettings
) -> TwoTowerEncoder:
    """A Long-CLIP, from `settings.weights` in either layout or from its `.pt` on the hub."""
    path = settings.weights or hub.fetch_file(
        repository, file, allow_download=settings.allow_download
    )
    encoder = from_path(name, path, settings)
    if settings.weights is None:
        encoder.source = {
            "repository": repository,
            "revision": None,
            "commit": hub.commit_of(path),
        }
    if encoder.max_tokens < positions:
        raise InputError(
            f"the text tower has {encoder.max_tokens} positions, Long-CLIP has {positions}",
            where=str(path),
        )
    return encoder


def _tokenizer_for(path: Path, *, allow_download: bool) -> TextTokenizer:
    try:
        return load_clip_tokenizer(path.parent)
    except InputError as missing:
        if any(path.parent.glob("tokenizer.json")):
            raise
        try:
            path = hub.fetch_file(
                TOKENIZER_REPOSITORY, TOKENIZER_FILE, allow_download=allow_download
            )
        except InputError:
            raise missing from None
    return load_clip_tokenizer(path.parent)


def _encoder(
    name: str, parts: ModelParts, path: Path, settings: EncoderSettings
) -> TwoTowerEncoder:
    encoder = TwoTowerEncoder(name, parts, settings)
    encoder.source = {"path": str(path.absolute())}
    return encoder
