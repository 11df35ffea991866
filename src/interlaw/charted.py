"""Results that have a chart."""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Charted:
    """A result that draws itself."""

    def plot(self) -> Any:
        """Its chart, the one of pages and reports.

        Which one depends on the result. A measurement: the AOFE-ratio with its interval, beside chance and a plain
        average. Layers: what exceeds chance in each, and the same quantities over blocks. A fit: loss against R of
        every budget, and R* against the budget. A recommendation: predicted loss of every shape, and where it stands
        among published lines and models. A tracker: interaction over steps, with its level by chance, and the loss.

        Returns:
            An Altair chart: a notebook shows it, and `.save("x.pdf")` writes it.
        """
        # charts lie to the right of the results' stages: imported when asked for, by the package's public name
        return import_module("interlaw").chart_of(self)
