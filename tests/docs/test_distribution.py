"""The wheel and the source archive: built, checked, and tried in an environment of their own outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from tests.docs.pages import ROOT

pytestmark = pytest.mark.slow  # builds in isolation, which asks the package index for setuptools
pytest.importorskip("build", reason="build and twine come with the extra `dist`")

SHIPPED = (
    "py.typed",
    "*/*.pyi",
    "published/sweeps/*",
    "recipes/*.toml",
    "published/*.csv",
    "laws/*.csv",
    "report/assets/*",
    "report/templates/*",
)
SHIPPED_BY_THE_PAPER = ("py.typed", "*.pyi", "*.csv", "recipes/*.toml")
FACTORY = (
    "from torch import nn\n\n\ndef build():\n    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 2))\n"
)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both files, built from a copy of what git tracks, so that nothing left lying about gets in."""
    source = tmp_path_factory.mktemp("source") / "interlaw"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    out = tmp_path_factory.mktemp("dist")
    subprocess.run([sys.executable, "-m", "build", "--outdir", out, source], cwd=out, check=True)
    return out


@pytest.fixture(scope="module")
def python(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment with the wheel; its dependencies are lent by the environment that runs the tests."""
    place = tmp_path_factory.mktemp("fresh")
    subprocess.run([sys.executable, "-m", "venv", place], check=True)
    fresh = place / "bin" / "python"
    (wheel,) = dist.glob("*.whl")
    subprocess.run([fresh, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True)
    packages = subprocess.run(
        [fresh, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    # a path file comes after the environment's own packages, and an editable install is not carried over
    (Path(packages) / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return fresh


def interlaw(python: Path, *arguments: str, cwd: Path) -> str:
    """What the installed command prints, in a folder that knows nothing of the checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    done = subprocess.run(
        [python.parent / "interlaw", *arguments], capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_data_files_are_in_the_wheel(dist: Path) -> None:
    (wheel,) = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        names = opened.namelist()
    expected = [
        path.relative_to(source.parent).as_posix()
        for source, patterns in (
            (ROOT / "src" / "interlaw", SHIPPED),
            (ROOT / "paper" / "interlaw_paper", SHIPPED_BY_THE_PAPER),
        )
        for pattern in patterns
        for path in source.glob(pattern)
    ]
    assert len(expected) > 60
    assert [name for name in expected if name not in names] == []
    assert not [name for name in names if name.startswith(("tests", "docs", "benchmarks", "examples"))]


def test_the_source_archive_has_what_building_needs(dist: Path) -> None:
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "src/interlaw/__init__.py", "src/interlaw/py.typed"} <= names
    assert any(name.startswith("src/interlaw/report/assets/") for name in names)
    assert any(name.startswith("paper/interlaw_paper/recipes/") for name in names)


def test_the_index_would_take_both(dist: Path) -> None:
    files = [str(path) for path in dist.iterdir() if path.suffix in (".whl", ".gz")]
    assert len(files) == 2
    subprocess.run([sys.executable, "-m", "twine", "check", "--strict", *files], check=True)


def test_the_code_that_runs_is_the_wheels(python: Path, tmp_path: Path) -> None:
    code = "import interlaw, interlaw_paper; print(interlaw.__file__, interlaw_paper.__file__)"
    where = subprocess.run([python, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True).stdout
    assert where.count(str(python.parents[1])) == 2


def test_the_command_works(python: Path, tmp_path: Path) -> None:
    assert "quickstart" in interlaw(python, "--help", cwd=tmp_path)
    shapes = json.loads(interlaw(python, "shapes", "--params", "3M", "--depths", "1-4", "--json", cwd=tmp_path))
    assert len(shapes["shapes"]) == 4
    found = json.loads(interlaw(python, "recommend", "--params", "350M", "--family", "llama", "--json", cwd=tmp_path))
    assert found["candidates"]


def test_a_tiny_measurement(python: Path, tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(FACTORY)
    save = "import numpy; numpy.save('x.npy', numpy.random.default_rng(0).standard_normal((64, 6)))"
    subprocess.run([python, "-c", save], cwd=tmp_path, check=True)
    found = json.loads(
        interlaw(python, "measure", "model.py:build", "--inputs", "x.npy", "--view", "input", "--json", cwd=tmp_path)
    )
    assert found["num_clusters"] == 64
    assert found["aofe_ratio"]["low"] <= found["aofe_ratio"]["value"] <= found["aofe_ratio"]["high"]
