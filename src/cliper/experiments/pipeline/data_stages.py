"""The stages that write the dataset."""

from dataclasses import dataclass
from typing import Any

from cliper.data.fetch.settings import FetchSettings
from cliper.experiments.pipeline.keys import (
    file_facts,
    key_of,
    prepared_hash,
)
from cliper.experiments.pipeline.pipeline import Pipeline
from cliper.experiments.pipeline.records import Entry
from cliper.experiments.pipeline.stage import Context, Stage


@dataclass
class PrepareStage(Stage):
    """Raw files become the dataset."""

    pipeline: Pipeline
    name = "prepare"
    needs_dataset = False

    def key(self, context: Context) -> str:
        """Options, where the dataset goes, and the source files."""
        section = self.pipeline.sections.prepare
        assert section is not None
        return key_of(
            section.model_dump(mode="json", exclude_none=True),
            str(self.pipeline.dataset_path),
            file_facts(section.reader.sources()),
        )

    def is_there(self, context: Context, entry: Entry) -> bool:
        """The dataset is the one that it wrote, whatever pictures came since."""
        dataset = context.dataset_or_none()
        return dataset is not None and prepared_hash(dataset) == entry.facts.get("prepared")

    def run(self, context: Context) -> dict[str, Any]:
        """See `Reader.prepare`."""
        section = self.pipeline.sections.prepare
        assert section is not None
        context.renew(None)
        section.reader.prepare(self.pipeline.dataset_path)
        counts = context.dataset.about.get("counts", {})
        return {
            "prepared": prepared_hash(context.dataset),
            "dataset": str(self.pipeline.dataset_path),
            **counts,
        }


@dataclass
class ImagesStage(Stage):
    """Addresses become pictures."""

    settings: FetchSettings
    name = "images"

    def key(self, context: Context) -> str:
        """Limits, and the dataset apart from what they give."""
        return key_of(self.settings.model_dump(mode="json"), prepared_hash(context.dataset))

    def is_there(self, context: Context, entry: Entry) -> bool:
        """The dataset has these pictures still."""
        return context.dataset.hash == entry.facts.get("hash")

    def run(self, context: Context) -> dict[str, Any]:
        """See `fetch_images`."""
        from cliper.data.fetch import fetch_images  # nobody else needs an HTTP client

        renewed, report = fetch_images(context.dataset, self.settings)
        context.renew(renewed)
        return {
            "hash": renewed.hash,
            "fetched": report.fetched,
            "had_image": report.had_image,
            "without_image": report.without_image,
        }
