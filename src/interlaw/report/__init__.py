"""A run as figures and as one self-contained page; the chart of every result."""

from interlaw.report.evidence_figure import draw_evidence, write_evidence_figure
from interlaw.report.explorer import write_explorer
from interlaw.report.figure import Drawing, Figure, Panel, chart_of, register, whole
from interlaw.report.figures import write_figures
from interlaw.report.fit_figure import draw_fit
from interlaw.report.frontier_figure import draw_frontier, write_frontier_figure
from interlaw.report.interaction_figure import draw_interaction
from interlaw.report.layers_figure import write_layers_figure
from interlaw.report.packaged import demo_page
from interlaw.report.page import write_report
from interlaw.report.saving import require_figure_name, write_chart
from interlaw.report.score_figure import draw_scores, score_panels, write_score_figure
from interlaw.report.server import ExplorerServer, ReportServer
from interlaw.report.sheet import SheetPart, plain_page
from interlaw.report.tracking_figure import draw_tracking
from interlaw.report.transfer_figure import write_transfer_figures
from interlaw.report.treatments_figure import write_treatments_figure
from interlaw.report.wording import Units, units_of

__all__ = [
    "Drawing",
    "ExplorerServer",
    "Figure",
    "Panel",
    "ReportServer",
    "SheetPart",
    "Units",
    "chart_of",
    "demo_page",
    "draw_evidence",
    "draw_fit",
    "draw_frontier",
    "draw_interaction",
    "draw_scores",
    "draw_tracking",
    "plain_page",
    "register",
    "require_figure_name",
    "score_panels",
    "units_of",
    "whole",
    "write_chart",
    "write_evidence_figure",
    "write_explorer",
    "write_figures",
    "write_frontier_figure",
    "write_layers_figure",
    "write_report",
    "write_score_figure",
    "write_transfer_figures",
    "write_treatments_figure",
]
