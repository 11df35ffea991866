"""Numbers of a table's cells; what is not known is a dash."""

from __future__ import annotations


def shown(value: float | None, form: str) -> str:
    """A number in its column's format.

    Example:
        >>> shown(0.0213, ".3f"), shown(None, ".3f")
        ('0.021', '-')
    """
    return "-" if value is None else f"{value:{form}}"


def span(low: float | None, high: float | None, form: str) -> str:
    """An interval; where the data set one bound or none, that.

    Example:
        >>> span(0.01, 0.05, ".3f"), span(None, 0.05, ".3f"), span(None, None, ".3f")
        ('0.010 to 0.050', 'below 0.050', '-')
    """
    if low is None or high is None:
        return "-" if low == high else f"below {high:{form}}" if low is None else f"above {low:{form}}"
    return f"{low:{form}} to {high:{form}}"
