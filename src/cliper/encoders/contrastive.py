"""InfoNCE between images and several views of text, for every fit on a catalogue's own pairs."""

import torch
from torch import Tensor
from torch.nn.functional import normalize


def info_nce(
    text: Tensor,
    image: Tensor,
    present: Tensor,
    group: Tensor,
    log_scale: Tensor,
    image_group: Tensor | None = None,
) -> Tensor:
    """Symmetric InfoNCE (arXiv 2103.00020, fig. 3) of every view against the image, a mean.

    An item whose text of the view, or whose picture, is the same as the query's own would be a
    right answer too, so it is left out of the negatives, in both directions.

    Args:
        text: (C, b, D); image: (b, D), neither normalised.
        present: bool (C, b), absent views are no query and no candidate.
        group: int64 (C, b), equal where two texts of a view are equal.
        log_scale: log of the inverse temperature, a scalar.
        image_group: int64 (b,), equal where two pictures are equal; None where all differ.

    >>> views, image = torch.eye(2)[None], torch.eye(2)
    >>> everything, apart = torch.ones(1, 2, dtype=torch.bool), torch.tensor([[0, 1]])
    >>> round(float(info_nce(views, image, everything, apart, torch.tensor(0.0))), 4)
    0.3133
    """
    unit = normalize(image, dim=-1)
    logits = torch.einsum("cbd,nd->cbn", normalize(text, dim=-1), unit) * log_scale.exp()
    same = group.unsqueeze(2) == group.unsqueeze(1)
    if image_group is not None:
        same = same | (image_group.unsqueeze(1) == image_group.unsqueeze(0))
    own = torch.eye(len(image), dtype=torch.bool, device=image.device)
    hidden = (same & ~own) | ~(present.unsqueeze(2) & present.unsqueeze(1))
    logits = logits.masked_fill(hidden & ~own, -torch.inf)
    positive = logits.diagonal(dim1=1, dim2=2)
    losses = torch.logsumexp(logits, 2) + torch.logsumexp(logits, 1) - 2 * positive
    return losses[present].mean() / 2
