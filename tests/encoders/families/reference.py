"""CLIP from scratch in OpenAI's layout, on `nn.MultiheadAttention`: what loaders are held to."""

import torch
from torch import nn
from torch.nn.functional import gelu

LONG = 248


class Block(nn.Module):
    quick = True  # the activation: quick GELU, or GELU

    def __init__(self, width: int, head_width: int = 64) -> None:
        super().__init__()
        self.attn = nn.MultiheadAttention(width, width // head_width)
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.Module()
        self.mlp.c_fc, self.mlp.c_proj = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
        y = self.ln_1(x)
        x = x + self.attn(y, y, y, need_weights=False, attn_mask=mask)[0]
        y = self.mlp.c_fc(self.ln_2(x))
        return x + self.mlp.c_proj(y * torch.sigmoid(1.702 * y) if self.quick else gelu(y))


class Stack(nn.Module):
    def __init__(self, width: int, depth: int, head_width: int = 64) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, head_width) for _ in range(depth))

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        x = x.transpose(0, 1)
        for block in self.resblocks:
            x = block(x, mask)
        return x.transpose(0, 1)


class Visual(nn.Module):
    def __init__(self, width: int, side: int, patch: int, out: int, head_width: int = 64) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(width))
        self.positional_embedding = nn.Parameter(torch.randn((side // patch) ** 2 + 1, width))
        self.ln_pre, self.ln_post = nn.LayerNorm(width), nn.LayerNorm(width)
        self.transformer = Stack(width, 2, head_width)
        self.proj = nn.Parameter(torch.randn(width, out) / width**0.5)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        patches = self.conv1(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(pixels), 1, -1)
        x = torch.cat([first, patches], dim=1) + self.positional_embedding
        return self.ln_post(self.transformer(self.ln_pre(x))[:, 0]) @ self.proj


class Reference(nn.Module):
    """CLIP, or Long-CLIP where `long`: two tables under complementary masks, never merged."""

    def __init__(
        self,
        long: bool,
        width: int = 128,
        out: int = 16,
        *,
        visual: tuple[int, int] = (128, 64),
        head_width: int = 64,
    ) -> None:
        super().__init__()
        positions = LONG if long else 77
        self.visual = Visual(visual[0], 32, 8, out, visual[1])
        self.transformer = Stack(width, 2, head_width)
        self.token_embedding = nn.Embedding(49408, width)
        self.positional_embedding = nn.Parameter(torch.randn(positions, width))
        if long:
            self.positional_embedding_res = nn.Parameter(torch.randn(positions, width))
        self.ln_final = nn.LayerNorm(width)
        self.text_projection = nn.Parameter(torch.randn(width, out) / width**0.5)
        self.logit_scale = nn.Parameter(torch.tensor(4.6))
        for name, parameter in self.named_parameters():
            if "ln_" in name or "bias" in name:
                parameter.data.add_(0.1 * torch.randn(parameter.shape))

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        positions = self.positional_embedding
        if hasattr(self, "positional_embedding_res"):
            early = (torch.arange(len(positions)) < 20).float()[:, None]
            positions = positions * early + self.positional_embedding_res * (1 - early)
        mask = torch.full((ids.shape[1], ids.shape[1]), float("-inf")).triu(1)
        x = self.transformer(self.token_embedding(ids) + positions, mask)
        return self.ln_final(x)[torch.arange(len(ids)), ids.argmax(1)] @ self.text_projection


def openai_ids(hf_tokenizer, texts, length) -> torch.Tensor:
    """OpenAI's rule: zeros behind, the end token last where the text is cut."""
    table = torch.zeros(len(texts), length, dtype=torch.long)
    for row, text in enumerate(texts):
        ids = [49406, *hf_tokenizer(text, add_special_tokens=False)["input_ids"], 49407]
        if len(ids) > length:
            ids = [*ids[: length - 1], 49407]
        table[row, : len(ids)] = torch.tensor(ids)
    return table
