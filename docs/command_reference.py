"""Fills reference/cli.md with every command and option, read from the command line itself; a hook of mkdocs."""

from __future__ import annotations

from typing import Any

import typer.main

from interlaw.cli import app

PLACE = "<!-- commands -->"


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Puts the commands where the page says so."""
    return markdown.replace(PLACE, reference()) if PLACE in markdown else markdown


def reference() -> str:
    """One section a command, in the order of `interlaw --help`."""
    group: Any = typer.main.get_command(app)
    return "\n\n".join(section(name, command) for name, command in group.commands.items())


def section(name: str, command: Any) -> str:
    """What a command does, how it is called, and its options."""
    context = command.make_context(name, [], resilient_parsing=True)
    usage = " ".join(["interlaw", name, *command.collect_usage_pieces(context)])
    rows = [row(parameter) for parameter in command.params if getattr(parameter, "help", None)]
    table = "\n".join(["| option | | default |", "|---|---|---|", *rows]) if rows else ""
    return f"## interlaw {name}\n\n{(command.help or '').strip()}\n\n```text\n{usage}\n```\n\n{table}"


def row(parameter: Any) -> str:
    """An argument or option, its help, and its default where it has one."""
    names = (
        parameter.opts if parameter.opts[0].startswith("-") else [parameter.metavar or (parameter.name or "").upper()]
    )
    plain = isinstance(parameter.default, int | float | str) and not isinstance(parameter.default, bool)
    default = f"`{parameter.default}`" if plain else ""
    return f"| {', '.join(f'`{name}`' for name in names)} | {text(parameter.help)} | {default} |"


def text(words: str) -> str:
    """Words that a table's cell can hold."""
    return words.replace("|", "\\|").replace("\n", " ")
