"""A sweep small enough to run in a second: its text and its recipe."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

RECIPE: dict[str, dict[str, Any]] = {
    "": {"name": "tiny", "depths": [1, 2], "seeds": [0, 1]},
    "shape": {"context": 8, "head_dim": 2},
    "budget": {"kind": "params", "amounts": ["3k"], "rule": "nearest"},
    "task": {"corpus": "book.txt"},
    "training": {
        "steps": 12,
        "batch_size": 2,
        "learning_rate": 0.01,
        "evaluations": 3,
        "evaluation_samples": 4,
        "test_samples": 8,
    },
    "measure": {"views": ["projected", "loss"], "samples": 8},
}


def write_book(folder: Path, *, lines: int = 400) -> Path:
    """A text of simple sentences, the same every time."""
    source = random.Random(0)
    path = folder / "book.txt"
    words = [source.choices(["the", "cat", "dog", "sees", "a", "bird"], k=6) for _ in range(lines)]
    path.write_text("".join(" ".join(line) + "\n" for line in words))
    return path


def recipe_text(**changes: dict[str, Any]) -> str:
    """The recipe as TOML; a change to a part (`top` for the outermost) sets its keys, None removes one."""
    parts = []
    for part, values in RECIPE.items():
        merged = {**values, **changes.get(part or "top", {})}
        lines = [f"{key} = {_toml(value)}" for key, value in merged.items() if value is not None]
        parts.append("\n".join([f"[{part}]"] * bool(part) + lines))
    return "\n\n".join(parts) + "\n"


def write_recipe(folder: Path, **changes: dict[str, Any]) -> Path:
    """A folder with the book and its recipe; the path of the recipe."""
    folder.mkdir(parents=True, exist_ok=True)
    write_book(folder)
    path = folder / "recipe.toml"
    path.write_text(recipe_text(**changes))
    return path


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return repr(value)
