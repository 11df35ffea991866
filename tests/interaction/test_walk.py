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
FILES, RETURNS = 8, 4  # at most, so that a reader still knows where he came from


@cache
def long_functions(path: str) -> set[tuple[str, int]]:
    """Name and first line of the functions of a file, without those inside others."""
    names = set()

    def visit(node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.FunctionDef):
                visit(child)
                continue
            body = child.body[1:] if ast.get_docstring(child) else child.body
            if body and (body[-1].end_lineno or 0) - body[0].lineno + 1 > SHORT:
                names.add((child.name, min([child.lineno, *(each.lineno for each in child.decorator_list)])))

    visit(ast.parse(Path(path).read_text()))
    return names


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


GROUPS = [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


@pytest.mark.parametrize(
    ("case", "options"),
    [
        ("mlp", {}),
        ("mlp", {"groups": GROUPS}),
        ("mlp", {"view": "output"}),
        ("mlp", {"rel_error": 0.5}),
        ("gpt", {"view": "input"}),
        ("gpt", {"view": "loss"}),
        ("gpt", {"view": "loss", "groups": GROUPS}),
        ("gpt", {"view": "projected"}),
        ("gpt", {"view": "projected", "probes": "exact"}),
        ("gpt", {"view": "token", "scale": "rms"}),
        ("cnn", {"view": "patch"}),
        ("cnn", {"view": "convolution"}),
    ],
)
def test_a_measurement_is_easy_to_follow(case: str, options: dict[str, Any]) -> None:
    model, inputs = build(case, 12)
    walk = files_entered(lambda: measure(model, inputs, **options))
    assert {"flow.py", "place.py", "routes.py", "grams.py"} <= set(walk)
    assert len(set(walk)) <= FILES, walk
    assert len(walk) - len(set(walk)) <= RETURNS, walk


@pytest.mark.parametrize(("case", "view"), [("gpt", "loss"), ("mlp", "input"), ("cnn", "input")])
def test_all_layers_take_the_same_way(case: str, view: str) -> None:
    model, inputs = build(case, 12)
    walk = files_entered(lambda: measure_layers(model, inputs, view=view))
    assert {"flow.py", "place.py", "routes.py", "grams.py"} <= set(walk)
    assert len(set(walk)) <= FILES, walk
    assert len(walk) - len(set(walk)) <= RETURNS, walk


def test_other_intervals_are_one_file_more() -> None:
    model, inputs = build("mlp", 12)
    walk = files_entered(lambda: measure(model, inputs, interval="bootstrap-t"))
    assert len(set(walk)) <= FILES + 1, walk
    assert len(walk) - len(set(walk)) <= RETURNS, walk
