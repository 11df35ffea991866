"""Both matching rules against a search by hand, and the shapes that the paper publishes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.shapes import Budget, GPTShape, choose_budget, match_shapes, match_width

# Best shape per budget of the byte-level sweep of arXiv 2605.27989 (vocabulary and context 256, head_dim 4)
PUBLISHED = {
    "0.3M": (1, 128),
    "0.6M": (6, 84),
    "1.0M": (5, 120),
    "1.3M": (6, 128),
    "1.6M": (5, 156),
    "2.0M": (5, 176),
    "2.3M": (6, 172),
    "2.7M": (5, 204),
    "3.0M": (5, 216),
    "5.0M": (8, 224),
    "10M": (10, 284),
}


@pytest.mark.parametrize(("budget", "sizes"), PUBLISHED.items())
def test_published_shapes_come_out_of_rule_largest(budget: str, sizes: tuple[int, int]) -> None:
    depth, width = sizes
    (shape,) = match_shapes(params=budget, depths=[depth], vocab_size=256, context=256, head_dim=4, rule="largest")
    assert (shape.depth, shape.width) == (depth, width)


KINDS = {
    "params": "params",
    "params_non_embedding": "params",
    "flops_per_token": "flops_per_token",
    "train_flops": "flops",
}


@st.composite
def any_question(draw: st.DrawFn) -> tuple[dict[str, Any], Budget, int]:
    """Arguments of `match_shapes`, the budget they name, and the step of the width."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    head_dim = draw(st.integers(1, 12))
    multiple_of = draw(st.integers(1, 12))
    sizes = {
        "vocab_size": draw(st.integers(1, 300)),
        "context": draw(st.integers(1, 300)),
        "head_dim": head_dim,
        "tied": draw(st.booleans()),
        **draw(st.sampled_from([{}, {"d_ff": 64}])),
    }
    largest = {"params": 10**6, "params_non_embedding": 10**6, "flops_per_token": 10**7, "train_flops": 10**13}[kind]
    amount = draw(st.integers(1, largest))
    budget = Budget(kind=kind, amount=amount, tokens_per_param=20.0)  # type: ignore[arg-type]
    arguments = {
        "depths": [draw(st.integers(1, 12))],
        KINDS[kind]: amount,
        "count": "non-embedding" if kind == "params_non_embedding" else "total",
        "tokens_per_param": 20.0,
        "multiple_of": multiple_of,
        **sizes,
    }
    return arguments, budget, math.lcm(head_dim, multiple_of)


def all_widths(arguments: dict[str, Any], budget: Budget, step: int) -> list[GPTShape]:
    """Every shape up to the first that spends more than twice the budget."""
    sizes = {
        name: arguments[name] for name in ("vocab_size", "context", "head_dim", "tied", "d_ff") if name in arguments
    }
    shapes = [GPTShape(depth=arguments["depths"][0], width=step, **sizes)]
    while budget.spent(shapes[-1]) <= 2 * budget.amount:
        shapes.append(GPTShape(depth=arguments["depths"][0], width=shapes[-1].width + step, **sizes))
    return shapes


@settings(max_examples=120, deadline=None)
@given(any_question())
def test_largest_is_the_widest_that_fits(question: tuple[dict[str, Any], Budget, int]) -> None:
    arguments, budget, step = question
    fitting = [shape for shape in all_widths(*question) if budget.spent(shape) <= budget.amount]
    if fitting:
        assert match_shapes(**arguments, rule="largest") == [fitting[-1]]
    else:
        with pytest.raises(InterlawError, match=f"narrowest .width {step}. already spends"):
            match_shapes(**arguments, rule="largest")


@settings(max_examples=120, deadline=None)
@given(any_question())
def test_nearest_misses_least(question: tuple[dict[str, Any], Budget, int]) -> None:
    arguments, budget, _ = question
    shapes = all_widths(*question)
    if budget.spent(shapes[0]) > 1.5 * budget.amount:
        with pytest.raises(InterlawError, match="already spends"):
            match_shapes(**arguments, rule="nearest")
        return
    (found,) = match_shapes(**arguments, rule="nearest")
    miss = min(abs(budget.spent(shape) - budget.amount) for shape in shapes)
    assert abs(budget.spent(found) - budget.amount) == miss
    assert found in shapes


