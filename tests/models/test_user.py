from pathlib import Path

import pytest
from torch import nn

from interlaw.errors import InterlawError
from interlaw.models.user import load_factory

SOURCE = """
from beside import WIDTH
from torch import nn

def build():
    return nn.Linear(WIDTH, 2)

def wrong():
    return "a model"

def fails():
    raise RuntimeError("no weights")
"""
DATACLASS = """
from __future__ import annotations
from dataclasses import dataclass
from torch import nn

@dataclass
class Sizes:
    width: int = WIDTH

def build():
    return nn.Linear(Sizes().width, 2)
"""


@pytest.fixture
def module(tmp_path: Path) -> Path:
    (tmp_path / "beside.py").write_text("WIDTH = 5\n")
    path = tmp_path / "mine.py"
    path.write_text(SOURCE)
    return path


def test_the_factory_makes_the_model_with_files_beside_it(module: Path) -> None:
    model = load_factory(f"{module}:build")
    assert isinstance(model, nn.Linear)
    assert model.in_features == 5


def test_a_file_may_postpone_the_annotations_of_its_dataclasses(tmp_path: Path) -> None:
    """dataclasses look the file's module up by its name, which no other file of that name may take."""
    for folder, width in (("one", 3), ("other", 4)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.v2.py").write_text(DATACLASS.replace("WIDTH", str(width)))
    models = [load_factory(f"{tmp_path}/{folder}/model.v2.py:build") for folder in ("one", "other")]
    assert [model.in_features for model in models] == [3, 4]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "expected a function 'nothing' in .*, found build, wrong, fails|found"),
        ("wrong", "expected wrong.. to return an nn.Module, found str"),
        ("fails", "fails.. in .* failed: RuntimeError: no weights"),
        ("not a name", "expected module.py:factory, found"),
    ],
)
def test_factories_that_do_not_serve(module: Path, name: str, message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        load_factory(f"{module}:{name}")


def test_files_that_do_not_serve(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match="found nothing at"):
        load_factory(f"{tmp_path}/missing.py:build")
    (tmp_path / "broken.py").write_text("import nowhere_to_be_found\n")
    with pytest.raises(InterlawError, match=r"importing .*broken\.py failed: ModuleNotFoundError"):
        load_factory(f"{tmp_path}/broken.py:build")
