"""The figure beside an adaptation's report: retrieval per view, before and after."""

from collections.abc import Callable
from importlib.util import find_spec

from cliper.encoders.adaptation import AdaptationReport
from cliper.encoders.adaptation.report import FIGURE_FILE
from cliper.encoders.adaptation.retrieval import ViewRetrieval
from cliper.encoders.encode_report import EncodeReport
from cliper.files import write_text


def retrieval_figure(report: AdaptationReport) -> str:
    """An SVG of Recall@10 per view, the mean of both directions."""
    # Most encodings draw nothing, and matplotlib takes a second to import.
    from cliper.experiments.drawing.figures import Bar, comparison_bars

    groups = {
        name: [Bar("before", _recall(before)), Bar("after", _recall(after))]
        for name, before, after in report.cosines()
    }
    return comparison_bars(groups, f"{report.encoder}: Recall@10 of held-out pairs")


def with_figure(
    on_report: Callable[[EncodeReport], None] | None = None,
) -> Callable[[EncodeReport], None]:
    """A listener of `encode_dataset` that draws the figure, then passes the report on.

    Without matplotlib (`cliper[report]`) nothing is drawn; the numbers are in `report.md`.
    """
    can_draw = find_spec("matplotlib") is not None

    def listen(report: EncodeReport) -> None:
        if can_draw and report.adaptation is not None and report.adaptation_folder is not None:
            path = report.adaptation_folder / FIGURE_FILE
            if not path.is_file():
                write_text(path, retrieval_figure(report.adaptation))
        if on_report is not None:
            on_report(report)

    return listen


def _recall(view: ViewRetrieval) -> float:
    return (view.text_to_image.recall_at_10 + view.image_to_text.recall_at_10) / 2
