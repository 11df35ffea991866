"""Names and what they stand for, which other packages can add to without a change here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, TypeVar

from interlaw.errors import InterlawError, one_line

T = TypeVar("T")


class Registry(MutableMapping[str, T]):
    """Names of a kind of thing, also of those that installed packages declare as entry points of its group.

    `registry[name] = value` adds to this process alone. An entry point (`name = "package.module:value"` under the
    group in the other package's pyproject.toml) is there in every process, so also for the command line and for a
    sweep's workers. Iterating shows what this process knows; `names` also lists the entry points, and
    `everything` loads them. What this package brings keeps its name; one that two packages declare is refused.

    Args:
        group: Group of the entry points.
        known: What this package brings: a value, or as text "package.module:value", loaded when it is asked for.

    Example:
        >>> colours: Registry[int] = Registry("example.colours", {"red": 1, "pi": "math:pi"})
        >>> colours["blue"] = 2
        >>> list(colours), "green" in colours, colours["pi"] > 3
        (['red', 'pi', 'blue'], False, True)
    """

    def __init__(self, group: str, known: Mapping[str, T | str]) -> None:
        self.group = group
        self._known: dict[str, T | EntryPoint] = {
            name: EntryPoint(name, value, group) if isinstance(value, str) else value for name, value in known.items()
        }

    def __getitem__(self, name: str) -> T:
        """What stands for the name, here or in an installed package.

        Raises:
            KeyError: Nothing does.
            InterlawError: What an installed package declares cannot be loaded, or another package declares it too.
        """
        if name in self._known:
            known = self._known[name]
            own: T = known.load() if isinstance(known, EntryPoint) else known
            return own
        declared, package = _declared(self.group)[name], self.package_of(name)
        if len(declared) > 1:
            raise InterlawError(
                f"expected one package to declare {name!r} in {self.group}, found {package}; remove all but one"
            )
        try:
            value: T = declared[0].load()
        except InterlawError:
            raise
        except (Exception, SystemExit) as error:  # another package's module may do anything when it is imported
            raise InterlawError(
                f"expected {declared[0].value}, which {package} declares in {self.group}, to load, found "
                f"{type(error).__name__}: {one_line(error)}; update or remove {package}"
            ) from error
        return value

    def package_of(self, name: str) -> str:
        """The installed package that declares the name, or all that do; interlaw for what this process knows itself."""
        declared = [] if name in self._known else _declared(self.group).get(name, [])
        return " and ".join(sorted(each.dist.name for each in declared if each.dist)) or "interlaw"

    def __setitem__(self, name: str, value: T) -> None:
        self._known[name] = value

    def __delitem__(self, name: str) -> None:
        del self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, name: object) -> bool:
        """Whether the name stands for something, here or in an installed package."""
        return name in self._known or name in _declared(self.group)

    def names(self) -> list[str]:
        """Every name, those of this process first; nothing is loaded."""
        return list(dict.fromkeys([*self, *_declared(self.group)]))

    def everything(self) -> dict[str, T]:
        """What this process knows and what installed packages declare."""
        return {name: self[name] for name in self.names()}


@cache
def _declared(group: str) -> dict[str, list[EntryPoint]]:
    """The entry points of a group by name: several where packages contradict each other."""
    declared: dict[str, list[EntryPoint]] = {}
    for each in _installed().select(group=group):
        declared.setdefault(each.name, []).append(each)
    return declared


@cache
def _installed() -> Any:
    """All entry points; which packages are installed does not change while a process runs."""
    return entry_points()
