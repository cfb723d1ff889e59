"""MicroLens as its folders hold it."""

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from generated.sources.words import Words


@dataclass
class MicroLensTruth:
    """What is in the files that were written.

    Attributes:
        titles: video id → title, "" where it has none; videos without a line are not in it.
        categories: video id → category.
        pairs: user, video and time, in the `.csv` file's order.
    """

    titles: dict[str, str] = field(default_factory=dict)
    categories: dict[str, str] = field(default_factory=dict)
    pairs: list[tuple[str, str, int]] = field(default_factory=list)


def write_microlens(
    folder: Path, *, n_videos: int, n_users: int, n_pairs: int, size: str = "100k", seed: int = 0
) -> MicroLensTruth:
    """Write pairs (both forms), titles and categories.

    Among the titles: commas with quotes and without, empty ones, and videos without a line.
    """
    random = Random(seed)
    words = Words(random)
    truth = MicroLensTruth()
    titles = []
    for number in range(1, n_videos + 1):
        video, title = str(number), words.text(2, 9)
        truth.categories[video] = words.text(1, 1)
        odd = random.random()
        if odd < 0.05:
            continue
        if odd < 0.1:
            title = ""
        elif odd < 0.3:
            title = f'{title}, "{words.text(1, 2)}", more'
        truth.titles[video] = title
        bare = odd < 0.2 and '"' not in title
        quoted = title.replace('"', '""')
        titles.append(f"{video},{title}" if bare or "," not in title else f'{video},"{quoted}"')
    seen = set()
    while len(truth.pairs) < n_pairs:
        user = str(int(n_users * random.random() ** 1.2) + 1)
        video = str(int(n_videos * random.random() ** 1.5) + 1)
        if (user, video) not in seen:
            seen.add((user, video))
            truth.pairs.append((user, video, random.randrange(15 * 10**11, 17 * 10**11)))
    histories: dict[str, list[tuple[int, str]]] = {}
    for user, video, time in truth.pairs:
        histories.setdefault(user, []).append((time, video))
    folder.mkdir(parents=True, exist_ok=True)
    name = f"MicroLens-{size}"
    rows = [f"{user},{video},{time}" for user, video, time in truth.pairs]
    (folder / f"{name}_pairs.csv").write_text("\n".join(["user,item,timestamp", *rows]) + "\n")
    lines = [
        f"{user}\t{' '.join(video for _, video in sorted(history))}"
        for user, history in histories.items()
    ]
    (folder / f"{name}_pairs.tsv").write_text("\n".join(lines) + "\n")
    (folder / f"{name}_title_en.csv").write_text("\n".join(titles) + "\n")
    tags = [f"{video},{category}" for video, category in truth.categories.items()]
    (folder / "tags_to_summary.csv").write_text("\n".join(tags) + "\n")
    return truth
