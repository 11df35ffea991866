from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from interlaw.published import PublishedRow, published_rows

pytest.importorskip("transformers")
SHAPES = {row.name: row for row in reversed(published_rows())}
# one of each architecture that counts in a way of its own
FEW = (
    "GPT-2 small",
    "GPT-Neo-1.3B",
    "OPT-1.3B",
    "Qwen1.5-0.5B",
    "Qwen3-0.6B",
    "Gemma-2-2B",
    "BLOOM-560m",
    "Pythia-70m",
    "falcon-7b",
    "mpt-7b",
    "Minitron-8B-Base",
    "MiniCPM3-4B",
    "Llama-3.1-8B",
)


def recounted(row: PublishedRow) -> Any:
    spec = importlib.util.spec_from_file_location("recount", Path(__file__).with_name("recount.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.recounted(row)


@pytest.mark.parametrize("name", FEW)
def test_a_total_is_that_of_its_shape(name: str) -> None:
    row = SHAPES[name]
    assert recounted(row) == (row.params_total, row.params_non_embedding)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SHAPES if name not in FEW])
def test_every_other_total_is_that_of_its_shape(name: str) -> None:
    row = SHAPES[name]
    assert recounted(row) == (row.params_total, row.params_non_embedding)


def test_totals_are_those_that_the_makers_report() -> None:
    reported = {
        "GPT-2 small": 124_439_808,
        "Llama-3.1-8B": 8_030_261_248,
        "Pythia-70m": 70_426_624,
        "Gemma-2-2B": 2_614_341_888,
        "Qwen2.5-0.5B": 494_032_768,
        "falcon-7b": 6_921_720_704,
        "mpt-7b": 6_649_286_656,
    }
    assert {name: SHAPES[name].params_total for name in reported} == reported


def test_every_shape_says_whether_its_head_is_tied() -> None:
    assert [name for name, row in SHAPES.items() if row.tied_embeddings is None] == []
    assert round(SHAPES["Qwen1.5-0.5B"].params_total / 1e6, 1) == 464.0
