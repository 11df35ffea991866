"""Coordinate checks of every family on its own data, and rate curves with known ends."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from tests.recipes import write_recipe

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.sweep import Bench, coordinate_checks, make_bench, parse_recipe, rate_curves
from interlaw.training import make_optimizer, scale_initial_weights

TASKS = {
    "gpt": 'kind = "text"\ncorpus = "book.txt"',
    "hf:llama": 'kind = "text"\ncorpus = "book.txt"',
    "mlp": 'kind = "vectors"',
    "cnn": 'kind = "images"\nimages = "digits"\npatch = 2',
    "gru": 'kind = "sequences"\ntime = 10\ntrain = 64\nvalidation = 8\ntest = 8',
}


def bench(folder: Path, family: str, *, rate: float = 1e-2, width: int = 32, depth: int = 2) -> Bench:
    write_recipe(folder)
    shape = "context = 16\nhead_dim = 8" if TASKS[family].startswith('kind = "text"') else ""
    text = f"""
name = "check"
family = "{family}"
depths = [{depth}]
[shape]
{shape}
[budget]
amounts = ["20k"]
[task]
{TASKS[family]}
[training]
steps = 5
batch_size = 8
learning_rate = {rate}
base_width = {width}
base_depth = {depth}
treatment = "completep"
clip = 0
evaluation_samples = 8
blow_up = 1e9
"""
    return make_bench(parse_recipe(text, source="check.toml"), folder=folder, width=None, depth=None)


@pytest.mark.parametrize("family", ["gpt", "hf:llama", "mlp", "cnn"])
def test_completep_moves_alike_over_width_and_depth_and_standard_does_not(tmp_path: Path, family: str) -> None:
    tried = bench(tmp_path, family)
    sizes = {"widths": (32, 64, 128), "depths": (2, 4, 8)}
    wide, deep = coordinate_checks(tried, parametrizations=["completep"], **sizes, rate=5e-3)
    assert (wide.axis, deep.axis) == ("width", "depth")
    assert wide.is_flat, wide
    assert deep.is_flat, deep
    plain, _ = coordinate_checks(tried, parametrizations=["standard"], **sizes, rate=5e-3)
    grown = max(plain.stream_slope, plain.outputs_slope)
    assert grown > max(wide.stream_slope, wide.outputs_slope) + 0.4


def test_mup_holds_over_the_width_of_a_gru_and_completep_is_refused(tmp_path: Path) -> None:
    tried = bench(tmp_path, "gru")
    (wide,) = coordinate_checks(tried, parametrizations=["mup"], widths=(32, 64, 128), depths=(), rate=2e-2)
    assert wide.is_flat, wide
    with pytest.raises(InterlawError, match="expected a family with residual blocks under completep, found GRU"):
        list(coordinate_checks(tried, parametrizations=["completep"], widths=(16, 32), depths=(), rate=5e-3))


def test_movement_is_that_of_a_written_out_loop(tmp_path: Path) -> None:
    tried = bench(tmp_path, "mlp", width=16)
    (check,) = coordinate_checks(tried, parametrizations=["mup"], widths=(16, 32), depths=(), rate=5e-3)
    shape = tried.shapes("width", [32])[0]
    task = tried.opener()(shape)
    settings = tried.settings("mup", steps=8, rate=5e-3)
    model = build_model(shape, seed=0)
    scale_initial_weights(model, settings)
    watched = task.batch(seed=0, step=2**40, size=8)[0]
    before = model(watched).detach().double()
    optimizer = make_optimizer(model, settings)
    for step in range(8):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * group["rate_factor"]
        inputs, targets = task.batch(seed=0, step=step, size=8)
        optimizer.zero_grad()
        (model(inputs) - targets).square().mean().backward()
        optimizer.step()
        moved = (model(watched).detach().double() - before).square().mean().sqrt()
        assert check.outputs[1][step] == pytest.approx(moved.item(), rel=1e-4)


def test_kaiming_start_is_undone_so_that_the_base_shape_is_standard(tmp_path: Path) -> None:
    tried = bench(tmp_path, "cnn", width=16)
    narrow, wide = tried.shapes("width", [16, 64])
    for shape, factor in ((narrow, 1.0), (wide, 1 / 2)):  # the head: 1 / 4 by the rule, 1 / 2 of it done by Kaiming
        plain, scaled = build_model(shape, seed=0), build_model(shape, seed=0)
        scale_initial_weights(scaled, tried.settings("mup", steps=1, rate=1e-3))
        torch.testing.assert_close(scaled.leave.weight, plain.leave.weight * factor)
        torch.testing.assert_close(scaled.blocks[0].conv1.weight, plain.blocks[0].conv1.weight)


def test_rate_curves_find_the_vertex_and_say_when_it_is_at_the_edge(tmp_path: Path) -> None:
    tried = bench(tmp_path, "mlp")
    curves = list(
        rate_curves(tried, parametrizations=["standard"], widths=(16, 32), depths=(), rates=(1e-5, 3e-3, 1e4), steps=30)
    )
    assert [curve.size for curve in curves] == [16, 32]
    for curve in curves:
        assert curve.rates == (1e-5, 3e-3, 1e4)
        assert curve.losses[2] > curve.losses[1] or math.isinf(curve.losses[2])
        assert not curve.at_edge
        assert 1e-5 < curve.best_rate < 1e4
    low = next(
        iter(
            rate_curves(tried, parametrizations=["mup"], widths=(16, 32), depths=(), rates=(1e-9, 1e-8, 1e-3), steps=20)
        )
    )
    assert low.at_edge
    assert low.best_rate == 1e-3


def test_a_base_shape_is_needed(tmp_path: Path) -> None:
    write_recipe(tmp_path)
    recipe = parse_recipe((tmp_path / "recipe.toml").read_text(), source="recipe.toml")
    with pytest.raises(InterlawError, match="expected a base shape, found none in the recipe"):
        make_bench(recipe, folder=tmp_path, width=None, depth=None)
    assert make_bench(recipe, folder=tmp_path, width=8, depth=2).base_width == 8
