"""The tables in the documentation are what the code says today."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from interlaw.published import compare_models, published_rows
from interlaw.recommendation import recommend

DOCS = Path(__file__).parents[2] / "docs"


def tables() -> Any:
    spec = importlib.util.spec_from_file_location("shape_tables", DOCS / "shape_tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def page() -> str:
    return (DOCS / "choosing-a-shape.md").read_text(encoding="utf-8")


@pytest.mark.slow  # half a minute: networks of another family are made at every depth that the search tries
def test_the_tables_of_choosing_a_shape_are_current() -> None:
    pytest.importorskip("transformers")
    assert tables().rewritten(page()) == page()


def test_the_answers_that_need_no_library_and_the_pool_are_current() -> None:
    module, lines = tables(), page().splitlines()
    rows = [module.answer(size, "llama", 32_000) for size in module.SIZES]
    assert [row for row in (*rows, *module.coverage(), *module.pooled()) if row not in lines] == []


def picks(family: str) -> list[Any]:
    module = tables()
    vocabulary = dict(module.FAMILIES)[family]
    return [recommend(params=size, family=family, vocab_size=vocabulary).pick.shape for size in module.SIZES]


@pytest.mark.parametrize("family", ["llama", pytest.param("hf:qwen3", marks=pytest.mark.slow)])
def test_transformers_builds_every_pick_of_the_page_to_the_parameter(family: str) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    for shape in picks(family):
        config = shape.to_hf()
        with torch.device("meta"):
            model = transformers.AutoModelForCausalLM.from_config(
                transformers.AutoConfig.for_model(config.pop("model_type"), **config)
            )
        assert sum(parameter.numel() for parameter in model.parameters()) == shape.params


def test_the_table_of_correlations_is_current() -> None:
    comparison = compare_models(published_rows())
    lines = (DOCS / "published-models.md").read_text(encoding="utf-8").splitlines()
    for name in ("0.4-2.5B", "2.5-5B", "5-10B", "all"):
        of = {one.predictor: one for one in comparison.associations if one.bin == name}
        ratio = of["ratio"]
        cells = [
            name,
            f"{ratio.num_models} of {ratio.num_families}",
            f"{ratio.pearson.effective_families:.0f}",
            str(ratio.num_in_interval),
            *(each.text() for each in (ratio.pearson, ratio.given_params, ratio.given_params_and_tokens)),
            of["log_tokens"].pearson.text(),
            str(of["claim_distance"].verdict),
        ]
        assert f"| {' | '.join(cells)} |" in lines
    quoted = " ".join(line.removeprefix("> ") for line in lines if line.startswith("> "))
    assert " ".join(comparison.answer()) in quoted
