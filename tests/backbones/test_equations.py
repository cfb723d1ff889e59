"""Each backbone against its paper's formulas, written out as loops over a world of 5 × 6."""

import math

import numpy as np
import pytest
import torch

from cliper.backbones import Batch, create_backbone
from cliper.backbones.base import projected_difference, projection
from cliper.data import Interactions, Vocabulary
from cliper.representation.features import FeatureTable, ItemFeatures

M, N, D = 5, 6, 3
PAIRS = [(0, 0), (0, 1), (1, 1), (1, 2), (2, 3), (3, 0), (3, 4), (4, 4), (4, 3)]  # item 5 is cold
BATCH = Batch(torch.tensor([0, 1, 3]), torch.tensor([1, 2, 0]), torch.tensor([3, 5, 1]))


@pytest.fixture
def train() -> Interactions:
    users = Vocabulary([f"u{i}" for i in range(M)])
    items = Vocabulary([f"i{i}" for i in range(N)])
    index = np.array(PAIRS, dtype=np.int64)
    return Interactions(users, items, index[:, 0].copy(), index[:, 1].copy())


@pytest.fixture
def features(train: Interactions) -> ItemFeatures:
    generator = torch.Generator().manual_seed(7)
    return ItemFeatures(
        train.items.hash,
        {
            "image": torch.randn(N, 4, generator=generator),
            "text": torch.randn(N, 5, generator=generator),
        },
    )


def dense_adjacency(pairs: list[tuple[int, int]]) -> np.ndarray:
    adjacency = np.zeros((M + N, M + N))
    for u, i in pairs:
        adjacency[u, M + i] = adjacency[M + i, u] = 1
    degree = adjacency.sum(1)
    for a in range(M + N):
        for b in range(M + N):
            if adjacency[a, b]:
                adjacency[a, b] /= math.sqrt(degree[a] * degree[b])
    return adjacency


def layer_mean(adjacency: np.ndarray, x: np.ndarray, layers: int) -> np.ndarray:
    stack = [x]
    for _ in range(layers):
        stack.append(adjacency @ stack[-1])
    return np.mean(stack, axis=0)


def bpr_loss(users: np.ndarray, items: np.ndarray) -> float:
    total = 0.0
    for u, p, n in zip(*(c.tolist() for c in vars(BATCH).values()), strict=True):
        total += -math.log(1 / (1 + math.exp(-(users[u] @ items[p] - users[u] @ items[n]))))
    return total / len(BATCH)


def close(value: torch.Tensor, expected: object) -> None:
    np.testing.assert_allclose(value.detach().numpy(), expected, rtol=1e-5, atol=1e-6)


def test_popularity(train: Interactions) -> None:
    users, items = create_backbone("popularity", train).embed()
    close((users @ items.T)[0], [2, 2, 1, 2, 2, 0])


def test_bpr(train: Interactions) -> None:
    model = create_backbone("bpr", train, options={"embedding_size": D, "l2": 0.3})
    users, items = (x.detach().numpy() for x in model.embed())
    terms = model.loss(BATCH)
    close(terms["bpr"], bpr_loss(users, items))
    penalty = sum(
        (users[u] ** 2).sum() + (items[p] ** 2).sum() + (items[n] ** 2).sum()
        for u, p, n in zip(*(c.tolist() for c in vars(BATCH).values()), strict=True)
    )
    close(terms["l2"], 0.3 * penalty / 2 / len(BATCH))


@pytest.mark.parametrize("layers", [0, 1, 3])
def test_lightgcn(train: Interactions, layers: int) -> None:
    options = {"embedding_size": D, "n_layers": layers, "l2": 0.1}
    model = create_backbone("lightgcn", train, options=options)
    free = model.nodes.detach().numpy().astype(np.float64)
    nodes = layer_mean(dense_adjacency(PAIRS), free, layers)
    users, items = model.embed()
    close(users, nodes[:M])
    close(items, nodes[M:])
    terms = model.loss(BATCH)
    close(terms["bpr"], bpr_loss(nodes[:M], nodes[M:]))
    penalty = sum(
        (free[u] ** 2).sum() + (free[M + p] ** 2).sum() + (free[M + n] ** 2).sum()
        for u, p, n in zip(*(c.tolist() for c in vars(BATCH).values()), strict=True)
    )
    close(terms["l2"], 0.1 * penalty / 2 / len(BATCH))


