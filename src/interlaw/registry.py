"""Names and what they stand for, which other packages can add to without a change here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import TypeVar

T = TypeVar("T")


class Registry(dict[str, T]):
    """A dictionary that also finds what installed packages declare as entry points of its group.

    `registry[name] = value` adds to this process alone. An entry point (`name = "package.module:value"` under the
    group in the other package's pyproject.toml) is found in every process, so also by the command line and by a
    sweep's workers. Iterating shows what this process knows; `everything` also loads the entry points.

    Args:
        group: Group of the entry points.
        known: What this package brings.

    Example:
        >>> colours = Registry("example.colours", {"red": 1})
        >>> colours["blue"] = 2
        >>> list(colours), "green" in colours
        (['red', 'blue'], False)
    """

    def __init__(self, group: str, known: Mapping[str, T]) -> None:
        super().__init__(known)
        self.group = group

    def __missing__(self, name: str) -> T:
        """What an installed package declares under the name.

        Raises:
            KeyError: None does.
        """
        value: T = _declared(self.group)[name].load()
        return value

    def __contains__(self, name: object) -> bool:
        """Whether the name stands for something, here or in an installed package."""
        return super().__contains__(name) or name in _declared(self.group)

    def everything(self) -> dict[str, T]:
        """What this process knows and what installed packages declare."""
        return {name: self[name] for name in [*self, *_declared(self.group)]}


@cache
def _declared(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name; which packages are installed does not change while a process runs."""
    return {found.name: found for found in entry_points(group=group)}
