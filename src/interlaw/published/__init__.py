"""Published language models: their shapes and scores as validated data, and what these say about the ratio."""

from interlaw.published.association import Association
from interlaw.published.comparison import PAPER_INTERVAL, Comparison, SharedRatio, compare_models, shared_ratios
from interlaw.published.correlation import Correlation, correlate
from interlaw.published.hf_config import row_from_config
from interlaw.published.lm_eval import HarnessScore, read_lm_eval, rows_from_lm_eval
from interlaw.published.nearest import nearest_rows
from interlaw.published.placement import Placement, place_rows
from interlaw.published.points import RatioPoint, published_ratio_points
from interlaw.published.row import PublishedRow, Variant, parse_tokens
from interlaw.published.selection import (
    HOMOGENEOUS_PROTOCOL,
    SIZE_BINS,
    ScoredModel,
    SizeBin,
    chance_ceiling,
    select_models,
)
from interlaw.published.sweeps import SWEEPS, Sweep, find_sweep, packaged_sweeps
from interlaw.published.table import append_rows, published_rows, read_rows

__all__ = [
    "HOMOGENEOUS_PROTOCOL",
    "PAPER_INTERVAL",
    "SIZE_BINS",
    "SWEEPS",
    "Association",
    "Comparison",
    "Correlation",
    "HarnessScore",
    "Placement",
    "PublishedRow",
    "RatioPoint",
    "ScoredModel",
    "SharedRatio",
    "SizeBin",
    "Sweep",
    "Variant",
    "append_rows",
    "chance_ceiling",
    "compare_models",
    "correlate",
    "find_sweep",
    "nearest_rows",
    "packaged_sweeps",
    "parse_tokens",
    "place_rows",
    "published_ratio_points",
    "published_rows",
    "read_lm_eval",
    "read_rows",
    "row_from_config",
    "rows_from_lm_eval",
    "select_models",
    "shared_ratios",
]