def test_lightgcn_gradient_is_that_of_the_dense_formula(train: Interactions) -> None:
    model = create_backbone("lightgcn", train, options={"embedding_size": D, "n_layers": 2})
    model.loss(BATCH)["bpr"].backward()
    adjacency = torch.from_numpy(dense_adjacency(PAIRS)).float()
    x = model.nodes.detach().clone().requires_grad_()
    nodes = (x + adjacency @ x + adjacency @ adjacency @ x) / 3
    user, positive = nodes[BATCH.users], nodes[M + BATCH.positives]
    difference = (user * (positive - nodes[M + BATCH.negatives])).sum(1)
    (-torch.nn.functional.logsigmoid(difference).mean()).backward()
    torch.testing.assert_close(model.nodes.grad, x.grad)


def test_vbpr(train: Interactions, features: ItemFeatures) -> None:
    options = {"embedding_size": D, "l2": 0.2, "content_l2": 0.4}
    model = create_backbone("vbpr", train, features, options)
    with torch.no_grad():
        model.item_bias.uniform_(-1, 1, generator=torch.Generator().manual_seed(1))
    gamma_u, theta_u = (x.numpy() for x in model.users.detach().split(D, dim=1))
    gamma_i, beta_i = model.items.detach().numpy(), model.item_bias.detach().numpy()
    maps = {m: model.content[m].weight.detach().numpy() for m in ("image", "text")}
    expected = np.zeros((M, N))
    for u in range(M):
        for i in range(N):
            score = beta_i[i, 0] + gamma_u[u] @ gamma_i[i]
            for m, weight in maps.items():
                norms = [np.linalg.norm(row) for row in features.tables[m].numpy()]
                f = features.tables[m][i].numpy() / np.mean(norms)
                score += theta_u[u] @ (weight[:D] @ f) + weight[D] @ f
            expected[u, i] = score
    users, items = model.embed()
    close(users @ items.T, expected)
    terms = model.loss(BATCH)
    batch = list(zip(*(c.tolist() for c in vars(BATCH).values()), strict=True))
    close(
        terms["bpr"],
        np.mean(
            [-math.log(1 / (1 + math.exp(expected[u, n] - expected[u, p]))) for u, p, n in batch]
        ),
    )
    penalty = sum(
        (gamma_u[u] ** 2).sum()
        + (theta_u[u] ** 2).sum()
        + (gamma_i[p] ** 2).sum()
        + (gamma_i[n] ** 2).sum()
        for u, p, n in batch
    )
    content = 0.0
    for _, p, n in batch:
        difference = np.zeros(D)
        for m, weight in maps.items():
            table = features.tables[m].numpy()
            scale = np.mean([np.linalg.norm(row) for row in table])
            difference += weight[:D] @ (table[p] - table[n]) / scale
        content += (difference**2).sum()
    close(terms["l2"], 0.2 * (penalty + content) / 2 / len(batch))
    close(terms["content_l2"], 0.4 / 2 * sum((w**2).sum() for w in maps.values()))
    published = create_backbone("vbpr", train, features, {**options, "content_factor_l2": False})
    published.load_state_dict(model.state_dict())
    close(published.loss(BATCH)["l2"], 0.2 * penalty / 2 / len(batch))


def test_vbpr_of_the_original_paper_sees_the_image_alone(
    train: Interactions, features: ItemFeatures
) -> None:
    model = create_backbone("vbpr", train, features, {"modalities": "image"})
    assert list(model.content) == ["image"]


