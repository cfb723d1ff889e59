"""SASRec against its paper's formulas, and its block against PyTorch's own encoder layer."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from cliper.backbones import create_backbone
from cliper.backbones.sasrec import Block
from cliper.testing.conformance import BackboneConformance

D = 4


class TestSasRec(BackboneConformance):
    backbone = "sasrec"
    options = {"embedding_size": 32, "dropout": 0.2}  # noqa: RUF012
    alternatives = {"max_length": 3}  # noqa: RUF012


def as_numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().numpy().astype(np.float64)


def layer_norm(x: np.ndarray, norm: nn.LayerNorm) -> np.ndarray:
    rows = [(row - row.mean()) / math.sqrt(((row - row.mean()) ** 2).mean() + 1e-5) for row in x]
    return np.array(rows) * as_numpy(norm.weight) + as_numpy(norm.bias)


def attention(x: np.ndarray, block: Block) -> np.ndarray:
    """Eq. 2-3, place by place."""
    q, k, v = (x @ as_numpy(w.weight).T for w in (block.query, block.key, block.value))
    found = np.zeros_like(x)
    for t in range(len(x)):
        weights = [math.exp(q[t] @ k[s] / math.sqrt(D)) for s in range(t + 1)]
        for s in range(t + 1):
            found[t] += weights[s] / sum(weights) * v[s]
    return found


def expected_states(model, items: np.ndarray) -> np.ndarray:
    """Eq. 1 to 4 of one sequence."""
    x = items + as_numpy(model.positions)[model.max_length - len(items) :]
    for block in model.blocks:
        x = x + attention(layer_norm(x, block.before_attention), block)
        y = layer_norm(x, block.before_forward)
        inner = np.maximum(y @ as_numpy(block.inner.weight).T + as_numpy(block.inner_bias), 0)
        x = x + inner @ as_numpy(block.outer.weight).T + as_numpy(block.outer_bias)
    return x


def shaken(tiny, **options):
    """A model without a zero or one in it."""
    model = create_backbone("sasrec", tiny.train, tiny.features, {"embedding_size": D, **options})
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


@pytest.mark.parametrize("blocks", [1, 3])
def test_states(tiny, blocks: int) -> None:
    model = shaken(tiny, n_blocks=blocks, max_length=6)
    read = [1, 0, 3, 5, 2]
    items = model.describe(torch.tensor(read))
    states = model.states(items, torch.tensor([5]))
    np.testing.assert_allclose(as_numpy(states), expected_states(model, as_numpy(items)), rtol=1e-4)


def test_scores_are_last_states_times_items(tiny) -> None:
    model = shaken(tiny)
    items = as_numpy(model.describe())
    stamped = sorted(zip(tiny.train.timestamp, tiny.pairs, strict=True))
    scores = model.scorer()(torch.arange(5))
    for u in range(5):
        read = [i for _, (v, i) in stamped if v == u]
        expected = items @ expected_states(model, items[read])[-1]
        np.testing.assert_allclose(as_numpy(scores[u]), expected, rtol=1e-4, atol=1e-5)


def test_the_block_is_that_of_pytorch() -> None:
    """Pre-norm encoder layer, causal, one head, with an identity for the output map."""
    block = Block(8, torch.Generator().manual_seed(0))
    theirs = nn.TransformerEncoderLayer(8, 1, 8, dropout=0.0, batch_first=True, norm_first=True)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter += 0.3
        maps = [block.query.weight, block.key.weight, block.value.weight]
        theirs.self_attn.in_proj_weight.copy_(torch.cat(maps))
        theirs.self_attn.in_proj_bias.zero_()
        theirs.self_attn.out_proj.weight.copy_(torch.eye(8))
        theirs.self_attn.out_proj.bias.zero_()
        theirs.norm1.load_state_dict(block.before_attention.state_dict())
        theirs.norm2.load_state_dict(block.before_forward.state_dict())
        theirs.linear1.weight.copy_(block.inner.weight)
        theirs.linear1.bias.copy_(block.inner_bias)
        theirs.linear2.weight.copy_(block.outer.weight)
        theirs.linear2.bias.copy_(block.outer_bias)
    x = torch.randn(3, 5, 8, generator=torch.Generator().manual_seed(1))
    ours = x + block.attend(block.before_attention(x))
    ours = ours + block.forward_layer(block.before_forward(ours))
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    torch.testing.assert_close(ours, theirs(x, src_mask=mask, is_causal=True))
