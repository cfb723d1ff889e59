"""Pairs: who takes part, who is held out, who is the same."""

import numpy as np
import torch

from cliper.encoders.pairs import choose_pairs, row_groups, split_pairs


def test_only_items_with_both_are_chosen_and_at_most_so_many() -> None:
    text = np.array([[True, False, True, False], [False, False, True, True]])
    image = np.array([True, True, False, True])
    assert choose_pairs(text, image, 50_000, 0).tolist() == [0, 3]
    picked = choose_pairs(np.ones((1, 1000), bool), np.ones(1000, bool), 100, 0)
    assert len(set(picked.tolist())) == 100
    again = choose_pairs(np.ones((1, 1000), bool), np.ones(1000, bool), 100, 0)
    np.testing.assert_array_equal(picked, again)


def test_the_parts_are_disjoint_complete_and_of_the_size_asked_for() -> None:
    parts = split_pairs(torch.arange(1000), 0.15, torch.Generator().manual_seed(1))
    assert (len(parts.valid), len(parts.report)) == (150, 150)
    everyone = torch.cat([parts.train, parts.valid, parts.report])
    assert sorted(everyone.tolist()) == list(range(1000))
    again = split_pairs(torch.arange(1000), 0.15, torch.Generator().manual_seed(1))
    other = split_pairs(torch.arange(1000), 0.15, torch.Generator().manual_seed(2))
    assert torch.equal(parts.valid, again.valid)
    assert not torch.equal(parts.valid, other.valid)


def test_equal_pictures_are_in_one_part() -> None:
    group = torch.randint(0, 80, (400,), generator=torch.Generator().manual_seed(0))
    parts = split_pairs(group, 0.2, torch.Generator().manual_seed(3))
    sets = [set(group[rows].tolist()) for rows in (parts.train, parts.valid, parts.report)]
    assert not (sets[0] & sets[1] or sets[0] & sets[2] or sets[1] & sets[2])
    assert 60 <= len(parts.report) <= 80 and len(parts.valid) > 60


def test_held_out_parts_are_bounded() -> None:
    parts = split_pairs(torch.arange(1000), 0.4, torch.Generator().manual_seed(0), at_most=50)
    assert (len(parts.train), len(parts.valid), len(parts.report)) == (900, 50, 50)


def test_groups_are_by_bytes_and_the_absent_are_alone() -> None:
    rows = np.array([[1, 2], [0, 0], [1, 2], [0, 0], [0, 0]], np.float32)
    groups = row_groups(rows, np.array([True, True, True, False, False]))
    assert groups[0] == groups[2]
    assert len(set(groups.tolist())) == 4
