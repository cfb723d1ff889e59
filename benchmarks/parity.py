"""Our models' scores and losses against those of other libraries, on the same parameters and data.

    python -m venv other && other/bin/pip install . torch-geometric cornac lenskit
    other/bin/pip install --no-deps recbole colorlog thop texttable tabulate plotly narwhals
    other/bin/python benchmarks/parity.py

The suite does not install these libraries (190 MB between them, and RecBole's pins suit none of the
others); it holds every model to its
paper's formulas by loops. Data: 300 users, 120 items, 3,000 random pairs, width 16. A row is the
largest difference of any score, relative to the largest score.
"""

import platform
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
import torch

from cliper.backbones import Batch, create_backbone
from cliper.data import Interactions, ItemFields, Vocabulary
from cliper.representation import random_features

USERS, ITEMS, WIDTH = 300, 120, 16


def interactions() -> Interactions:
    """3,000 distinct random pairs; every user and every item has some."""
    generator = np.random.default_rng(0)
    cells = generator.permutation(USERS * ITEMS)[:3000]
    return Interactions(
        Vocabulary(f"u{i}" for i in range(USERS)),
        Vocabulary(f"i{i}" for i in range(ITEMS)),
        cells // ITEMS,
        cells % ITEMS,
    )


def scores(model: torch.nn.Module) -> np.ndarray:
    with torch.inference_mode():
        found: torch.Tensor = model.eval().scorer()(torch.arange(USERS))  # type: ignore[operator]
    return found.numpy()


def batch() -> Batch:
    generator = torch.Generator().manual_seed(0)
    columns = (torch.randint(n, (256,), generator=generator) for n in (USERS, ITEMS, ITEMS))
    return Batch(*columns)


def difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


def lightgcn(train: Interactions) -> dict[str, float]:
    from torch_geometric.nn import LightGCN

    ours = create_backbone("lightgcn", train, None, {"embedding_size": WIDTH, "n_layers": 3})
    theirs = LightGCN(USERS + ITEMS, WIDTH, num_layers=3)
    with torch.no_grad():
        theirs.embedding.weight.copy_(ours.nodes)
    pairs = torch.from_numpy(np.stack([train.user_index, train.item_index + USERS]))
    edges = torch.cat([pairs, pairs.flip(0)], dim=1)
    with torch.inference_mode():
        nodes = theirs.get_embedding(edges)
    b = batch()
    rank = [
        theirs(edges, torch.stack([b.users, items + USERS])) for items in (b.positives, b.negatives)
    ]
    rows = torch.cat([b.users, b.positives + USERS, b.negatives + USERS])
    loss = theirs.recommendation_loss(*rank, node_id=rows, lambda_reg=0.5e-4)
    loss.backward()
    mine = sum(ours.loss(b).values())
    mine.backward()
    return {
        "scores": difference(scores(ours), (nodes[:USERS] @ nodes[USERS:].T).numpy()),
        "loss (λ 1e-4, theirs without the ½)": abs(float(mine / loss) - 1),
        "its gradient": difference(ours.nodes.grad.numpy(), theirs.embedding.weight.grad.numpy()),
    }


def cornac_data(train: Interactions, **modalities: object) -> object:
    import cornac

    data = cornac.data.Dataset.build(
        [
            (u, i, 1.0)
            for u, i in zip(train.user_index.tolist(), train.item_index.tolist(), strict=True)
        ],
        global_uid_map={u: u for u in range(USERS)},
        global_iid_map={i: i for i in range(ITEMS)},
    )
    data.add_modalities(**modalities)
    return data


def vbpr(train: Interactions) -> dict[str, float]:
    import cornac

    features = random_features(train.items.hash, ITEMS, width=24)
    options = {"embedding_size": WIDTH, "modalities": "image"}
    ours = create_backbone("vbpr", train, features, options)
    with torch.no_grad():
        ours.item_bias.normal_(generator=torch.Generator().manual_seed(0))
    gamma, theta = (t.detach().numpy() for t in ours.users.chunk(2, dim=1))
    content = ours.content["image"].weight.detach().numpy()
    table = ours.features["image"].table.numpy()
    theirs = cornac.models.VBPR(
        k=WIDTH,
        k2=WIDTH,
        trainable=False,
        init_params={
            "Bi": ours.item_bias.detach().numpy()[:, 0],
            "Gu": gamma,
            "Gi": ours.items.detach().numpy(),
            "Tu": theta,
            "E": content[:-1].T,
            "Bp": content[-1:].T,
        },
    )
    image = cornac.data.ImageModality(features=table, ids=list(range(ITEMS)))
    image.build(id_map={i: i for i in range(ITEMS)})
    theirs.fit(cornac_data(train, item_image=image))
    return {"scores": difference(scores(ours), np.stack([theirs.score(u) for u in range(USERS)]))}


