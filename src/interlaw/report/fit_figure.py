"""A fit as a chart: loss against R of every budget, then R* against the budget."""

from __future__ import annotations

from dataclasses import replace

from interlaw.laws import LawFit
from interlaw.report.figure import Drawing
from interlaw.report.law_figure import draw_law
from interlaw.report.loss_figure import LossPanel, draw_loss
from interlaw.report.wording import budget_text


def draw_fit(fit: LawFit) -> Drawing:
    """The panels of the loss and, with several budgets, of the law; a fit knows shapes, not their seeds."""
    panels = [LossPanel(fit=each, seeds=(), budget_text=budget_text(each.budget, "params")) for each in fit.budgets]
    loss = draw_loss(panels, loss_unit="as in the table", confidence=fit.confidence)
    if len(fit.budgets) < 2:
        return loss
    law, beside = draw_law(fit), loss.panels[0]
    last = replace(law.panels[0], note="grey: shapes tried; blue: the law", width=beside.width, height=beside.height)
    return replace(loss, message=law.message, panels=(*loss.panels, last))
