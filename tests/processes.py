"""Processes that begin with torch and interlaw loaded, for tests in which a fresh interpreter is not the point.

Python forks them from a server that has done nothing but import: that takes seconds, once a run of the tests.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from typing import Any

LOADED = ["interlaw.cli", "interlaw.sweep", "interlaw.report"]


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