def ease_of_cornac(train: Interactions) -> dict[str, float]:
    import cornac

    ours = create_backbone("ease", train, None, {"ridge": 50})
    theirs = cornac.models.EASE(lamb=50, posB=False, verbose=False).fit(cornac_data(train))
    found = np.stack([np.asarray(theirs.score(u)).ravel() for u in range(USERS)])
    return {"scores": difference(scores(ours), found)}


def neumf(train: Interactions) -> dict[str, float]:
    from cornac.models.ncf.backend_pt import NeuMF

    ours = create_backbone("neumf", train, None, {"embedding_size": WIDTH, "n_layers": 1})
    theirs = NeuMF(USERS, ITEMS, WIDTH, layers=(2 * WIDTH, WIDTH))
    with torch.no_grad():
        for table, name in ((ours.users, "user"), (ours.items, "item")):
            factors, network = table.chunk(2, dim=1)
            getattr(theirs.gmf, f"{name}_embedding").weight.copy_(factors)
            getattr(theirs.mlp, f"{name}_embedding").weight.copy_(network)
        theirs.mlp.mlp_model[0].weight.copy_(ours.tower[0].weight)
        theirs.mlp.mlp_model[0].bias.copy_(ours.tower[0].bias)
        theirs.logit.weight.copy_(ours.h.weight)
        theirs.logit.bias.zero_()
        users = torch.arange(USERS).repeat_interleave(ITEMS)
        found = theirs(users, torch.arange(ITEMS).repeat(USERS)).view(USERS, ITEMS).numpy()
    return {"scores after σ": difference(1 / (1 + np.exp(-scores(ours))), found)}


def lenskit_scores(train: Interactions, scorer: object) -> np.ndarray:
    import pandas as pd
    from lenskit.data import ItemList, RecQuery, from_interactions_df

    frame = pd.DataFrame({"user_id": train.user_index, "item_id": train.item_index})
    data = from_interactions_df(frame)
    scorer.train(data)  # type: ignore[attr-defined]
    every = ItemList(item_ids=np.arange(ITEMS))
    found = []
    for user in range(USERS):
        mine = ItemList(item_ids=np.sort(train.item_index[train.user_index == user]))
        answer = scorer(RecQuery(user_id=user, user_items=mine), every)  # type: ignore[operator]
        found.append(np.nan_to_num(answer.scores("numpy")))
    return np.stack(found)


def ease_of_lenskit(train: Interactions) -> dict[str, float]:
    from lenskit.knn import EASEScorer

    ours = create_backbone("ease", train, None, {"ridge": 50})
    theirs = lenskit_scores(train, EASEScorer(regularization=50))
    return {"scores": difference(scores(ours), theirs)}


def itemknn(train: Interactions) -> dict[str, float]:
    from lenskit.knn import ItemKNNScorer

    # All neighbours: which k are kept is another rule there.
    ours = create_backbone("itemknn", train, None, {"k": ITEMS})
    theirs = ItemKNNScorer(feedback="implicit", max_nbrs=ITEMS, min_nbrs=1, min_sim=1e-9)
    return {"scores": difference(scores(ours), lenskit_scores(train, theirs))}


def ngcf(train: Interactions) -> dict[str, float]:
    """RecBole's layers, one after another; its model divides each by its length, ours does not."""
    from recbole.model.layers import BiGNNLayer

    ours = create_backbone("ngcf", train, None, {"embedding_size": WIDTH, "message_dropout": 0})
    x = ours.nodes.detach()
    pairs = torch.from_numpy(np.stack([train.user_index, train.item_index + USERS]))
    edges = torch.cat([pairs, pairs.flip(0)], dim=1)
    degrees = torch.bincount(edges[0], minlength=USERS + ITEMS).float()
    values = (degrees[edges[0]] * degrees[edges[1]]).rsqrt()
    graph = torch.sparse_coo_tensor(edges, values, (USERS + ITEMS, USERS + ITEMS))
    layers = [x]
    for plain, affine in zip(ours.plain, ours.affine, strict=True):
        layer = BiGNNLayer(WIDTH, WIDTH)
        with torch.no_grad():
            layer.linear.weight.copy_(plain.weight)
            layer.interActTransform.weight.copy_(affine.weight)
            layer.linear.bias.zero_()
            layer.interActTransform.bias.zero_()
            layers.append(torch.nn.LeakyReLU(0.2)(layer(graph, None, layers[-1])))
    nodes = torch.cat(layers, dim=1)
    return {"scores": difference(scores(ours), (nodes[:USERS] @ nodes[USERS:].T).numpy())}


