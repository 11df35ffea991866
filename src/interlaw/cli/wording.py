"""Numbers of a table's cells; what is not known is a dash."""

from __future__ import annotations

from interlaw import report


def shown(value: float | None, form: str) -> str:
    """A number in its column's format.

    Example:
        >>> shown(0.0213, ".3f"), shown(None, ".3f")
        ('0.021', '-')
    """
    return "-" if value is None else f"{value:{form}}"


def span(low: float | None, high: float | None, form: str) -> str:
    """An interval in its column's format."""
    return report.span(low, high, form, unknown="-")