def dense_item_graph(features: ItemFeatures, k: int, image_weight: float) -> np.ndarray:
    graphs = {}
    for m, table in features.tables.items():
        f = table.numpy()
        graph = np.zeros((N, N))
        for a in range(N):
            cosine = [f[a] @ f[b] / np.linalg.norm(f[a]) / np.linalg.norm(f[b]) for b in range(N)]
            for b in sorted(range(N), key=lambda b: -cosine[b])[:k]:
                graph[a, b] = 1
        degree = graph.sum(1)
        graphs[m] = graph / np.sqrt(np.outer(degree, degree))
    return image_weight * graphs["image"] + (1 - image_weight) * graphs["text"]


def test_freedom(train: Interactions, features: ItemFeatures) -> None:
    options = {
        "embedding_size": D, "n_layers": 2, "n_item_layers": 2, "neighbours": 2,
        "image_weight": 0.3, "edge_dropout": 0.0, "modality_weight": 0.5,
    }  # fmt: skip
    model = create_backbone("freedom", train, features, options)
    free = model.nodes.detach().numpy().astype(np.float64)
    nodes = layer_mean(dense_adjacency(PAIRS), free, 2)
    s = dense_item_graph(features, k=2, image_weight=0.3)
    final = nodes[M:] + s @ s @ free[M:]
    users, items = model.embed()
    close(users, nodes[:M])
    close(items, final)
    terms = model.loss(BATCH)
    close(terms["bpr"], bpr_loss(nodes[:M], final))
    for m in ("image", "text"):
        weight = model.content[m].weight.detach().numpy()
        projected = features.tables[m].numpy() @ weight.T
        close(terms[m], 0.5 * bpr_loss(nodes[:M], projected))


def test_freedom_trains_on_a_pruned_graph_and_ranks_on_the_full_one(
    train: Interactions, features: ItemFeatures
) -> None:
    options = {"embedding_size": D, "neighbours": 2, "edge_dropout": 0.5}
    model = create_backbone("freedom", train, features, options)
    before = [x.clone() for x in model.embed()]
    model.on_epoch_start(torch.Generator().manual_seed(0))
    kept = model.pruned.tensor.to_dense().numpy()[:M, M:] > 0
    assert kept.sum() == len(PAIRS) // 2
    pairs = [(int(u), int(i)) for u, i in zip(*np.nonzero(kept), strict=True)]
    assert set(pairs) < set(PAIRS)
    nodes = layer_mean(dense_adjacency(pairs), model.nodes.detach().numpy(), 2)
    s = dense_item_graph(features, k=2, image_weight=0.1)
    items = nodes[M:] + s @ model.nodes.detach().numpy()[M:]
    close(model.loss(BATCH)["bpr"], bpr_loss(nodes[:M], items))
    for a, b in zip(before, model.embed(), strict=True):
        assert torch.equal(a, b)


def test_freedom_with_one_modality_has_one_graph(
    train: Interactions, features: ItemFeatures
) -> None:
    options = {"embedding_size": D, "neighbours": 2}
    model = create_backbone("freedom", train, features.only("text"), options)
    expected = dense_item_graph(features, k=2, image_weight=0.0)
    close(model.item_graph.tensor.to_dense(), expected)


@pytest.mark.parametrize("rows", [3, 50])
@pytest.mark.parametrize("trainable", [True, False])
def test_projected_difference_is_the_same_both_ways(
    features: ItemFeatures, rows: int, trainable: bool
) -> None:
    table = FeatureTable(features.tables["image"], trainable=trainable)
    linear = projection(4, D, torch.Generator().manual_seed(0))
    left, right = torch.randint(N, (2, rows), generator=torch.Generator().manual_seed(1))
    weight = torch.randn(rows, D, generator=torch.Generator().manual_seed(2))
    fast = projected_difference(table, linear, left, right)
    plain = linear(table(left)) - linear(table(right))
    torch.testing.assert_close(fast, plain)
    for parameter in (*table.parameters(), linear.weight):
        expected = torch.autograd.grad((plain * weight).sum(), parameter, retain_graph=True)
        found = torch.autograd.grad((fast * weight).sum(), parameter, retain_graph=True)
        torch.testing.assert_close(found, expected)
