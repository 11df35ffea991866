"""`interlaw init`: a recipe to start from, with every key, its default and a comment."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from interlaw import shapes, sweep
from interlaw.cli.options import OwnText, among, require_text_there
from interlaw.cli.output import AsJson, next_command, print_json, tell
from interlaw.errors import InterlawError
from interlaw.files import save


def init(
    file: Annotated[Path, Argument(metavar="FILE", help="The recipe to write.")] = Path("recipe.toml"),
    text: OwnText = None,
    family: Annotated[
        str, Option(help="A family with a network, or hf:NAME.", autocompletion=among(shapes.FAMILIES))
    ] = "gpt",
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
