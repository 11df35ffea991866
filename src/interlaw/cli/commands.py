"""Which commands there are: interlaw's own, and those that other packages declare as `interlaw.commands`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

import typer
from typer import Option
from typer.core import TyperGroup

import interlaw
from interlaw.cli.output import tell_mistake
from interlaw.errors import InterlawError, one_line
from interlaw.registry import Registry

# in the order of the help; each stands in the module of its name, which is imported when the command is called
OWN = (
    "quickstart demo init shapes measure diff layers sweep status watch export rerun fit report recommend evidence "
    "explore compare compare-treatments check-parametrization doctor"
)
COMMANDS: Registry[Callable[..., None]] = Registry(
    "interlaw.commands",
    {name: f"interlaw.cli.{part}:{part}" for name in OWN.split() for part in [name.replace("-", "_")]},
)


class Built(Mapping[str, Any]):
    """Typer's commands by name, each built when it is asked for; one of another package is loaded only then."""

    def __init__(self) -> None:
        self._built: dict[str, object] = {}
        self.broken: dict[str, InterlawError] = {}  # what going through them left out

    def __getitem__(self, name: str) -> Any:
        """One command; InterlawError where it cannot be loaded, or Typer cannot read its arguments."""
        if name not in self._built:
            function = COMMANDS[name]
            alone = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
            try:
                alone.command(name)(function)
                self._built[name] = typer.main.get_command(alone)
            except Exception as error:
                raise InterlawError(
                    f"expected a function with Typer's annotations for the command {name!r}, found {function!r}: "
                    f"{one_line(error)}; update or remove the package that brings it"
                ) from error
        return self._built[name]

    def __iter__(self) -> Iterator[str]:
        for name in COMMANDS.names():
            try:
                self[name]
            except InterlawError as error:
                self.broken[name] = error
            else:
                yield name

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Group(TyperGroup):
    """The command line, whose commands are built late."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self.built = Built()
        self.commands = self.built  # type: ignore[assignment]  # it is only read

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """The list of commands; those that it had to leave out are named on stderr."""
        super().format_commands(ctx, formatter)
        for name, error in self.built.broken.items():
            tell_mistake(f"left out the command {name!r}: {error}")


app = typer.Typer(
    name="interlaw",
    cls=Group,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def print_version(wanted: bool) -> None:
    """Prints the version and ends, before a command is asked for."""
    if wanted:
        print(f"interlaw {interlaw.__version__}")  # noqa: T201
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, Option("--version", help="Print the version and end.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Neural interaction, depth-width shape and generalization: measure, sweep, fit, recommend."""


def options_of(arguments: list[str]) -> dict[str, str]:
    """The options of the command that was called, by the name of their argument."""
    try:
        called = Built()[arguments[0]]
    except (IndexError, KeyError, InterlawError):  # none, or one that cannot be loaded
        return {}
    return {each.name: max(each.opts, key=len) for each in called.params if "--" in each.opts[0]}
