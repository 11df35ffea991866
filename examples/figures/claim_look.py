"""What all figures of docs/claims.md share."""

from __future__ import annotations

import altair as alt


def finished(chart: alt.TopLevelMixin, title: str, subtitle: str | list[str] = "") -> alt.TopLevelMixin:
    """The chart with its message as the title."""
    return chart.properties(title=alt.Title(title, subtitle=subtitle))
