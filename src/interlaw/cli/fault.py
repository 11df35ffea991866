"""What ends a command when all else is done: a fault of interlaw's own, or an output that takes nothing more."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import sys
import tempfile
import traceback
from pathlib import Path

import interlaw

SHOWN = 200  # characters of what an error says, two lines of a terminal; the file holds all


def fault_message(error: Exception, arguments: list[str], *, package: str) -> str:
    """One line on an error that nobody foresaw in a command of a package; its traceback goes to a file."""
    said = " ".join(str(error).split())[:SHOWN]
    fault = f"this is a fault of {package}, not of yours: {type(error).__name__}{f': {said}' if said else ''}"
    document = "\n".join(
        (
            f"interlaw {interlaw.__version__}, Python {platform.python_version()}, {platform.platform()}",
            f"command: interlaw {' '.join(arguments)}",
            "".join(traceback.format_exception(error)),
        )
    )
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="interlaw-fault-", suffix=".txt", delete=False, encoding="utf-8", errors="backslashreplace"
        ) as file:
            file.write(document)
    except OSError as full:
        return f"{fault}; its traceback could not be saved ({full.strerror}): run the command again where there is room"
    send = f"please send {file.name}, which holds the command and the traceback"
    return f"{fault}; {send}, to the developers of {package}"


def tolerant_output() -> None:
    """Lets stdout and stderr write what their encoding lacks as escapes, so that no name ends a command.

    A stdout that was closed before the start takes everything and shows nothing, as for other programs of Python.
    """
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115, for as long as the command runs
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError, OSError):  # replaced by something that cannot
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def close_output() -> str:
    """Flushes stdout; reports its fault once, and keeps Python from reporting it again."""
    try:
        sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return "" if error.errno == errno.EPIPE else error.strerror or str(error)
    return ""
