"""Every figure of a run, in the order of the page, and all of them as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.files import save
from interlaw.report.claims_figure import CLAIMS
from interlaw.report.curves_figure import CURVES
from interlaw.report.figure import FIGURES, Drawing, register, specification
from interlaw.report.law_figure import LAW
from interlaw.report.loss_figure import LOSS
from interlaw.report.plane_figure import PLANE
from interlaw.report.published_figure import PUBLISHED
from interlaw.report.results import RunResults, load_results
from interlaw.report.saving import FORMATS, rendered
from interlaw.report.treatments_figure import TREATMENTS

for _figure in (LOSS, CLAIMS, PLANE, LAW, PUBLISHED, TREATMENTS, CURVES):
    register(_figure)


def drawings(results: RunResults) -> list[tuple[str, str, Drawing]]:
    """Name, heading and drawing of every figure that the run's data allow."""
    found = [(each.name, each.title, each.draw(results)) for each in FIGURES.everything().values()]
    return [(name, title, drawing) for name, title, drawing in found if drawing is not None]


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
        found = specification(drawing)
        for form in formats:
            path = Path(out_dir) / f"{name}.{form}"
            save(path, rendered(found, form=form))
            written.append(path)
    return written
