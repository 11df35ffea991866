"""The page of the experiments: sections come from outcomes, the others and the prose stay."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from interlaw_paper import Outcome
from interlaw_paper.agreement import claim
from interlaw_paper.outcome import write_outcome

ROOT = Path(__file__).parents[2]
PIXEL = b"\x89PNG pixel"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "reproduction_page", ROOT / "examples" / "figures" / "reproduction_page.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def finish(folder: Path, experiment: str, scale: str) -> None:
    line = claim("peak", published="at 500", ours="at 501", holds=None, rule="same")
    write_outcome(
        Outcome(experiment=experiment, scale=scale, setting="New.", agreement=(line,)),  # type: ignore[arg-type]
        folder,
    )
    (folder / "layers.png").write_bytes(PIXEL)


def test_sections_are_renewed_and_the_rest_stays(tmp_path: Path, script: ModuleType) -> None:
    docs, runs = tmp_path / "docs", tmp_path / "runs"
    docs.mkdir()
    old = "## nfa (tiny)\n\nOld.\n\n## mlp (tiny)\n\nKept.\n"
    (docs / "reproduction.md").write_text(
        f"# Title\n\nProse.\n\n{script.BEGIN}\n\n{old}\n{script.END}\n\n## Not run yet\n"
    )
    finish(runs / "nfa", "nfa", "tiny")
    finish(runs / "dd", "double-descent", "paper")
    assert script.main(runs, docs) == ["double-descent (paper)", "nfa (tiny)"]
    page = (docs / "reproduction.md").read_text()
    places = [
        page.index(text)
        for text in (
            "Prose.",
            script.BEGIN,
            "## double-descent (paper)",
            "Kept.",
            "## nfa (tiny)",
            script.END,
            "Not run",
        )
    ]
    assert places == sorted(places)
    assert "Old." not in page
    assert page.count("| peak |  | at 500 | at 501 | not comparable |") == 2
    assert "![nfa-layers](figures/reproduction/nfa-layers.png)" in page
    for name in ("nfa-layers", "double-descent-paper-layers"):
        assert (docs / "figures" / "reproduction" / f"{name}.png").read_bytes() == PIXEL
    script.main(runs, docs)
    assert (docs / "reproduction.md").read_text() == page


def test_a_sweeps_figures_are_drawn(tmp_path: Path, script: ModuleType, finished_run: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "part").symlink_to(finished_run)
    lines = list(script.pictures(tmp_path / "out", stem="mlp", docs=tmp_path))
    assert "![mlp-part-loss-against-ratio](figures/reproduction/mlp-part-loss-against-ratio.png)" in lines
    assert (tmp_path / "figures/reproduction/mlp-part-loss-against-ratio.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_without_marks_is_left_alone(tmp_path: Path, script: ModuleType) -> None:
    (tmp_path / "reproduction.md").write_text("# Title\n")
    with pytest.raises(ValueError, match=r"expected the marks .* put them back"):
        script.main(tmp_path, tmp_path)


def test_the_page_of_the_project_has_its_marks(script: ModuleType) -> None:
    page = (ROOT / "docs" / "reproduction.md").read_text(encoding="utf-8")
    assert 0 < page.index(script.BEGIN) < page.index(script.END)
    assert script.sections_of(page.partition(script.BEGIN)[2].partition(script.END)[0])
