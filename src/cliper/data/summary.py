"""What `prepare` says in the end: read, kept, dropped by reason."""

from cliper.data.dataset import Dataset

SummaryRow = tuple[str, str, int]


def prepare_summary(dataset: Dataset) -> list[SummaryRow]:
    """Rows (group, what, count) for a table, in the order of the work.

    Groups: `read`, `dropped rows`, `dropped items`, `dropped images`, `dropped fields`,
    `changed fields`, `kept`.
    """
    about = dataset.about
    rows: list[SummaryRow] = [
        ("read", "interactions" if what == "rows" else what, int(count))
        for what, count in about.get("read", {}).items()
        if count is not None
    ]
    for verb in ("dropped", "changed"):
        for section, reasons in about.get(verb, {}).items():
            rows += [(f"{verb} {section}", reason, int(n)) for reason, n in reasons.items()]
    rows.append(("kept", "users", len(dataset.users)))
    rows.append(("kept", "items", len(dataset.items)))
    rows.append(("kept", "interactions", len(dataset.interactions)))
    if about.get("equal_times"):
        what = "interactions at one moment of a user (split.seed draws their order)"
        rows.append(("kept", what, int(about["equal_times"])))
    if dataset.catalogue is not None:
        images = sum(name is not None for name in dataset.catalogue.images)
        rows.append(("kept", "images", images))
    for modality, feature in about.get("features", {}).items():
        shape = " × ".join(map(str, feature["shape"]))
        rows.append(("kept", f"{modality} features ({shape}), rows of zeros", feature["zero_rows"]))
    return rows
