"""A run as figures and as one self-contained page."""

from interlaw.report.explorer import write_explorer
from interlaw.report.figures import write_figures
from interlaw.report.layers_figure import write_layers_figure
from interlaw.report.page import write_report
from interlaw.report.saving import require_figure_name
from interlaw.report.score_figure import draw_scores, score_panels, write_score_figure
from interlaw.report.server import ReportServer
from interlaw.report.sheet import SheetPart, plain_page
from interlaw.report.transfer_figure import write_transfer_figures
from interlaw.report.treatments_figure import write_treatments_figure
from interlaw.report.wording import Units, units_of

__all__ = [
    "ReportServer",
    "SheetPart",
    "Units",
    "draw_scores",
    "plain_page",
    "require_figure_name",
    "score_panels",
    "units_of",
    "write_explorer",
    "write_figures",
    "write_layers_figure",
    "write_report",
    "write_score_figure",
    "write_transfer_figures",
    "write_treatments_figure",
]
