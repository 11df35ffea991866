"""A recipe to start from: every key with its value or default, and beside each what it means.

The meaning of a key is the one in the docstring of its model, so that a recipe never says something else than the
reference.
"""

from __future__ import annotations

import inspect
import json
import re
import textwrap
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import MISSING, fields
from functools import partial
from importlib import resources
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from interlaw.errors import InterlawError
from interlaw.models import network_of
from interlaw.plain import Json
from interlaw.shapes import Shape, require_family
from interlaw.sweep.recipe import BudgetPart, MeasurePart, Recipe, TrainingPart, parse_recipe
from interlaw.tasks import TASKS, TaskPart, TaskSpec

COMMENT_WIDTH = 100  # characters: a comment and its key fit an editor's window


def starter_recipe(*, family: str = "gpt", corpus: str | None = None) -> str:
    """The text of a recipe that runs as it is, with every key, its default and a comment.

    Args:
        family: Shape family, such as "gpt", "mlp" or "hf:llama".
        corpus: Text file or folder to learn, relative to the recipe; the packaged recipe's data when None.

    Raises:
        InterlawError: There is no such family, or the family learns something else than text.

    Example:
        >>> parse_recipe(starter_recipe(family="gpt"), source="recipe.toml").family
        'gpt'
    """
    shape = require_family(family)
    network_of(shape)  # refuses a family that has none
    document = _document(shape, family=family, corpus=corpus)
    task = TASKS[document["task"]["kind"]].part
    parts: dict[str, type[BaseModel]] = {
        "budget": BudgetPart,
        "task": task,
        "training": TrainingPart,
        "measure": MeasurePart,
    }
    sections = [
        "# A sweep of equal-budget shapes. Keys behind '#' show their defaults or an optional choice.",
        _section("", Recipe, defaults=_defaults(Recipe, without={"shape", *parts}), given=document),
        _section(
            "shape", shape, defaults=_sizes(shape, without={"depth", "width", *task.decides}), given=document["shape"]
        ),
        *(_section(title, part, defaults=_defaults(part), given=document[title]) for title, part in parts.items()),
    ]
    text = "\n".join(sections) + "\n"
    return _in_units(text, parse_recipe(text, source="the starting recipe").task)


def _in_units(text: str, task: TaskPart) -> str:
    """The text with comments that count the data as the task does: not everything has tokens."""
    if not isinstance(task, TaskSpec):  # text, whose units a trial knows
        return text
    data = task.units.data
    said = partial(re.sub, r"\b[Tt]okens\b", lambda word: data.capitalize() if word[0] == "Tokens" else data)
    lines = text.replace("Samples a step; of text, sequences.", "Samples a step.").split("\n")
    return "\n".join(said(line) if line.startswith("# ") else line for line in lines)


def packaged_recipe(name: str) -> str:
    """The text of a recipe that the package carries, such as "quickstart.toml".

    Example:
        >>> parse_recipe(packaged_recipe("fair.toml"), source="fair.toml").family
        'gpt'
    """
    return (resources.files("interlaw") / "recipes" / name).read_text(encoding="utf-8")


def _document(shape: type[Shape], *, family: str, corpus: str | None) -> Json:
    """The packaged recipe of the family's kind, under this family and text."""
    document: Json = tomllib.loads(packaged_recipe(shape.starter))
    document["task"].setdefault("kind", "text")
    if corpus is not None:
        if document["task"]["kind"] != "text":
            raise InterlawError(
                f"expected a family that learns text, found {family!r}; choose gpt, or leave the text out"
            )
        document["task"]["corpus"] = corpus
    document["name"] = f"{family} sweep"
    document["family"] = family
    sizes = {field.name for field in fields(shape)}
    document["shape"] = {key: value for key, value in document.get("shape", {}).items() if key in sizes}
    return document


def _section(title: str, kind: type, *, defaults: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    """One table of the recipe: each key below its comment; a key that is not given stands behind a '#'."""
    notes = attribute_notes(kind)
    lines = [f"\n[{title}]"] if title else []
    for name, default in defaults.items():
        lines += textwrap.wrap(notes.get(name, ""), COMMENT_WIDTH, initial_indent="# ", subsequent_indent="# ")
        key, value = (f"{name} =", given[name]) if name in given else (f"# {name} =", default)
        lines.append(key if value is None or value is PydanticUndefined else f"{key} {_toml(value)}")
    return "\n".join(lines)


def _defaults(model: type[BaseModel], *, without: Collection[str] = ()) -> Json:
    """The keys of a part and their defaults, its own before those that it inherits."""
    keys = sorted(model.model_fields, key=lambda name: name not in model.__annotations__)
    kept = [name for name in keys if name not in without]
    return {name: model.model_fields[name].get_default(call_default_factory=True) for name in kept}


def _sizes(shape: type[Shape], *, without: Collection[str]) -> Json:
    """The family's other sizes; those that the data decide are left out, and a default of 0 follows from the others."""
    chosen = [one for one in fields(shape) if one.init and not one.name.startswith("_") and one.name not in without]
    return {
        one.name: one.default if one.default is False or one.default not in (MISSING, 0) else None for one in chosen
    }


def _toml(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, float):
        return f"{value:g}" if float(f"{value:g}") == value else repr(value)
    return json.dumps(value, ensure_ascii=False)


def attribute_notes(model: type) -> dict[str, str]:
    """What the "Attributes" of a class's docstring, and of its bases', say of each name.

    Example:
        >>> attribute_notes(MeasurePart)["seed"]
        'Seed of the probes.'
    """
    notes: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        _, heading, listed = (inspect.cleandoc(kind.__doc__ or "")).partition("Attributes:\n")
        body = re.split(r"\n\S", listed)[0] if heading else ""
        for entry in re.split(r"\n(?= {4}\S)", "\n" + body):
            name, separator, note = entry.strip().partition(": ")
            if separator and name.isidentifier():
                notes[name] = " ".join(note.split()).replace("when None", "when not given")
    return notes
