"""Every figure of a run as files, ready for a paper or a talk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from interlaw.errors import InterlawError
from interlaw.report.curves_figure import draw_curves, learning_curves
from interlaw.report.law_figure import draw_law, draw_law_among_published, law_numbers
from interlaw.report.loss_figure import draw_loss, loss_panels
from interlaw.report.plane_figure import draw_planes, over_chance, planes
from interlaw.report.results import RunResults, load_results, treatments_compared
from interlaw.report.saving import FORMATS, rendered, save
from interlaw.report.style import style
from interlaw.report.treatments_figure import draw_treatments, treatment_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_figures(run_dir: str | Path, out_dir: str | Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Writes every figure that the run's data allow.

    Args:
        run_dir: A sweep's folder.
        out_dir: Where to write; made when it is missing.
        formats: Of `png`, `svg`, `pdf`.

    Returns:
        The files: `loss-against-ratio`, `interaction-plane` and `interaction-over-chance` (when interaction was
        measured), `best-ratio`, `best-ratio-published` (for text) and `learning-curves`, each in every format; with
        several learning-rate treatments, all but the last two once a treatment, named `-<treatment>`, and `treatments`,
        which compares them.

    Raises:
        InterlawError: No such format, no run, no trial that ended well, or a place that cannot be written.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown or not formats:
        raise InterlawError(
            f"expected figure formats of {', '.join(FORMATS)}, found {', '.join(unknown) or 'none'}; choose among them"
        )
    results = load_results(run_dir)
    folder = Path(out_dir)
    written = []
    for name, draw in drawings(results).items():
        with style():
            figure = draw()
            for form in formats:
                path = folder / f"{name}.{form}"
                save(path, rendered(figure, form=form))
                written.append(path)
    return written


def drawings(results: RunResults) -> dict[str, Callable[[], Figure]]:
    """Name to a function that draws the figure; nothing is drawn until it is called."""
    found: dict[str, Callable[[], Figure]] = {}
    treatments = tuple(dict.fromkeys(each.treatment for each in results.analyses))
    for treatment in treatments:
        analyses = tuple(each for each in results.analyses if each.treatment == treatment)
        suffix = f"-{treatment}" if len(treatments) > 1 else ""
        panels, numbers, measured = loss_panels(analyses[0]), law_numbers(analyses[0]), planes(analyses)
        found[f"loss-against-ratio{suffix}"] = partial(draw_loss, panels, units=results.units)
        if measured:
            found[f"interaction-plane{suffix}"] = partial(draw_planes, measured)
        if above := over_chance(measured):
            found[f"interaction-over-chance{suffix}"] = partial(draw_planes, above, excess=True)
        found[f"best-ratio{suffix}"] = partial(draw_law, numbers)
        if speaks_of_published(results):
            found.setdefault("best-ratio-published", partial(draw_law_among_published, numbers))
    if len(treatments) > 1:
        found["treatments"] = partial(_draw_treatments, results)
    curves = learning_curves(results)
    if any(curve.units for curve in curves):
        found["learning-curves"] = partial(draw_curves, curves, units=results.units)
    return found


def _draw_treatments(results: RunResults) -> Figure:
    """R* under each treatment, side by side."""
    comparison = treatments_compared(results)
    panels = treatment_panels(comparison, budget_kind=str(results.table["budget_kind"].iloc[0]))
    return draw_treatments(panels, units=results.units, confidence=comparison.confidence)


def speaks_of_published(results: RunResults) -> bool:
    """Whether published laws and models are about what this run learned: nearly all are about language models."""
    return results.task == "text"
