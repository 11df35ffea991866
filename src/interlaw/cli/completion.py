"""What the shell offers after an option: the names that it takes, without loading anything heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from interlaw import shapes


def among(names: Iterable[str]) -> Callable[[str], list[str]]:
    """Offers those of the names that begin as what was typed (`incomplete`: typer knows the parameter by its name).

    Example:
        >>> among(("largest", "nearest"))("la")
        ['largest']
    """
    return lambda incomplete: [name for name in names if name.startswith(incomplete)]


def families(incomplete: str) -> list[str]:
    """Offers the shape families."""
    return among(tuple(shapes.FAMILIES))(incomplete)
