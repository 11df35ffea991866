"""The command line: one small file a command; mistakes end in one line and status 2.

A command of another package builds on the names below: the options that several share, output, and how a sweep is run.
"""

from __future__ import annotations

import errno
import re
import signal
import sys
from pathlib import Path

from typer.exceptions import Abort, TyperException

from interlaw.cli.commands import COMMANDS, app, options_of
from interlaw.cli.fault import close_output, fault_message, tolerant_output
from interlaw.cli.loading import load_first, load_torch
from interlaw.cli.mistakes import in_options
from interlaw.cli.options import TrainDevice, Workers, among
from interlaw.cli.output import AsJson, make_console, print_json, tell_mistake
from interlaw.cli.sweep import drive
from interlaw.errors import InterlawError, WorkFailedError, did_you_mean

__all__ = [
    "COMMANDS",
    "AsJson",
    "TrainDevice",
    "Workers",
    "among",
    "app",
    "drive",
    "load_torch",
    "main",
    "make_console",
    "print_json",
    "run",
]


def main() -> None:
    """Entry point of the console script."""
    tolerant_output()
    status = run(sys.argv[1:])
    broken = close_output()
    if broken and not status:
        tell_mistake(f"expected to write to standard output, found: {broken}; send it elsewhere")
        status = 2
    sys.exit(status)


def run(arguments: list[str]) -> int:
    """Runs one command line and returns its exit status: 0 done, 1 the work failed, 2 the user can fix it."""
    try:
        load_first(arguments)
        result = app(arguments or ["--help"], standalone_mode=False)
        return result if isinstance(result, int) else 0
    except (KeyboardInterrupt, Abort):
        return 128 + signal.SIGINT  # as a shell reports a program that Ctrl-C ended
    except Exception as error:
        message, status = _ending(error, arguments)
        tell_mistake(message)
        return status


def _ending(error: Exception, arguments: list[str]) -> tuple[str, int]:
    """What to say of an error, and the exit status."""
    if isinstance(error, TyperException):
        return _refused(error) + _as_an_option(error, arguments), 2
    if isinstance(error, InterlawError):
        return in_options(str(error), options_of(arguments)), 2
    if isinstance(error, WorkFailedError):
        return str(error), 1
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"expected room to write, found: {error}; free some, or write elsewhere", 2
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter of an accelerator
        return f"expected more memory: {error}; give fewer or shorter samples, or a smaller model", 2
    package = COMMANDS.package_of(arguments[0]) if arguments else "interlaw"
    return fault_message(error, arguments, package=package), 1


def _refused(error: TyperException) -> str:
    """What the parser says of an argument, with the argument."""
    from pydantic import ValidationError

    message, cause = error.format_message(), error.__cause__
    if not isinstance(cause, ValidationError):
        return message
    message, given = message.replace("Value error, ", "").rstrip("."), cause.errors()[0]["input"]
    choices = message.partition("is not one of ")[2]
    if choices:
        return message + did_you_mean(given, re.findall("'([^']+)'", choices))
    return message if repr(given) in message else f"{message}, found {given!r}"


def _as_an_option(error: TyperException, arguments: list[str]) -> str:
    """The end of a message about an argument too many: the option that takes a file of its kind, or nothing."""
    match = re.search(r"unexpected extra argument\S* \((.+)\)", error.format_message())
    extra = match[1] if match else ""
    option = "--inputs" if extra.endswith(".npy") else "--text"
    takes = option in options_of(arguments).values()
    return f"; did you mean {option} {extra}?" if extra in arguments and Path(extra).exists() and takes else ""
