"""Long-CLIP (Zhang et al. 2024, arXiv 2403.15378): CLIP with 248 positions, in OpenAI's layout.

Section 3.2 keeps CLIP's first 20 positions as they are and stretches the others to 248. The
published `.pt` holds two tables of 248 rows and adds them under complementary masks at every step;
here the sum is taken once: rows 0 to 19 of `positional_embedding`, rows 20 and on of
`positional_embedding_res`.
"""

from collections.abc import Mapping

import torch

KEPT_POSITIONS = 20
SECOND_TABLE = "positional_embedding_res"


def merge_positions(weights: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """The text tower's one positional table (L, width), from one table or from Long-CLIP's two.

    >>> one, two = torch.zeros(24, 2), torch.ones(24, 2)
    >>> both = {"positional_embedding": one, "positional_embedding_res": two}
    >>> merge_positions(both).sum(1).tolist() == [0.0] * 20 + [2.0] * 4
    True
    """
    first = weights["positional_embedding"]
    stretched = weights.get(SECOND_TABLE)
    if stretched is None:
        return first
    if stretched.shape != first.shape:
        raise ValueError(
            f"positional tables of {tuple(first.shape)} and {tuple(stretched.shape)} differ"
        )
    return torch.cat([first[:KEPT_POSITIONS], stretched[KEPT_POSITIONS:]])
