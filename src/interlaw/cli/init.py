"""`interlaw init`: a recipe to start from, with every key, its default and a comment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from interlaw import sweep
from interlaw.cli.completion import families
from interlaw.cli.options import OwnText, require_text_there
from interlaw.cli.output import AsJson, next_command, print_json, tell
from interlaw.errors import InterlawError
from interlaw.files import save


def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The recipe to write.")] = Path("recipe.toml"),
    text: OwnText = None,
    family: Annotated[str, typer.Option(help="A family with a network, or hf:NAME.", autocompletion=families)] = "gpt",
    as_json: AsJson = False,
) -> None:
    """Write a recipe to start from.

    It has every key, its default and a comment, and runs as it is.
    """
    if file.exists():
        raise InterlawError(f"expected a new file, found one at {str(file)!r}; name another, or remove it first")
    require_text_there(text)
    corpus = None if text is None else os.path.relpath(text, file.parent)
    save(file, sweep.starter_recipe(family=family, corpus=corpus).encode())
    if as_json:
        print_json({"recipe": str(file)})
        return
    tell(f"wrote {file}; next: {next_command('sweep', file, '--out', f'runs/{file.stem}')}")
