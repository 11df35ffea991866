"""Every figure of a run, in the order of the page, and all of them as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.files import save
from interlaw.report.claims_figure import claims_of_treatment
from interlaw.report.curves_figure import curves_of_run
from interlaw.report.figure import FIGURES, Drawing, Figure, once_a_treatment, register, specification
from interlaw.report.law_figure import draw_law
from interlaw.report.loss_figure import loss_of_treatment
from interlaw.report.plane_figure import plane_of_treatment
from interlaw.report.published_figure import published_of_treatment
from interlaw.report.results import RunResults, load_results
from interlaw.report.saving import FORMATS, rendered
from interlaw.report.treatments_figure import treatments_of_run

# of a run, in the order of the page: name, title, and what draws it
for _name, _title, _draw in (
    ("loss-against-ratio", "Loss against depth / width", once_a_treatment(loss_of_treatment)),
    ("claims", "The paper's claims, tested", once_a_treatment(claims_of_treatment)),
    ("interaction-plane", "Interaction plane", once_a_treatment(plane_of_treatment)),
    (
        "best-ratio",
        "Best depth / width against budget",
        once_a_treatment(lambda _, analyses: draw_law(analyses[0].fit)),
    ),
    ("best-ratio-published", "Beside published laws and models", once_a_treatment(published_of_treatment)),
    ("treatments", "Learning-rate treatments compared", treatments_of_run),
    ("learning-curves", "Learning curves", curves_of_run),
):
    register(Figure(name=_name, title=_title, draw=_draw))


def drawings(results: RunResults) -> list[tuple[str, str, Drawing]]:
    """Name, heading and drawing of every figure that the run's data allow."""
    drawn = [(each.name, each.title, each.draw(results)) for each in FIGURES.everything().values()]
    return [(name, title, drawing) for name, title, drawing in drawn if drawing is not None]


def write_figures(run_dir: str | Path, out_dir: str | Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Writes every figure that the run's data allow.

    Args:
        run_dir: A sweep's folder.
        out_dir: Where to write; made when it is missing.
        formats: Of `png`, `svg`, `pdf`.

    Returns:
        The files: each registered figure that has data, in every format.

    Raises:
        InterlawError: No such format, no run, no trial that ended well, or a place that cannot be written.
    """
    unknown = sorted(set(formats) - set(FORMATS))
    if unknown or not formats:
        raise InterlawError(
            f"expected figure formats of {', '.join(FORMATS)}, found {', '.join(unknown) or 'none'}; choose among them"
        )
    written = []
    for name, _, drawing in drawings(load_results(run_dir)):
        chart = specification(drawing)
        for form in formats:
            path = Path(out_dir) / f"{name}.{form}"
            save(path, rendered(chart, form=form))
            written.append(path)
    return written
