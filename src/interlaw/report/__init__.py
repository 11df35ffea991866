"""A run as figures and as one self-contained page."""

from interlaw.report.figures import write_figures
from interlaw.report.page import write_report

__all__ = ["write_figures", "write_report"]
