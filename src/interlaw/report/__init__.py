"""A run as figures and as one self-contained page."""

from interlaw.report.figures import write_figures
from interlaw.report.page import write_report
from interlaw.report.score_figure import draw_scores, score_panels, write_score_figure

__all__ = ["draw_scores", "score_panels", "write_figures", "write_report", "write_score_figure"]