def gru4rec(train: Interactions) -> dict[str, float]:
    """RecBole's with the identity for its last map, over each user's items in order of time."""
    from recbole.model.sequential_recommender.gru4rec import GRU4Rec

    times = np.random.default_rng(1).permutation(len(train))
    ours = create_backbone(
        "gru4rec", replace(train, timestamp=times), None, {"embedding_size": WIDTH}
    )
    order = np.lexsort([times, train.user_index])
    counts = torch.from_numpy(train.user_counts())
    histories = torch.from_numpy(train.item_index[order] + 1).split(counts.tolist())
    padded = torch.nn.utils.rnn.pad_sequence(histories, batch_first=True)
    theirs = GRU4Rec.__new__(GRU4Rec)
    torch.nn.Module.__init__(theirs)
    theirs.item_embedding = torch.nn.Embedding(ITEMS + 1, WIDTH, padding_idx=0)
    theirs.emb_dropout, theirs.dense = torch.nn.Identity(), torch.nn.Identity()
    theirs.gru_layers = torch.nn.GRU(WIDTH, WIDTH, bias=False, batch_first=True)
    with torch.no_grad():
        theirs.item_embedding.weight[1:] = ours.ids
        for name, weights in theirs.gru_layers.named_parameters():
            weights.copy_(ours.gru.get_parameter(name))
        states = theirs.forward(padded, counts)
    found = states @ theirs.item_embedding.weight[1:].T
    return {"scores": difference(scores(ours), found.detach().numpy())}


def fm(train: Interactions) -> dict[str, float]:
    """RecBole's second-order term over user, item and the item's tokens, and the linear weights."""
    from recbole.model.layers import BaseFactorizationMachine

    has = np.random.default_rng(2).random((ITEMS, 9)) < 0.3
    tokens = tuple(("colour" if t < 4 else "maker", str(t)) for t in range(9))
    fields = ItemFields(train.items.hash, sp.csr_matrix(has, dtype=np.float32), tokens)
    ours = create_backbone("fm", train, None, {"embedding_size": WIDTH}, fields=fields)
    with torch.no_grad():
        for weights in (ours.item_weights, ours.token_weights):
            weights.normal_(generator=torch.Generator().manual_seed(0))
    counts = np.hstack([np.repeat(has[:, f].sum(1, keepdims=True), f.stop - f.start, 1) for f in (
        slice(0, 4), slice(4, 9)
    )])  # fmt: skip
    share = torch.from_numpy((has / np.maximum(counts, 1)).astype(np.float32))
    pairs = BaseFactorizationMachine(reduce_sum=True)
    found = []
    with torch.inference_mode():
        linear = ours.item_weights + (share @ ours.token_weights)[:, 0]
        content = torch.cat([ours.items[:, None], share[:, :, None] * ours.tokens], dim=1)
        for user in ours.users:
            rows = torch.cat([user.expand(ITEMS, 1, WIDTH), content], dim=1)
            found.append(linear + pairs(rows)[:, 0])
    return {"scores": difference(scores(ours), torch.stack(found).numpy())}


CHECKS: dict[str, tuple[str, Callable[[Interactions], dict[str, float]]]] = {
    "lightgcn": ("torch-geometric", lightgcn),
    "vbpr": ("cornac", vbpr),
    "neumf": ("cornac", neumf),
    "ease": ("cornac", ease_of_cornac),
    "ease ": ("lenskit", ease_of_lenskit),
    "itemknn": ("lenskit", itemknn),
    "ngcf": ("recbole", ngcf),
    "gru4rec": ("recbole", gru4rec),
    "fm": ("recbole", fm),
}


def old_names() -> None:
    """RecBole asks NumPy for names that it no longer has."""
    for name, kind in {
        "float_": np.float64,
        "complex_": np.complex128,
        "unicode_": np.str_,
    }.items():
        setattr(np, name, kind)


def main() -> None:
    train = interactions()
    old_names()
    print(
        f"{date.today()}, {platform.machine()}, torch {torch.__version__}. "
        "`python benchmarks/parity.py`\n\n| model | library | what | relative difference |\n"
        "|---|---|---|---:|"
    )
    for name, (library, check) in CHECKS.items():
        for what, found in check(train).items():
            print(f"| `{name.strip()}` | {library} {version(library)} | {what} | {found:.1e} |")


if __name__ == "__main__":
    main()
