"""The README's example runs as written; the contributing guide knows every stage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs(tmp_path: Path, finished_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(finished_run)
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert len(names["shapes"]) == 12  # type: ignore[arg-type]


def test_the_tree_names_every_stage() -> None:
    stages = {path.name for path in (ROOT / "src" / "interlaw").iterdir() if (path / "__init__.py").is_file()}
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert stages == set(re.findall(r"^  (\w+)/ ", text, flags=re.MULTILINE))
