"""`RepresentationSettings`: all that decides what a backbone sees of the items."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from cliper.config import StrictConfig
from cliper.data.splits.settings import SplitSettings
from cliper.encoders.settings import RUNNING, EncoderSettings
from cliper.representation.fusion import FusionKind

FeatureKind = Literal["cliper", "vanilla", "none", "random"]


class ViewsSettings(StrictConfig):
    """Which metadata fields become views, and by which prompts."""

    templates: dict[str, str] | None = None
    include: list[str] | None = None


class FeaturesSettings(StrictConfig):
    """What the backbone sees of the items."""

    kind: FeatureKind = "cliper"
    normalize_views: bool = True
    modalities: list[Literal["image", "text"]] = Field(["image", "text"], min_length=1)
    random_size: int = Field(384, ge=1, le=8192, description="width of `random` features")


class FusionSettings(StrictConfig):
    """Eq. 2 and 3. Without a kind, a temperature or threshold says that it is the attention."""

    kind: FusionKind = "learned"
    temperature: Annotated[float, Field(ge=0)] | Literal["inf"] = Field(
        0.1, description="τ; 0 and inf are the limits"
    )
    threshold: float | None = Field(
        None,
        ge=-1,
        le=2,
        description="views with a lower cosine are masked, the best stays; above 1 it alone does",
    )

    @model_validator(mode="before")
    @classmethod
    def _attention_where_it_is_described(cls, given: Any) -> Any:
        if isinstance(given, dict) and {"temperature", "threshold"} & given.keys():
            return {"kind": "attention", **given}
        return given


class RepresentationSettings(StrictConfig):
    """Views, encoder, kind of features and fusion.

    Attributes:
        split: with its seed, which also draws `random` features; the learned fusion, and an
            adaptation that is fitted on training items, depend on the split itself.
    """

    views: ViewsSettings = ViewsSettings()
    encoder: EncoderSettings = EncoderSettings()
    features: FeaturesSettings = FeaturesSettings()
    fusion: FusionSettings = FusionSettings()
    split: SplitSettings = SplitSettings()

    @property
    def depends_on_split(self) -> bool:
        """Another split, other features."""
        if self.features.kind == "random":
            return True
        adapt, by_split = self.encoder.adapt, self.fusion.kind in ("learned", "random")
        return self.features.kind == "cliper" and (
            by_split or (adapt is not None and adapt.fit_on == "train")
        )

    def resolved(self) -> dict[str, Any]:
        """The sections but `split` with every default filled in, without what has no effect."""
        tree = self.model_dump(mode="json", exclude={"split"})
        kind, encoder = self.features.kind, tree["encoder"]
        if self.encoder.weights is None:
            del encoder["weights"]
        elif self.encoder.weights.exists():  # so that a run can be repeated from anywhere
            encoder["weights"] = str(self.encoder.weights.resolve())
        if self.encoder.adapt is None:
            del encoder["adapt"]
        if self.fusion.threshold is None:
            del tree["fusion"]["threshold"]
        if self.fusion.kind != "attention":
            for name in ("temperature", "threshold"):
                tree["fusion"].pop(name, None)
        if kind != "random":
            del tree["features"]["random_size"]
        if kind != "cliper":
            del tree["views"], tree["fusion"], tree["features"]["normalize_views"]
            tree["encoder"] = {k: encoder[k] for k in RUNNING}
        else:
            tree["views"] = {k: v for k, v in tree["views"].items() if v is not None}
            if self.fusion.kind == "learned":
                del tree["features"]["normalize_views"]
        if kind in ("none", "random"):
            del tree["encoder"]
        if kind == "none":
            tree["features"] = {"kind": "none"}
        return tree
