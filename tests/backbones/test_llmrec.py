"""LLMRec against its docstring's formulas, written as loops over nodes, triples and tables."""

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from cliper.backbones import Backbone, Batch, create_backbone
from cliper.backbones.llmrec import LlmRec, smallest
from cliper.data.augmentation import training_hash
from cliper.errors import InputError
from cliper.representation.augmented import AugmentedUsers
from cliper.testing.conformance import BackboneConformance, feature_case
from cliper.testing.world import ToyWorld

OPTIONS = {
    "embedding_size": 3, "n_layers": 2, "n_content_layers": 1, "content_weight": 0.7,
    "profile_weight": 0.4, "mask_rate": 0.0, "l2": 0.3,
}  # fmt: skip
GUESSES = [(0, 2, 5), (1, 4, 0), (2, 0, 2), (4, 1, 5)]


def augmentation(tiny, guesses=GUESSES) -> AugmentedUsers:
    profiles = torch.randn(5, 4, generator=torch.Generator().manual_seed(3))
    profiles[3] = 0  # nothing was said of user 3
    return AugmentedUsers(training_hash(tiny.train), torch.tensor(guesses), profiles)


def built(tiny, augmented=None, **options: Any) -> LlmRec:
    model = create_backbone(
        "llmrec", tiny.train, tiny.features, {**OPTIONS, **options}, augmentation=augmented
    )
    assert isinstance(model, LlmRec)
    return model


def array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().numpy()


def side_rows(tiny, model: LlmRec, hidden=((), ())) -> dict[str, np.ndarray]:
    """Y of every node, a table at a time, from each node's own features or the mean of all."""
    found = {}
    for name, table in model.features.items():
        rows, weight = array(table()), array(model.content[name].weight)
        is_profile = name == "profile"
        start = 0 if is_profile else tiny.M
        x = np.zeros((tiny.M + tiny.N, len(weight)))
        for at, row in enumerate(rows):
            masked = at in hidden[0 if is_profile else 1]
            x[start + at] = weight @ (rows.mean(axis=0) if masked else row)
        found[name] = tiny.layer_mean(tiny.adjacency(), x, model.config.n_content_layers)
    return found


def final_rows(tiny, model: LlmRec, hidden=((), ())) -> np.ndarray:
    x = tiny.layer_mean(tiny.adjacency(), array(model.nodes), model.config.n_layers)
    final = x.copy()
    for name, rows in side_rows(tiny, model, hidden).items():
        weight = model.config.profile_weight if name == "profile" else model.config.content_weight
        for node, row in enumerate(rows):
            final[node] += weight * row / max(np.linalg.norm(row), 1e-3)
    return final


def triple_loss(tiny, final: np.ndarray, triple: tuple[int, int, int]) -> float:
    u, p, n = triple
    difference = final[u] @ (final[tiny.M + p] - final[tiny.M + n])
    return float(np.log1p(np.exp(-difference)))


@pytest.mark.parametrize("augmented", [False, True])
def test_final_rows(tiny, augmented: bool) -> None:
    model = built(tiny, augmentation(tiny) if augmented else None)
    assert set(model.features) == {"image", "text", *(["profile"] if augmented else [])}
    tiny.close(torch.cat(model.embed()), final_rows(tiny, model))


def test_a_plain_dataset_trains_with_bpr_and_l2(tiny) -> None:
    model = built(tiny)
    final, free = final_rows(tiny, model), array(model.nodes)
    terms = model.loss(tiny.batch)
    assert set(terms) == {"bpr", "l2"}
    tiny.close(terms["bpr"], tiny.bpr(final[: tiny.M], final[tiny.M :]))
    users, items = free[: tiny.M], free[tiny.M :]
    tiny.close(terms["l2"], 0.3 * tiny.l2((users, 0), (items, 1), (items, 2)))


def drawn(model: LlmRec, state: torch.Tensor, size: int) -> list[tuple[int, int, int]]:
    """The guesses that a step takes first from the generator's stream."""
    again = torch.Generator().set_state(state)
    at = torch.randint(len(model.triples), (size,), generator=again).tolist()
    return [tuple(model.triples[i].tolist()) for i in at]


@pytest.mark.parametrize("prune_rate", [0.0, 0.5])
def test_augmented_triples_are_drawn_and_the_worst_left_out(tiny, prune_rate: float) -> None:
    model = built(tiny, augmentation(tiny), augmented_share=2.0, prune_rate=prune_rate)
    guesses = drawn(model, model.draws.get_state(), 6)
    final = final_rows(tiny, model)
    losses = sorted(triple_loss(tiny, final, guess) for guess in guesses)
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(final[: tiny.M], final[tiny.M :]))
    tiny.close(terms["augmented"], sum(losses[: 3 if prune_rate else 6]) / 3)


def test_the_published_pruning_sorts_all_triples(tiny) -> None:
    model = built(tiny, augmentation(tiny), augmented_share=1.0, prune_rate=0.5, prune_scope="all")
    guesses = drawn(model, model.draws.get_state(), 3)
    final = final_rows(tiny, model)
    losses = sorted(triple_loss(tiny, final, triple) for triple in [*tiny.triples, *guesses])
    tiny.close(model.loss(tiny.batch)["bpr"], np.mean(losses[:3]))


