"""Names and what they stand for, which other packages can add to without a change here."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from interlaw.errors import InterlawError, one_line

T = TypeVar("T")


class Registry(dict[str, T]):
    """A dictionary that also finds what installed packages declare as entry points of its group.

    `registry[name] = value` adds to this process alone. An entry point (`name = "package.module:value"` under the
    group in the other package's pyproject.toml) is found in every process, so also by the command line and by a
    sweep's workers. Iterating shows what this process knows; `names` also lists the entry points, and
    `everything` loads them.

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
            InterlawError: It cannot be loaded.
        """
        found = _declared(self.group)[name]
        try:
            value: T = found.load()
        except InterlawError:
            raise
        except (Exception, SystemExit) as error:  # another package's module may do anything when it is imported
            package = self.package_of(name)
            raise InterlawError(
                f"expected {found.value}, which {package} declares in {self.group}, to load, found "
                f"{type(error).__name__}: {one_line(error)}; update or remove {package}"
            ) from error
        return value

    def package_of(self, name: str) -> str:
        """The installed package that declares the name; interlaw for what this process knows without it."""
        found = None if super().__contains__(name) else _declared(self.group).get(name)
        return found.dist.name if found and found.dist else "interlaw"

    def __contains__(self, name: object) -> bool:
        """Whether the name stands for something, here or in an installed package."""
        return super().__contains__(name) or name in _declared(self.group)

    def names(self) -> list[str]:
        """Every name, those of this process first; nothing is loaded."""
        return list(dict.fromkeys([*self, *_declared(self.group)]))

    def everything(self) -> dict[str, T]:
        """What this process knows and what installed packages declare."""
        return {name: self[name] for name in self.names()}


@cache
def _declared(group: str) -> dict[str, EntryPoint]:
    """The entry points of a group by name."""
    return {found.name: found for found in _installed().select(group=group)}


@cache
def _installed() -> Any:
    """All entry points; which packages are installed does not change while a process runs."""
    return entry_points()
