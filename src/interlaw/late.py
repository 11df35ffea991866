"""Names of a stage that are loaded on first use: what a command does not need costs it nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def late_names(stage: str, homes: Mapping[str, tuple[str, ...]]) -> Callable[[str], Any]:
    """The `__getattr__` of a stage.

    Args:
        stage: The stage's module, `interlaw.sweep` say.
        homes: File of the stage to the names that it defines.

    Returns:
        What finds a name, loading its file; a name of none raises AttributeError.

    Example:
        >>> late_names("interlaw.shapes", {"size": ("parse_size",)})("parse_size")("3M")
        3000000
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def find(name: str) -> Any:
        if name not in home_of:
            raise AttributeError(f"module {stage!r} has no attribute {name!r}")
        return getattr(import_module(f"{stage}.{home_of[name]}"), name)

    return find