def test_pruned_triples_have_no_gradient() -> None:
    losses = torch.tensor([0.2, 5.0, 0.1, 3.0], requires_grad=True)
    smallest(losses, 0.5).sum().backward()
    assert losses.grad.tolist() == [1.0, 0.0, 1.0, 0.0]


def test_masked_features_are_restored_from_the_neighbours(tiny) -> None:
    model = built(
        tiny, augmentation(tiny), mask_rate=0.4, restore_weight=0.6, restore_power=3.0,
        augmented_share=0.0,
    )  # fmt: skip
    again = torch.Generator().set_state(model.draws.get_state())
    torch.randint(4, (0,), generator=again)
    mask = torch.rand(tiny.M + tiny.N, generator=again) < 0.4
    hidden = [np.flatnonzero(part).tolist() for part in (mask[: tiny.M], mask[tiny.M :])]
    assert all(hidden), "the seed hides somebody on both sides"
    final, side = final_rows(tiny, model, hidden), side_rows(tiny, model, hidden)
    expected = 0.0
    for name, rows in side.items():
        weight, table = array(model.decoder[name].weight), array(model.features[name].table)
        who, start = (hidden[0], 0) if name == "profile" else (hidden[1], tiny.M)
        terms = []
        for at in who:
            decoded, own = weight @ rows[start + at], table[at]
            norms = max(np.linalg.norm(decoded) * np.linalg.norm(own), 1e-8)
            terms.append((1 - decoded @ own / norms) ** 3)
        expected += np.mean(terms)
    terms = model.loss(tiny.batch)
    tiny.close(terms["bpr"], tiny.bpr(final[: tiny.M], final[tiny.M :]))
    tiny.close(terms["restore"], 0.6 * expected)
    tiny.close(torch.cat(model.embed()), final_rows(tiny, model))  # nothing is masked


def test_gradient_is_that_of_the_dense_formula(tiny) -> None:
    model = built(tiny, augmentation(tiny), augmented_share=1.0, prune_rate=0.0)
    guesses = drawn(model, model.draws.get_state(), 3)
    sum(model.loss(tiny.batch).values()).backward()
    names = [n for n, p in model.named_parameters() if p.grad is not None]
    found = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    assert names == [n for n, _ in model.named_parameters()]
    adjacency = torch.from_numpy(tiny.adjacency()).float()

    def mean_of(x: torch.Tensor, layers: int) -> torch.Tensor:
        stack = [x]
        for _ in range(layers):
            stack.append(adjacency @ stack[-1])
        return torch.stack(stack).mean(0)

    final = mean_of(model.nodes, 2)
    for name, table in model.features.items():
        rows = table() @ model.content[name].weight.T
        empty = torch.zeros(tiny.N if name == "profile" else tiny.M, 3)
        x = torch.cat([rows, empty] if name == "profile" else [empty, rows])
        y = mean_of(x, 1)
        weight = 0.4 if name == "profile" else 0.7
        final = final + weight * torch.nn.functional.normalize(y, dim=1, eps=1e-3)
    triples = torch.tensor([*tiny.triples, *guesses])
    u, p, n = final[triples[:, 0]], final[tiny.M + triples[:, 1]], final[tiny.M + triples[:, 2]]
    loss = -torch.nn.functional.logsigmoid((u * (p - n)).sum(1)).sum() / 3
    own = model.nodes[torch.cat([tiny.batch.users, tiny.M + tiny.batch.positives,
                                 tiny.M + tiny.batch.negatives])]  # fmt: skip
    loss = loss + 0.3 * own.pow(2).sum() / 6
    expected = torch.autograd.grad(loss, list(model.parameters()))
    torch.testing.assert_close(found, list(expected))


def test_another_training_part_is_refused(tiny) -> None:
    other = tiny.train.select(np.arange(len(tiny.train) - 1))
    with pytest.raises(InputError, match="another training part"):
        create_backbone("llmrec", other, tiny.features, OPTIONS, augmentation=augmentation(tiny))


@cache
def world_augmentation(world: ToyWorld) -> AugmentedUsers:
    """A good guess and a profile of each user's group."""
    users = torch.arange(world.train.n_users)
    items = world.train.n_items
    triples = torch.stack([users, (users + 4) % items, (users + 1) % items], dim=1)
    profiles = torch.eye(4).repeat(world.train.n_users // 4, 1)
    noise = torch.randn(profiles.shape, generator=torch.Generator().manual_seed(0))
    return AugmentedUsers(training_hash(world.train), triples, profiles + 0.1 * noise)


class TestLlmRec(BackboneConformance):
    """On a plain dataset."""

    backbone = "llmrec"

    def test_every_option_has_an_effect(self, world: ToyWorld) -> None:
        """Some act on what was augmented alone: held to it below."""


class TestLlmRecAugmented(BackboneConformance):
    backbone = "llmrec"
    warm_share = None  # nothing is augmented in the warm world, so it would be TestLlmRec again

    def create(self, world: ToyWorld, case: str, seed: int = 0, **options: Any) -> Backbone:
        return create_backbone(
            self.backbone, world.train, feature_case(world, case), {**self.options, **options},
            seed, augmentation=world_augmentation(world),
        )  # fmt: skip


def test_a_batch_smaller_than_its_share_draws_nothing(tiny) -> None:
    model = built(tiny, augmentation(tiny), augmented_share=0.1)
    batch = Batch(*(c[:1] for c in (tiny.batch.users, tiny.batch.positives, tiny.batch.negatives)))
    assert "augmented" not in model.loss(batch)
