import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cliper.encoders.limits import TextCounts, chunks, limited, truncate
from cliper.encoders.text_batches import (
    encode_sequences,
    length_batches,
    mean_by_owner,
    padded,
)

lengths = st.lists(st.integers(1, 80), max_size=60).map(lambda v: np.array(v, dtype=np.int64))


@given(lengths, st.integers(1, 300))
def test_batches_cover_everything_once_within_the_budget(sizes, budget):
    batches = list(length_batches(sizes, budget))
    assert sorted(i for b in batches for i in b) == list(range(len(sizes)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * sizes[batch].max() <= budget
        assert len(batch) <= 8 or sizes[batch].min() >= 0.75 * sizes[batch].max()
    order = [sizes[i] for b in batches for i in b]
    assert order == sorted(order, reverse=True)


@given(lengths, st.integers(1, 300))
@settings(deadline=None)
def test_results_come_back_in_input_order_and_duplicates_run_once(sizes, budget):
    generator = np.random.default_rng(len(sizes))
    sequences = [generator.integers(0, 3, size) for size in sizes]
    seen: list[tuple[int, ...]] = []

    def forward(ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        assert ids.numel() <= budget or len(ids) == 1
        rows = [tuple(row[row != 9].tolist()) for row in ids]
        assert torch.equal((ids != 9).long(), torch.ones_like(ids) if mask is None else mask)
        seen.extend(rows)
        return torch.tensor([[len(r), sum(r)] for r in rows], dtype=torch.float64)

    result = encode_sequences(sequences, forward, width=2, pad=9, budget=budget)
    assert result.dtype == np.float32
    assert result.tolist() == [[len(s), s.sum()] for s in sequences]
    assert len(seen) == len(set(seen)) == len({tuple(s.tolist()) for s in sequences})


def test_little_padding_is_left():
    sizes = np.random.default_rng(0).integers(3, 248, 2000)
    batches = list(length_batches(sizes, 32 * 248))
    assert sum(len(b) * sizes[b].max() for b in batches) < 1.05 * sizes.sum()
    assert len(batches) < 1.3 * sizes.sum() / (32 * 248) + 20


def test_padding_against_a_loop():
    rows = [np.array([5, 6, 7]), np.array([8]), np.array([9, 10])]
    assert padded(rows, pad=0).tolist() == [[5, 6, 7], [8, 0, 0], [9, 10, 0]]
    assert padded(rows, pad=1, length=4).tolist() == [[5, 6, 7, 1], [8, 1, 1, 1], [9, 10, 1, 1]]


@given(st.integers(0, 40), st.integers(3, 12))
def test_truncation_keeps_the_end_token_last(size, limit):
    cut = truncate(np.arange(size), limit, before=[100], after=[101])
    assert cut[0] == 100 and cut[-1] == 101 and (cut == 101).sum() == 1
    assert len(cut) == min(size + 2, limit)
    assert cut[1:-1].tolist() == list(range(min(size, limit - 2)))


@given(st.integers(0, 60), st.integers(3, 12))
def test_chunks_hold_every_token_once_in_near_equal_parts(size, limit):
    parts = chunks(np.arange(size), limit, before=[100], after=[101])
    assert [t for part in parts for t in part[1:-1]] == list(range(size))
    assert all(len(p) <= limit and p[0] == 100 and p[-1] == 101 for p in parts)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert len(parts) == max(1, int(np.ceil(size / (limit - 2))))


def test_the_mean_of_chunks_is_no_sum():
    texts = [np.arange(2), np.arange(9), np.arange(0)]
    sequences, owners = limited(texts, 5, "chunk-mean", before=[100], after=[101])
    assert owners.tolist() == [0, 1, 1, 1, 2]
    rows = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    result = mean_by_owner(rows, owners, 3)
    expected = [rows[0], rows[1:4].mean(0), rows[4]]
    np.testing.assert_allclose(result, expected, rtol=1e-6)
    assert [len(s) for s in sequences] == [4, 5, 5, 5, 2]


def test_counts_add_up():
    total = TextCounts(3, 1, 0) + TextCounts(4, 0, 2)
    assert total == TextCounts(texts=7, truncated=1, chunked=2)


def test_nothing_gives_nothing():
    assert encode_sequences([], lambda ids, mask: ids, width=3, pad=0, budget=9).shape == (0, 3)


def test_rows_are_padded_all_the_way_where_the_tower_sees_its_padding():
    sequences = [np.arange(size) for size in (5, 2, 4)]
    shapes = []

    def forward(ids: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        shapes.append(tuple(ids.shape))
        return ids.sum(1, keepdim=True)

    result = encode_sequences(sequences, forward, width=1, pad=7, budget=18, padded_to=9)
    assert result[:, 0].tolist() == [10 + 4 * 7, 1 + 7 * 7, 6 + 5 * 7]
    assert shapes == [(2, 9), (1, 9)]
