"""What a comparison is, as settings: of an experiment file and of `cliper compare` alike."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from cliper.config import nearest
from cliper.data import Dataset
from cliper.errors import InputError
from cliper.experiments.comparisons.check import check_comparison
from cliper.experiments.comparisons.compare import compare
from cliper.experiments.comparisons.comparison import Comparison
from cliper.experiments.comparisons.variants import Variant, plan
from cliper.experiments.search import DrawSettings
from cliper.parallel import Workers
from cliper.representation.fusion import FusionKind
from cliper.representation.settings import FeatureKind


class CompareSettings(DrawSettings):
    """Backbones × features × fusions × seeds, and how each one's settings are chosen."""

    backbones: list[str] = Field(min_length=1)
    features: list[FeatureKind] = Field(["vanilla", "cliper"], min_length=1)
    fusions: list[FusionKind] | None = Field(None, min_length=1)
    seeds: int = Field(1, ge=1, le=1000, description="how many, from 0")
    folds: int | None = Field(
        None, ge=2, le=1000, description="instead of seeds: of repeated cold-item cross-validation"
    )
    grid: dict[str, list[Any]] = Field(
        default_factory=dict, description="key → values; every combination for every variant"
    )
    set_for: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="backbone, kind of features or variant → key → value"
    )
    metric: str = "recall@20"

    def variants(self) -> list[Variant]:
        """The rows of the table.

        Raises:
            InputError: names that do not go together.
        """
        return with_own_settings(
            plan(self.backbones, self.features, self.fusions or self._fusions()), self.set_for
        )

    def search_plan(self) -> DrawSettings | None:
        """How each variant is searched by draws; None where it is not.

        Raises:
            InputError: an option that would have no effect.
        """
        if not self.space and self.preset is None:
            for name in ("trials", "sampler", "prune", "warmup"):
                if name in self.model_fields_set:
                    raise InputError(
                        "has no effect without a space", where=name, remedy="give space or preset"
                    )
            return None
        if self.grid:
            raise InputError("searched by a grid and by draws at once", where="grid")
        return self

    def check(self, base: Mapping[str, Any]) -> None:
        """Refuse what is wrong or without effect, before any work.

        Args:
            base: settings common to all variants.

        Raises:
            InputError: on the first problem, with its key.
        """
        if self.folds is not None:
            self._check_folds(base.get("split") or {})
        check_comparison(
            self.variants(),
            base,
            self.grid,
            self.metric,
            fusions_given=self.fusions is not None,
            search=self.search_plan(),
        )

    def run(
        self,
        dataset: Dataset,
        base: Mapping[str, Any],
        out: Path,
        *,
        processes: Workers = None,
    ) -> Comparison:
        """Check, then do it; see `compare`."""
        self.check(base)
        return compare(
            dataset,
            self.variants(),
            range(self.folds or self.seeds),
            out,
            folds=self.folds is not None,
            base=base,
            grid=self.grid,
            search=self.search_plan(),
            metric=self.metric,
            processes=processes,
        )

    def _fusions(self) -> list[FusionKind]:
        """The paper's alone in the paper's grid; else this package's default beside it."""
        return ["attention"] if self.preset == "paper" else ["learned", "attention"]

    def _check_folds(self, split: Mapping[str, Any]) -> None:
        if "seeds" in self.model_fields_set:
            raise InputError("given with seeds", where="folds", remedy="leave one out")
        given = {"split.seed": split.get("seed"), "split.fold": split.get("fold")}
        if split.get("kind") not in (None, "cold-item"):
            given["split.kind"] = split["kind"]
        for key, value in given.items():
            if value is not None:
                raise InputError(
                    f"{value!r} would have no effect: folds are of the cold-item split",
                    where=key,
                    remedy="leave it out",
                )


def with_own_settings(
    variants: list[Variant], own: Mapping[str, Mapping[str, Any]]
) -> list[Variant]:
    """Variants with settings for themselves alone.

    Args:
        variants: the rows.
        own: backbone, kind of features or variant name → dotted key → value; the narrower name
            has the last word.

    Raises:
        InputError: a name that fits no variant.
    """
    known = {name for v in variants for name in _names(v)}
    for name in own:
        if name not in known:
            raise InputError(
                "no such variant in this comparison",
                where=f"set_for.{name}",
                remedy=nearest(name, sorted(known)),
            )
    result = []
    for variant in variants:
        settings: dict[str, Any] = {}
        for name in _names(variant):
            settings |= own.get(name, {})
        result.append(
            Variant(variant.backbone, variant.features, variant.fusion, variant.tag, settings)
        )
    return result


def _names(variant: Variant) -> tuple[str, ...]:
    return (variant.features, variant.backbone, variant.name)
