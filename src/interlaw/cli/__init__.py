"""The command line: one small file a command; mistakes end in one line and status 2."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

import interlaw
from interlaw.cli.check_parametrization import check_parametrization
from interlaw.cli.compare import compare
from interlaw.cli.compare_treatments import compare_treatments
from interlaw.cli.demo import demo
from interlaw.cli.diff import diff
from interlaw.cli.doctor import doctor
from interlaw.cli.evidence import evidence
from interlaw.cli.explore import explore
from interlaw.cli.export import export
from interlaw.cli.fault import close_output, fault_message, is_lack_of_memory, is_lack_of_room, tolerant_output
from interlaw.cli.fit import fit
from interlaw.cli.init import init
from interlaw.cli.layers import layers
from interlaw.cli.loading import load_first
from interlaw.cli.measure import measure
from interlaw.cli.mistakes import in_options
from interlaw.cli.quickstart import quickstart
from interlaw.cli.recommend import recommend
from interlaw.cli.report import report
from interlaw.cli.reproduce import reproduce
from interlaw.cli.rerun import rerun
from interlaw.cli.shapes import shapes
from interlaw.cli.status import status
from interlaw.cli.sweep import sweep
from interlaw.cli.visible import visible
from interlaw.cli.watch import watch
from interlaw.errors import InterlawError, WorkFailedError, did_you_mean

app = typer.Typer(
    name="interlaw",
    help="Neural interaction, depth-width shape and generalization: measure, sweep, fit, recommend.",
    no_args_is_help=True,
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
        bool, typer.Option("--version", help="Print the version and end.", callback=print_version, is_eager=True)
    ] = False,
) -> None:
    """Neural interaction, depth-width shape and generalization: measure, sweep, fit, recommend."""


for command in (
    quickstart,
    demo,
    init,
    shapes,
    measure,
    diff,
    layers,
    sweep,
    status,
    watch,
    export,
    rerun,
    fit,
    report,
    recommend,
    evidence,
    explore,
    compare,
    compare_treatments,
    check_parametrization,
    reproduce,
    doctor,
):
    app.command()(command)


def main() -> None:
    """Entry point of the console script."""
    tolerant_output()
    status = run(sys.argv[1:])
    broken = close_output()
    if broken and not status:
        status = _complain(f"expected to write to standard output, found: {broken}; send it elsewhere", status=2)
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit status: 0 done, 1 the work failed, 2 the user can fix it."""
    try:
        load_first(arguments)
        result = app(arguments or ["--help"], standalone_mode=False)
    except TyperException as error:
        return _complain(_refused(error) + _as_an_option(error, arguments), status=2)
    except InterlawError as error:
        return _complain(in_options(str(error), options_of(arguments)), status=2)
    except WorkFailedError as error:
        return _complain(str(error), status=1)
    except (KeyboardInterrupt, Abort):
        return 130
    except Exception as error:
        if is_lack_of_room(error):
            return _complain(f"expected room to write, found: {error}; free some, or write elsewhere", status=2)
        if is_lack_of_memory(error):
            return _complain(
                f"expected more memory: {error}; give fewer or shorter samples, or a smaller model", status=2
            )
        return _complain(fault_message(error, arguments), status=1)
    return result if isinstance(result, int) else 0


def _refused(error: TyperException) -> str:
    """What the parser says of an argument, with the argument."""
    from pydantic import ValidationError

    message, cause = error.format_message(), error.__cause__
    if not isinstance(cause, ValidationError):
        return message
    message, found = message.replace("Value error, ", "").rstrip("."), cause.errors()[0]["input"]
    choices = message.partition("is not one of ")[2]
    if choices:
        return message + did_you_mean(found, re.findall("'([^']+)'", choices))
    return message if repr(found) in message else f"{message}, found {found!r}"


def _as_an_option(error: TyperException, arguments: list[str]) -> str:
    """The end of a message about an argument too many: the option that takes a file of its kind, or nothing."""
    found = re.search(r"unexpected extra argument\S* \((.+)\)", error.format_message())
    extra = found[1] if found else ""
    option = "--inputs" if extra.endswith(".npy") else "--text"
    takes = option in options_of(arguments).values()
    return f"; did you mean {option} {extra}?" if extra in arguments and Path(extra).exists() and takes else ""


def options_of(arguments: list[str]) -> dict[str, str]:
    """The options of the command that was called, by the name of their argument."""
    commands: Any = getattr(typer.main.get_command(app), "commands", {})
    called = commands.get(arguments[0]) if arguments else None
    return (
        {} if called is None else {each.name: max(each.opts, key=len) for each in called.params if "--" in each.opts[0]}
    )


def _complain(message: str, *, status: int) -> int:
    """One line on stderr, whatever the message quotes."""
    print(f"interlaw: {visible(' '.join(message.split()))}", file=sys.stderr)  # noqa: T201
    return status
