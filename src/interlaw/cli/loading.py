"""What takes longer than a second is named while it runs, where a terminal is there to show it."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module

from interlaw.cli.output import make_console

# commands that cannot begin without torch, which takes seconds to import
NEEDS_TORCH = frozenset({"quickstart", "measure", "diff", "layers", "sweep", "rerun", "check-parametrization"})


@contextmanager
def busy(words: str) -> Iterator[None]:
    """Shows the words on a terminal while the block runs; elsewhere stderr is for mistakes and progress."""
    console = make_console()
    with console.status(console.render_str(words)) if console.is_terminal else nullcontext():
        yield


@contextmanager
def uncollected() -> Iterator[None]:
    """Keeps Python's collector out of a load, where it would spend a sixth of the time on modules that stay."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def counting(family: str) -> Iterator[None]:
    """Says what takes long while shapes of a family of the Hugging Face library are made; the others are instant."""
    with busy(f"counting networks of {family} (up to a minute)") if family.startswith("hf:") else nullcontext():
        yield


def load_first(arguments: Sequence[str]) -> None:
    """Imports torch for a command that needs it; the help texts do without."""
    if arguments and arguments[0] in NEEDS_TORCH and not {"-h", "--help"} & set(arguments):
        load_torch()


def load_torch() -> None:
    """Imports torch where it is not there yet, and says so on a terminal."""
    if "torch" not in sys.modules:
        with busy("loading torch"), uncollected():
            import_module("torch")