def test_a_budget_that_no_width_meets_names_the_nearest_that_one_does() -> None:
    with pytest.raises(
        InterlawError,
        match=r"no gpt of depth 3 spends 1k parameters: the narrowest \(width 4\) already spends ([0-9,]+); raise",
    ) as caught:
        match_shapes(params="1k", depths=[3], head_dim=4)
    needed = int(str(caught.value).split("already spends ")[1].split(";")[0].replace(",", ""))
    assert match_shapes(params=needed, depths=[3], head_dim=4)[0].width == 4
    with pytest.raises(InterlawError, match="no gpt of depth 3"):
        match_shapes(params=needed - 1, depths=[3], head_dim=4)


def test_nearest_does_not_stretch_the_budget_by_more_than_half() -> None:
    smallest = GPTShape(depth=1, width=4, head_dim=4).params
    assert match_shapes(params=math.ceil(smallest / 1.5), depths=[1], head_dim=4, rule="nearest")[0].width == 4
    with pytest.raises(InterlawError, match="already spends"):
        match_shapes(params=math.ceil(smallest / 1.5) - 1, depths=[1], head_dim=4, rule="nearest")


def test_depths_come_back_in_the_order_given() -> None:
    assert [shape.depth for shape in match_shapes(params="1M", depths=iter([4, 1, 2]))] == [4, 1, 2]


def test_width_is_a_multiple_of_everything_asked_for() -> None:
    shapes = match_shapes(params="3M", depths=range(1, 9), head_dim=12, multiple_of=8)
    assert [shape.width % 24 for shape in shapes] == [0] * 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "expected exactly one budget .params=, flops_per_token= or flops=., found none; give one"),
        ({"params": "1M", "flops": "1e12"}, "expected exactly one budget .*, found params, train_flops; give one"),
        ({"params": "1M", "flops_per_token": "1M"}, "found params, flops_per_token; give one"),
        ({"params": "lots"}, "expected a size such as"),
        ({"params": "1M", "count": "all"}, "expected a count among total, non-embedding, found 'all'"),
        ({"params": "1M", "rule": "best"}, "expected a rule among largest, nearest, found 'best'"),
        ({"params": "1M", "family": "gtp"}, "expected a family of"),
        ({"params": "1M", "multiple_of": 0}, "expected multiple_of to be at least 1, found 0"),
        ({"params": "1M", "head_dim": 0}, "expected head_dim to be at least 1, found 0"),
        ({"params": "1M", "head_dim": 2.5}, "expected head_dim to be a whole number, found 2.5"),
        ({"params": "1M", "depths": []}, "expected at least one depth, found none"),
        ({"params": "1M", "depths": [0]}, "expected depth to be at least 1, found 0"),
        ({"params": "1M", "depths": [1.5]}, "expected depth to be a whole number, found 1.5"),
        ({"params": "1M", "heads": 2}, "expected settings of gpt among .* found 'heads'"),
        ({"flops": "1e12", "tokens_per_param": -1.0}, "needs positive tokens per parameter, found -1.0"),
        ({"flops": "1e12", "tokens_per_param": math.nan}, "needs positive tokens per parameter, found nan"),
        ({"flops": "1e12", "tokens_per_param": math.inf}, "needs positive tokens per parameter, found inf"),
    ],
)
def test_wrong_questions_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        match_shapes(**{"depths": [2], **arguments})


def test_budgets_name_what_they_count() -> None:
    shape = GPTShape(depth=5, width=120, head_dim=4)
    assert choose_budget(params="1M") == Budget(kind="params", amount=1_000_000)
    assert choose_budget(params="1M", count="non-embedding").spent(shape) == shape.params_non_embedding
    assert choose_budget(flops_per_token="1M").spent(shape) == shape.flops_per_token
    assert choose_budget(flops="1e15", tokens_per_param=20).spent(shape) == shape.flops_per_token * shape.params * 20
    assert choose_budget(params=1_000_000).error(shape) == pytest.approx(-0.0412)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "weights", "amount": 5}, "expected a budget kind among params, .*found 'weights'"),
        ({"kind": "params", "amount": 0}, "expected a budget of at least 1, found 0"),
    ],
)
def test_budgets_out_of_range_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        Budget(**arguments)


def test_a_search_by_width_asks_few_questions() -> None:
    asked: list[int] = []

    def shape_at(width: int) -> GPTShape:
        asked.append(width)
        return GPTShape(depth=1, width=width, head_dim=1)

    match_width(shape_at, Budget(kind="params", amount=10**15), step=1)
    assert len(asked) < 80  # bisection: width is about 9 million
