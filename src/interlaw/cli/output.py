"""What commands print: JSON alone on stdout, everything for people on stderr or as a table."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Option

from interlaw import report
from interlaw.cli.visible import visible
from interlaw.files import save
from interlaw.plain import plain

if TYPE_CHECKING:
    from interlaw.cli.console import PlainConsole

AsJson = Annotated[bool, Option("--json", help="Print the result as JSON on stdout and nothing else there.")]


def next_command(*words: object) -> str:
    """A command to copy into a shell: called by its place where the shell would not find its name, words quoted.

    Example:
        >>> next_command("fit", "runs/my sweep")
        "interlaw fit 'runs/my sweep'"
    """
    started_by_path = Path(sys.argv[0]).name == "interlaw" and not shutil.which("interlaw")
    return shlex.join([sys.argv[0] if started_by_path else "interlaw", *map(str, words)])


def print_json(values: Any) -> None:
    """Writes one JSON document to stdout; a number that JSON lacks (NaN, inf) becomes null."""
    sys.stdout.write(_document(values))


def write_json(values: Any, path: Path | None) -> None:
    """Writes the same document to a file where one was asked for, and says so; raises InterlawError as `save` does."""
    if path is not None:
        save(path, _document(values).encode())
        tell_written(path)


def _document(values: Any) -> str:
    return json.dumps(plain(values), indent=1, default=str) + "\n"


def write_figure(path: Path | None, draw: Callable[[], Any]) -> None:
    """Draws a figure where one was asked for, and says so."""
    if path is not None:
        tell_written(report.write_chart(path, draw()))


def tell(line: str) -> None:
    """One line for people, on stderr."""
    make_console().print(line)


def tell_written(path: Path, *, replaced: bool = False) -> None:
    """Says what was written, on stderr, and whether another file stood there."""
    tell(f"wrote {path}{', in place of the one that was there' if replaced else ''}")


def tell_mistake(message: str) -> None:
    """One line on stderr, whatever the message quotes."""
    print(f"interlaw: {visible(' '.join(message.split()))}", file=sys.stderr)  # noqa: T201


def make_console(*, stderr: bool = True) -> PlainConsole:
    """A console for what people read: on stderr, or on stdout where it is the result."""
    from interlaw.cli.console import PlainConsole  # rich only when something is shown

    console = PlainConsole(stderr=stderr)
    if not console.is_terminal:
        console.width = 1000  # a table is as wide as it needs: nothing is folded or cut in a pipe
    return console


def shown(value: float | None, form: str) -> str:
    """A number in its column's format.

    Example:
        >>> shown(0.0213, ".3f"), shown(None, ".3f")
        ('0.021', '-')
    """
    return "-" if value is None else f"{value:{form}}"
