"""The order in which the files of the stage are to be read is that of their imports."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import interlaw.laws

FOLDER = Path(interlaw.laws.__file__).parent


def test_each_file_imports_only_those_before_it_in_the_stated_order() -> None:
    lines = (interlaw.laws.__doc__ or "").split("\n\n")[2].splitlines()
    order = [name for line in lines for name in re.findall(r"\w+", line[53:])]
    assert sorted(order) == sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "__init__")
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if module.startswith("interlaw.laws."):
                assert order.index(module.removeprefix("interlaw.laws.")) < order.index(path.stem), path.stem
