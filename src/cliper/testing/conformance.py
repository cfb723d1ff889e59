"""What every backbone must do, as a test class to inherit from.

A backbone of your own package is held to it with

    class TestMine(BackboneConformance):
        backbone = "mine"

and pytest. Everything runs on `toy_world`, in seconds, but for one training on `warm_world`.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from cliper.backbones import Backbone, Batch, backbone_entry, create_backbone
from cliper.representation.features import ItemFeatures, Modality
from cliper.scoring import restore_scorer
from cliper.testing.options import alternatives
from cliper.testing.warm_world import WarmWorld, warm_recall, warm_world
from cliper.testing.world import ToyWorld, toy_world
from cliper.training import Trainer, TrainingConfig, UniformSampler
from cliper.training.optimizer import Adam

FEATURE_CASES = ("image+text", "vanilla", "image", "text", "mlp")
WARM_IALS = {"embedding_size": 8, "confidence": 10.0, "ridge": 40.0}
"""iALS as it does well on the warm world of eight tastes; its defaults are for more data."""
WARM_WIDTH = 32
ABOVE_POPULARITY = 1.3


def feature_case(world: ToyWorld | WarmWorld, case: str) -> ItemFeatures | None:
    """The world's features as one of the cases that users have.

    Args:
        world: the toy world's features are two tables of one width, as CLIPER makes them.
        case: `image+text`, the two as they are; `vanilla`, as unimodal encoders make them, of two
            widths and two scales; `image` or `text` alone; `mlp`, the text through the trainable
            fusion; `none`.
    """
    if case == "none":
        return None
    if case == "vanilla":
        image, text = world.features.tables["image"], world.features.tables["text"]
        tables: dict[Modality, torch.Tensor] = {"image": 10 * image, "text": text[:, :12].clone()}
        return ItemFeatures(world.features.items_hash, tables, kind="vanilla")
    if case == "mlp":
        return ItemFeatures(world.features.items_hash, world.features.tables, mlp_width=8)
    return world.features.only(*case.split("+"))  # type: ignore[arg-type]


@torch.inference_mode()
def all_scores(backbone: Backbone, world: ToyWorld | WarmWorld) -> torch.Tensor:
    """Scores (M, N) of every user and item."""
    return backbone.scorer()(torch.arange(world.train.n_users))


def recall_at(scores: torch.Tensor, world: ToyWorld, k: int) -> float:
    """Mean Recall@k over cold test items only, of scores (M, N), by brute force."""
    scores = scores[:, world.cold]
    position = {int(item): at for at, item in enumerate(world.cold)}
    top = scores.topk(k, dim=1).indices
    recalls = []
    for user in range(len(scores)):
        mine = world.test.item_index[world.test.user_index == user]
        relevant = {position[int(i)] for i in mine if int(i) in position}
        recalls.append(len(relevant & set(top[user].tolist())) / max(1, min(k, len(relevant))))
    return float(np.mean(recalls))


@cache
def _world() -> ToyWorld:
    return toy_world()


@cache
def _warm() -> tuple[WarmWorld, float, float]:
    """The warm world, and the Recall@20 of iALS and of popularity on it."""
    world = warm_world()
    ials = create_backbone("ials", world.train, options=WARM_IALS)
    popularity = create_backbone("popularity", world.train)
    recalls = [warm_recall(all_scores(b, world), world) for b in (ials, popularity)]
    return world, recalls[0], recalls[1]


class BackboneConformance:
    """Inherit, set `backbone`, and say which cases and options differ from the usual.

    Attributes:
        backbone: the registered name.
        options: settings to test with, where the defaults do not suit a world of 80 items.
        alternatives: for an option whose other value must be a particular one.
        conditions: for an option that only acts together with others, those others; `case` among
            them names the features that it needs to act.
        epochs: how long solving the toy world may take.
        learning_rate: in both worlds.
        warm_options: settings for the warm world, where the defaults (32 wide) are not to be
            judged; `options` are for the toy world alone.
        warm_case: its features there; `image+text` when None, or `none` for a feature-free one.
        warm_share: of iALS's Recall@20, what it must reach there. None leaves the check out:
            say why beside it.
    """

    backbone: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    alternatives: ClassVar[Mapping[str, Any]] = {}
    conditions: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    epochs: ClassVar[int] = 60
    learning_rate: ClassVar[float] = 0.01
    warm_options: ClassVar[Mapping[str, Any]] = {}
    warm_case: ClassVar[str | None] = None
    warm_share: ClassVar[float | None] = 0.75

    @pytest.fixture
    def world(self) -> ToyWorld:
        """The solvable world."""
        return _world()

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Each kind of features in turn; a feature-free backbone runs once."""
        if "case" in metafunc.fixturenames:
            cases = {
                "none": ("none",),
                "optional": ("none", *FEATURE_CASES),
                "required": FEATURE_CASES,
            }
            metafunc.parametrize("case", cases[backbone_entry(self.backbone).features])

    def create(self, world: ToyWorld, case: str, seed: int = 0, **options: Any) -> Backbone:
        """A fresh backbone on the world."""
        features = feature_case(world, case)
        chosen = {**self.options, **options}
        return create_backbone(
            self.backbone, world.train, features, chosen, seed, fields=world.fields
        )

    def train(self, world: ToyWorld, backbone: Backbone, epochs: int, seed: int = 0) -> None:
        """A few epochs with small batches."""
        config = TrainingConfig(
            batch_size=256,
            learning_rate=self.learning_rate,
            max_epochs=epochs,
            seed=seed,
            patience=10_000,
            validate_every=10_000,
        )
        Trainer(backbone, world.train, config, lambda _: {"recall@20": 0.0}).fit()

    def train_warm(self, world: WarmWorld, seed: int = 0, epochs: int = 20) -> Backbone:
        """A backbone with its own defaults, trained to its best epoch by validation Recall@20."""
        entry = backbone_entry(self.backbone)
        options = dict(self.warm_options)
        if "embedding_size" in entry.config.model_fields:
            options.setdefault("embedding_size", WARM_WIDTH)
        usual = "none" if entry.features == "none" else "image+text"
        features = feature_case(world, self.warm_case or usual)
        backbone = create_backbone(
            self.backbone, world.train, features, options, seed, fields=world.fields
        )
        config = TrainingConfig(
            learning_rate=self.learning_rate, max_epochs=epochs, seed=seed, patience=10_000
        )

        def validate(model: Backbone) -> dict[str, float]:
            return {"recall@20": warm_recall(all_scores(model.eval(), world), world, "valid")}

        Trainer(backbone, world.train, config, validate).fit()
        return backbone.eval()

    def batch(self, world: ToyWorld) -> Batch:
        """One training batch that holds every training pair."""
        sampler = UniformSampler(world.train, len(world.train), np.random.default_rng(0))
        return next(iter(sampler.epoch()))

    def test_shapes(self, world: ToyWorld, case: str) -> None:
        """The scorer gives a finite score to every pair, and comes back from its tensors."""
        backbone = self.create(world, case).eval()
        scorer = backbone.scorer()
        scores = all_scores(backbone, world)
        assert scorer.shape == scores.shape == (world.train.n_users, world.train.n_items)
        assert torch.isfinite(scores).all()
        assert scorer.similarities(torch.tensor([1, 0])).shape == (2, world.train.n_items)
        users, some = torch.arange(5), torch.tensor([7, 3])
        with torch.inference_mode():
            again = restore_scorer(scorer.kind, scorer.tensors())
            torch.testing.assert_close(again(users), scores[:5])
            torch.testing.assert_close(scorer.restrict(some)(users), scores[:5][:, some])

    def test_every_parameter_gets_a_gradient_and_moves(self, world: ToyWorld, case: str) -> None:
        """No parameter is forgotten by the loss."""
        backbone = self.create(world, case)
        if not backbone.is_trained:
            assert not list(backbone.parameters())
            return
        backbone.train()
        backbone.on_epoch_start(torch.Generator().manual_seed(0))
        before = {n: p.detach().clone() for n, p in backbone.named_parameters()}
        optimizer = Adam(backbone, TrainingConfig(learning_rate=1e-2).sized(1, False))
        # Two steps: a map that starts behind a zero gets its gradient in the second one.
        for _ in range(2):
            optimizer.zero_grad()
            sum(backbone.loss(self.batch(world)).values()).backward()  # type: ignore[union-attr]
            optimizer.step()
        for name, parameter in backbone.named_parameters():
            assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
            assert not torch.equal(before[name], parameter), name

    def test_same_seed_same_bytes(self, world: ToyWorld, case: str) -> None:
        """A refit repeats itself exactly; another seed does not."""
        runs = []
        for seed in (0, 0, 1):
            backbone = self.create(world, case, seed)
            self.train(world, backbone, epochs=2, seed=seed)
            runs.append(backbone)
        for (name, a), b in zip(
            runs[0].state_dict().items(), runs[1].state_dict().values(), strict=True
        ):
            assert torch.equal(a, b), name
        if runs[0].is_trained:
            assert not torch.equal(all_scores(runs[0], world), all_scores(runs[2], world))

    def test_save_and_load_give_the_same_scores(self, world: ToyWorld, case: str) -> None:
        """Parameters alone, put into a fresh backbone of the same seed, restore every score."""
        trained = self.create(world, case)
        self.train(world, trained, epochs=2)
        fresh = self.create(world, case)
        fresh.load_state_dict(trained.state_dict())
        trained.eval(), fresh.eval()
        assert torch.equal(all_scores(trained, world), all_scores(fresh, world))

    def test_a_zero_feature_row_is_harmless(self, world: ToyWorld, case: str) -> None:
        """An item of which nothing is known gives no NaN, in scores or gradients."""
        features = feature_case(world, case)
        if features is None:
            return
        tables = {m: t.clone() for m, t in features.tables.items()}
        for table in tables.values():
            table[0] = 0
        empty = ItemFeatures(features.items_hash, tables, features.mlp_width)
        backbone = create_backbone(
            self.backbone, world.train, empty, self.options, fields=world.fields
        )
        self.train(world, backbone, epochs=1)
        assert torch.isfinite(all_scores(backbone.eval(), world)).all()

    def test_every_option_has_an_effect(self, world: ToyWorld) -> None:
        """Changing any one option changes what is learned."""
        entry = backbone_entry(self.backbone)
        usual = "image+text" if entry.backbone.uses_features else "none"
        for name, value in {
            **alternatives(entry.config, but=self.alternatives),
            **self.alternatives,
        }.items():
            condition = dict(self.conditions.get(name, {}))
            case = condition.pop("case", usual)
            outcomes = []
            for options in (condition, {**condition, name: value}):
                backbone = self.create(world, case, **options)
                self.train(world, backbone, epochs=2)
                outcomes.append(all_scores(backbone.eval(), world))
            assert not torch.equal(*outcomes), f"{name}={value!r} has no effect"

    def test_cold_items_by_content(self, world: ToyWorld, case: str) -> None:
        """Content models find the cold items of a user's group; feature-free ones cannot.

        Of 16 cold items 4 are right, so guessing gives Recall@4 = 0.25.
        """
        backbone = self.create(world, case)
        self.train(world, backbone, epochs=self.epochs)
        backbone.eval()
        recall = recall_at(all_scores(backbone, world), world, k=4)
        if case != "none" or "fields" in backbone.extra_inputs:
            assert recall > 0.8
        else:
            assert recall < 0.5

    def test_popularity_and_taste(self) -> None:
        """Where popularity is skewed and tastes differ, it comes near iALS, well above popularity.

        A ranking that is popularity's alone, or by cosines, or of vectors that a penalty has
        crushed, falls short, though it may solve the toy world.
        """
        if self.warm_share is None:
            pytest.skip("warm_share is None")
        world, ials, popularity = _warm()
        recall = warm_recall(all_scores(self.train_warm(world), world), world)
        assert recall >= self.warm_share * ials, f"Recall@20 {recall:.3f}, iALS {ials:.3f}"
        assert recall >= ABOVE_POPULARITY * popularity, (
            f"Recall@20 {recall:.3f}, popularity {popularity:.3f}"
        )
