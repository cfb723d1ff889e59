"""Text batches sorted by length and trimmed, against the same texts padded to the limit.

A random CLIP text tower (its weights do not matter for speed) encodes texts whose lengths are
drawn like those of product metadata: many short fields, some descriptions at the limit. Both ways
run in turns in one process; what is reported is the ratio of their medians, next to the ratio of
the tokens that each of them computes, which is what one can hope for at most per token.

    python benchmarks/text_batches.py
    python benchmarks/text_batches.py --positions 248 --texts 1024 --layers 12 --width 768
"""

import argparse
import json
import time

import numpy as np
import torch
import transformers

from cliper.encoders.text_batches import encode_sequences, length_batches, padded


def sequences_like_metadata(count: int, positions: int, seed: int) -> list[np.ndarray]:
    """Four fields per item: brand (3 to 6 tokens), categories, title, description (heavy tail)."""
    generator = np.random.default_rng(seed)
    quarter = count // 4
    lengths = np.concatenate(
        [
            generator.integers(3, 7, quarter),
            generator.integers(6, 16, quarter),
            generator.integers(8, 30, quarter),
            generator.lognormal(4.4, 0.9, count - 3 * quarter).astype(np.int64),
        ]
    )
    inner = generator.permutation(np.clip(lengths, 1, positions - 2))
    return [
        np.concatenate(([49406], generator.integers(0, 49000, size), [49407])) for size in inner
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--positions", type=int, default=77)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--rows", type=int, default=32, help="longest texts in one batch")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    limit, rows = arguments.positions, arguments.rows
    tower = transformers.CLIPTextModel(
        transformers.CLIPTextConfig(
            hidden_size=arguments.width,
            intermediate_size=4 * arguments.width,
            num_hidden_layers=arguments.layers,
            num_attention_heads=arguments.width // 64,
            max_position_embeddings=limit,
        )
    ).eval()
    sequences = sequences_like_metadata(arguments.texts, limit, seed=0)

    def forward(ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return tower(input_ids=ids).pooler_output

    def to_the_limit() -> np.ndarray:
        parts = [sequences[i : i + rows] for i in range(0, len(sequences), rows)]
        return torch.cat([forward(padded(part, 49407, limit)) for part in parts]).numpy()

    def trimmed() -> np.ndarray:
        return encode_sequences(
            sequences, forward, width=arguments.width, pad=49407, budget=rows * limit
        )

    ways = {"to_the_limit": to_the_limit, "sorted_and_trimmed": trimmed}
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    results = {}
    with torch.inference_mode():
        for way in ways.values():
            way()
        for _ in range(arguments.rounds):
            for name, way in ways.items():
                started = time.perf_counter()
                results[name] = way()
                seconds[name].append(time.perf_counter() - started)
    lengths = np.array([len(s) for s in sequences])
    spent = sum(len(b) * int(lengths[b].max()) for b in length_batches(lengths, rows * limit))
    medians = {name: float(np.median(times)) for name, times in seconds.items()}
    report = {
        "settings": vars(arguments),
        "texts_per_second": {name: round(len(sequences) / s, 1) for name, s in medians.items()},
        "speed_up": round(medians["to_the_limit"] / medians["sorted_and_trimmed"], 2),
        "tokens_saved_factor": round(len(sequences) * limit / spent, 2),
        "padding_share_left": round(1 - int(lengths.sum()) / spent, 4),
        "largest_difference": float(np.abs(np.subtract(*results.values())).max()),
        "largest_value": float(np.abs(results["to_the_limit"]).max()),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
