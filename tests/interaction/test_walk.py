"""A measurement passes few files and hardly ever returns to one, so that a reader can follow it.

Counted are functions of more than four lines, in the order in which they are entered for the first time.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable
from functools import cache
from itertools import groupby
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from tests.cases import build

import interlaw.interaction
from interlaw.interaction import measure, measure_layers

FOLDER = Path(interlaw.interaction.__file__).parent
SHORT = 4  # lines of a function that a reader takes in with the call


@cache
def long_functions(path: str) -> set[tuple[str, int]]:
    """Name and first line of the functions of a file, without those inside others."""
    found = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef):
                visit(child)
                continue
            body = child.body[1:] if ast.get_docstring(child) else child.body
            if body and (body[-1].end_lineno or 0) - body[0].lineno + 1 > SHORT:
                found.add((child.name, min([child.lineno, *(each.lineno for each in child.decorator_list)])))

    visit(ast.parse(Path(path).read_text()))
    return found


def files_entered(work: Callable[[], Any]) -> list[str]:
    seen: set[CodeType] = set()
    entered: list[str] = []

    def note(frame: FrameType, event: str, _: Any) -> None:
        code = frame.f_code
        if event != "call" or code in seen or Path(code.co_filename).parent != FOLDER:
            return
        seen.add(code)
        if (code.co_name, code.co_firstlineno) in long_functions(code.co_filename):
            entered.append(Path(code.co_filename).name)

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return [name for name, _ in groupby(entered)]


@pytest.mark.parametrize(
    ("case", "options", "files"),
    [
        ("mlp", {}, 8),
        ("gpt", {"view": "loss"}, 8),
        ("cnn", {"view": "patch"}, 8),
        # one file more: of groups, of forward mode, of layers
        ("mlp", {"groups": [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]}, 9),
        ("mlp", {"view": "output"}, 9),
        ("gpt", {"view": "projected"}, 9),
    ],
)
def test_a_measurement_is_easy_to_follow(case: str, options: dict[str, Any], files: int) -> None:
    model, inputs = build(case, 12)
    walk = files_entered(lambda: measure(model, inputs, **options))
    assert {"flow.py", "place.py", "routes.py", "grams.py"} <= set(walk)
    assert len(set(walk)) <= files, walk
    assert len(walk) - len(set(walk)) <= 3, walk


def test_all_layers_take_the_same_way() -> None:
    model, inputs = build("gpt", 12)
    walk = files_entered(lambda: measure_layers(model, inputs, view="loss"))
    assert len(set(walk)) <= 9, walk
    assert len(walk) - len(set(walk)) <= 3, walk
