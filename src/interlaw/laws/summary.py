"""A fit in a few lines and as a table: what a prompt and a notebook show of it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from interlaw.laws.result import BudgetFit
from interlaw.laws.verdicts import status_text, verdict
from interlaw.size import format_size

if TYPE_CHECKING:
    import pandas as pd

    from interlaw.laws.fit import LawFit

MOST_LINES, WIDTH = 15, 118
MOST_BUDGETS = 5  # lines of budgets, largest last: the verdict speaks of the largest


def lines(fit: LawFit) -> list[str]:
    """The verdict's three lines, the largest budgets and how many notes there are: at most 15 lines."""
    found = []
    for label, words in verdict(fit).lines:
        found += textwrap.wrap(f"{label}: {words}", WIDTH, subsequent_indent="  ", max_lines=3, placeholder=" ...")
    shown = fit.budgets[-MOST_BUDGETS:]
    hidden = len(fit.budgets) - len(shown)
    found += [f"{format_size(each.budget):>6}  R* {_star(each)}, best {_best(each)}" for each in shown]
    notes = f"{len(fit.warnings)} notes in .warnings" if fit.warnings else "no notes"
    more = f"; {hidden} smaller budgets in .to_frame()" if hidden else ""
    return [*found[: MOST_LINES - 1], f"{notes}{more}; every test in verdict(fit).details"]


def frame(fit: LawFit) -> pd.DataFrame:
    """One row a budget: its status in words, R* with interval, best shape, loss interval."""
    import pandas as pd

    return pd.DataFrame([_row(each) for each in fit.budgets])


def _row(budget: BudgetFit) -> dict[str, Any]:
    star, near = budget.r_star, budget.loss_interval
    return {
        "budget": budget.budget,
        "params": budget.params_mean,
        "shapes": budget.num_shapes,
        "runs": budget.num_runs,
        "status": status_text(star),
        "r_star": star.value,
        "r_star_low": star.low,
        "r_star_high": star.high,
        "best_depth": budget.best.depth,
        "best_width": budget.best.width,
        "best_loss": budget.best.loss,
        "within_delta_low": None if near is None else near.low,
        "within_delta_high": None if near is None else near.high,
    }


def _star(budget: BudgetFit) -> str:
    star = budget.r_star
    if star.status != "optimum" or star.value is None:
        return f"{star.value:.3g} (given)" if star.value is not None else f"unknown ({status_text(star)})"
    return f"{star.value:.3g} ({star.low:.3g} to {star.high:.3g})"


def _best(budget: BudgetFit) -> str:
    return f"{budget.best.depth} x {budget.best.width}, loss {budget.best.loss_text}"
