"""What takes longer than a second to load is named while it loads, where a terminal is there to show it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from interlaw.cli.output import make_console

# commands that cannot begin without torch, which takes seconds to import
NEEDS_TORCH = frozenset(
    {"quickstart", "measure", "diff", "layers", "sweep", "rerun", "check-parametrization", "reproduce"}
)


@contextmanager
def loading(what: str) -> Iterator[None]:
    """Shows "loading WHAT" on a terminal until the block ends; says nothing elsewhere."""
    console = make_console()
    if not console.is_terminal:
        yield
        return
    with console.status(f"loading {what}"):
        yield


def load_first(arguments: Sequence[str]) -> None:
    """Imports torch, saying so, for a command that needs it; the help texts do without."""
    if arguments and arguments[0] in NEEDS_TORCH and not {"-h", "--help"} & set(arguments):
        with loading("torch"):
            import torch  # noqa: F401
