"""What cannot be done is refused while planning, in one line that names what can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.recipes import recipe_text, write_book

from interlaw.errors import InterlawError
from interlaw.runs import TrialSpec
from interlaw.sweep import make_bench, parse_recipe, plan_trials
from interlaw.sweep.feasible import require_smallest_fits

MUP = {"treatment": "mup", "base_width": 8}
COMPLETEP = {"treatment": "completep", "base_width": 8, "base_depth": 1}
LLAMA = {"family": "hf:llama", "seeds": [0], "depths": [1]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_book(tmp_path_factory.mktemp("book")).parent


def plan(folder: Path, **changes: dict[str, Any]) -> list[TrialSpec]:
    return plan_trials(parse_recipe(recipe_text(**changes), source="r"), folder=folder)


@pytest.mark.parametrize("training", [MUP, COMPLETEP])
def test_a_tied_head_is_refused_where_rules_scale_it(folder: Path, training: dict[str, Any]) -> None:
    name = training["treatment"]
    for top, budget in (({"seeds": [0]}, {"amounts": ["40k"]}), (LLAMA, {"amounts": ["40k"]})):
        changes = {"top": top, "budget": budget, "training": training}
        shape = {"context": 8, "head_dim": 8, "tied": True}
        with pytest.raises(InterlawError, match=f"treatment {name} with .*untied head.*'fixed' or 'search'"):
            plan(folder, **changes, shape=shape)
        assert plan(folder, **changes, shape={**shape, "tied": False})
    assert plan(folder, shape={"tied": True})


def test_a_family_without_roles_is_refused(folder: Path) -> None:
    top, budget = {**LLAMA, "family": "hf:bloom"}, {"amounts": ["40k"]}
    with pytest.raises(InterlawError, match=r"mup with hf:bloom: expected a family whose parameters have roles"):
        plan(folder, top=top, budget=budget, training=MUP, shape={"head_dim": 8})


def test_a_fixed_d_ff_is_refused_where_rules_take_it_to_grow(folder: Path) -> None:
    with pytest.raises(InterlawError, match="expected d_ff in proportion to the width under mup, found d_ff = 64"):
        plan(folder, shape={"d_ff": 64}, training=MUP, budget={"amounts": ["40k"]})
    recipe = parse_recipe(recipe_text(shape={"d_ff": 64}, training=COMPLETEP), source="r")
    with pytest.raises(InterlawError, match="expected d_ff in proportion to the width"):
        make_bench(recipe, folder=folder, width=None, depth=None)
    assert plan(folder, shape={"d_ff": 64}, budget={"amounts": ["40k"]})
    assert plan(folder, shape={"d_ff_ratio": 2.5, "head_dim": 8}, top=LLAMA, training=MUP, budget={"amounts": ["40k"]})


def test_a_memory_limit_below_the_smallest_shape_is_refused(folder: Path) -> None:
    trials = plan(folder)
    smallest = min(trial.make_shape().params for trial in trials)
    for limit in (1, 16 * smallest - 1, 16 * smallest + 100):  # weights alone, then weights and one sample
        with pytest.raises(InterlawError, match=r"the smallest shape, \dx\d+, does not fit: expected room for"):
            require_smallest_fits(trials, limit_bytes=limit)
    require_smallest_fits(trials, limit_bytes=10**6)
