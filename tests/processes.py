"""Processes that begin with torch and interlaw loaded, for tests in which a fresh interpreter is not the point.

Python forks them from a server that has done nothing but import: that takes seconds, once a run of the tests.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

# interlaw's packages load what they have on first use, so the files that use torch are named
LOADED = ["pytest", "torch", "pandas", "interlaw.cli", "interlaw.sweep.workers", "interlaw.sweep.driver"]


def loaded() -> ForkServerContext:
    """Where to start them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context


def answer_of(function: Callable[..., Any], *arguments: Any) -> Any:
    """What a function of a test's module returns in a process of its own; its traceback goes to stderr."""
    mine, theirs = loaded().Pipe(duplex=False)
    process = loaded().Process(target=_answer, args=(theirs, function, arguments))
    process.start()
    theirs.close()
    try:
        found = mine.recv() if mine.poll(300) else None
    except EOFError:
        found = None
    process.kill() if found is None else None
    process.join()
    assert found is not None, f"no answer: the process ended with {process.exitcode}"
    return found[0]


def _answer(connection: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    connection.send((function(*arguments),))


def said_by(
    function: Callable[..., Any], *arguments: Any, environment: dict[str, str] | None = None
) -> tuple[int | None, str, str]:
    """Exit status, stdout and stderr of a function of a test's module, as if Python began in that environment."""
    with tempfile.TemporaryDirectory() as folder:
        process = loaded().Process(target=_speak, args=(folder, environment or {**os.environ}, function, arguments))
        process.start()
        process.join(300)
        process.kill()
        process.join()
        said, complained = ((Path(folder) / name).read_text() for name in ("1", "2"))
    return process.exitcode, said, complained


def _speak(folder: str, environment: dict[str, str], function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None  # as TMPDIR says
    sys.path[:0] = environment.get("PYTHONPATH", "").split(os.pathsep)
    for descriptor in (1, 2):
        with (Path(folder) / str(descriptor)).open("w") as file:
            os.dup2(file.fileno(), descriptor)
    function(*arguments)
