"""The figures of docs/what-is-neural-interaction.md can be drawn again, and the page shows each of them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from tests.docs.pages import ROOT

from interlaw.report import write_chart

SCRIPT = ROOT / "examples" / "figures" / "neural_interaction.py"
PAGE = ROOT / "docs" / "what-is-neural-interaction.md"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("neural_interaction", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["idea-functions.png", "idea-shapes.png", "idea-traps.png"])
def test_figures_are_drawn(script: ModuleType, name: str, tmp_path: Path) -> None:
    write_chart(tmp_path / name, script.FIGURES[name]())
    assert (tmp_path / name).stat().st_size > 10_000


@pytest.mark.slow  # trains the small network of its figure
def test_all_figures_are_drawn(script: ModuleType, tmp_path: Path) -> None:
    script.main(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(script.FIGURES)


def test_the_page_shows_each_of_them(script: ModuleType) -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in script.FIGURES:
        assert f"images/{name}" in text
        assert (ROOT / "docs" / "images" / name).is_file()
