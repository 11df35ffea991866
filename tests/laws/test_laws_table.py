from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from interlaw.cli import run
from interlaw.errors import InterlawError
from interlaw.laws import fit_law
from interlaw.laws.table import read_runs


def runs(**columns: object) -> dict[str, object]:
    return {"params": [1e6, 1e6], "depth": [2, 4], "width": [200, 140], "loss": [2.0, 1.9], **columns}


def test_a_dict_and_a_frame_read_alike() -> None:
    for table in (runs(), pd.DataFrame(runs())):
        assert read_runs(table).frame["loss"].tolist() == [2.0, 1.9]


def test_missing_columns_come_with_the_options_that_would_read_them() -> None:
    theirs = {"Params": [1], "n_layer": [1], "d_model": [2], "val/loss": [1], "test loss": [1]}
    options = "--column params=Params --column depth=n_layer --column width=d_model --column loss='test loss'"
    with pytest.raises(InterlawError, match=f"map them with {options}$"):
        read_runs(theirs)


def test_sizes_are_read_with_their_unit() -> None:
    frame = read_runs(runs(params=["1.002M", "998k"], budget=["1M", "1M"])).frame
    assert frame["params"].tolist() == [1_002_000, 998_000]
    assert frame["budget"].tolist() == [1e6, 1e6]
    with pytest.raises(InterlawError, match=r"expected numbers in column params, found .*1\.0Q"):
        read_runs(runs(params=["1.0Q", "1M"]))


def test_parameters_in_millions_are_refused() -> None:
    with pytest.raises(InterlawError, match=r"found 16 for 13 x 320 in row 1 .*write params in units: 16000000 or 16M"):
        read_runs(runs(params=[16, 16], depth=[13, 4], width=[320, 576]))


def test_seeds_may_be_words() -> None:
    table = {name: [*values, *values] for name, values in runs().items()}
    seeds = read_runs({**table, "loss": [2.0, 1.9, 2.1, 1.8], "seed": ["a", "a", "b", "b"]}).frame["seed"]
    assert seeds.tolist() == [0, 0, 1, 1]


def test_a_row_is_counted_in_the_file_that_a_selection_came_from() -> None:
    table = pd.DataFrame(runs(loss=[-1.0, 1.9]), index=[7, 9])
    with pytest.raises(InterlawError, match=r"found -1\.0 in row 8 below the header"):
        read_runs(table)


def test_missing_columns_are_named_with_the_remedy() -> None:
    with pytest.raises(InterlawError, match=r"params, loss missing among depth, width; .*--column params=THEIRS"):
        read_runs({"depth": [1], "width": [2]})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"loss": [2.0, float("nan")]}, "positive finite loss .* found nan in row 2 below"),
        ({"loss": [2.0, float("inf")]}, "found inf in row 2 below"),
        ({"loss": [0.0, 1.0]}, "found 0.0 in row 1 below"),
        ({"depth": [0, 1]}, "positive finite depth"),
        ({"params": [1e6, -1]}, "positive finite params"),
        ({"budget": [1e6, None]}, "positive finite budget"),
        ({"loss": ["2.0", "bad"]}, "expected numbers in column loss, found .*bad"),
        ({"depth": [1, 2, 3]}, "expected 2 values in column depth, found 3"),
        ({"depth": [[1, 2], [3, 4]]}, "expected numbers in column depth"),
        ({"status": ["failed", "diverged"]}, "expected runs with status done, found none among 2"),
        ({"treatment": ["fixed", "tuned"]}, "one learning-rate treatment, found fixed, tuned"),
    ],
)
def test_impossible_tables_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        read_runs(runs(**change))


def test_text_among_the_interaction_of_another_view_is_refused(sweep) -> None:
    table = {**sweep(), "projected_aofe": np.ones(35), "projected_aofe_ratio": np.full(35, 0.5)}
    measured = {"loss_aofe": ["high"] * len(table["loss"]), "loss_aofe_ratio": np.full(len(table["loss"]), 0.5)}
    with pytest.raises(InterlawError, match=r"expected numbers in column loss_aofe, found .*high"):
        fit_law({**table, **measured}, num_bootstrap=100, num_permutations=100)


@pytest.mark.parametrize("table", [{"params": [], "depth": [], "width": [], "loss": []}, pd.DataFrame([])])
def test_an_empty_table_is_refused(table: object) -> None:
    with pytest.raises(InterlawError, match="empty table"):
        read_runs(table)


def test_a_treatment_is_chosen_by_name() -> None:
    table = runs(treatment=["fixed", "tuned"])
    assert read_runs(table, treatment="tuned").frame["loss"].tolist() == [1.9]
    with pytest.raises(InterlawError, match="one of fixed, tuned, found 'mup'"):
        read_runs(table, treatment="mup")
    with pytest.raises(InterlawError, match="expected a column treatment"):
        read_runs(runs(), treatment="tuned")


def test_bad_runs_are_counted_and_their_side_is_named() -> None:
    table = {
        "params": [1e6] * 5,
        "depth": [2, 3, 4, 16, 32],
        "width": [200, 160, 140, 70, 50],
        "loss": [2.0, 1.9, 1.95, float("nan"), 9.0],
        "status": ["done", "done", "done", "diverged", "failed"],
    }
    left_out = read_runs(table).left_out
    assert (left_out.diverged, left_out.failed, left_out.num_rows) == (1, 1, 5)
    assert left_out.lost_shapes == ("16 x 70 @ 1M", "32 x 50 @ 1M")
    assert "2 runs without a usable loss lie mostly deeper and narrower than the kept ones" in left_out.bias
    one = {name: values[:4] for name, values in table.items()}
    assert read_runs(one).left_out.bias == (
        "1 run without a usable loss is deeper and narrower than most of the kept ones: the optimum may be pulled "
        "towards shallow shapes"
    )
    table["depth"], table["width"] = [20, 30, 40, 1, 2], [50, 45, 40, 300, 200]
    assert "mostly wider and shallower" in read_runs(table).left_out.bias


def test_each_shape_keeps_the_rate_of_its_best_validation_loss() -> None:
    table = {
        "params": [1e6] * 6,
        "depth": [2, 2, 2, 4, 4, 4],
        "width": [200] * 6,
        "loss": [2.1, 2.0, 2.2, 1.9, 1.95, 2.5],
        "val_loss": [2.1, 2.0, 2.2, 1.9, 1.85, 2.5],
        "learning_rate": [1e-3, 3e-3, 1e-2] * 2,
    }
    found = read_runs(table)
    assert found.frame["loss"].tolist() == [2.0, 1.95]
    assert found.left_out.slower_rates == 4
    assert found.rate_edges == 0
    assert read_runs({**table, "val_loss": table["loss"]}).rate_edges == 1


def test_rates_that_a_search_left_at_its_edge_are_counted_by_shape() -> None:
    table = {
        "params": [1e6] * 6,
        "depth": [2, 2, 4, 4, 8, 8],
        "width": [200] * 6,
        "loss": [2.1, 2.0, 2.2, 1.9, 1.95, 2.5],
        "seed": [0, 1] * 3,
        "rate_at_edge": [True, True, False, False, True, True],
        "status": ["done"] * 4 + ["diverged"] * 2,
    }
    assert read_runs(table).rate_edges == 1
    assert read_runs({**table, "status": ["done"] * 6}).rate_edges == 2
    warnings = fit_law(table).warnings
    assert any("1 shapes were best at the lowest or highest learning rate tried" in warning for warning in warnings)


def test_a_copied_row_counts_once_and_a_repeated_seed_twice() -> None:
    table = runs()
    copied = {name: [*values, values[0]] for name, values in table.items()}
    assert len(read_runs(copied).frame["loss"]) == 2
    assert read_runs(copied).left_out.duplicates == 1
    assert len(read_runs({**copied, "loss": [2.0, 1.9, 2.01]}).frame["loss"]) == 3


def test_budgets_are_inferred_from_nearly_equal_parameters() -> None:
    table = {"params": [1e6, 1.04e6, 2e6, 1.97e6], "depth": [1, 2, 1, 2], "width": [9] * 4, "loss": [1.0] * 4}
    found = read_runs(table)
    assert "no column budget: runs within 5%" in found.notes[0]
    np.testing.assert_allclose(found.frame["budget"], np.sqrt([1.04e12, 1.04e12, 3.94e12, 3.94e12]))


def test_values_without_a_logarithm_are_told(sweep) -> None:
    table = sweep(seeds=2, noise=0.002)
    rng = np.random.default_rng(0)
    ratio = rng.uniform(0.2, 0.8, len(table["loss"]))
    fit = fit_law(
        {**table, "aofe": np.exp(rng.normal(size=len(ratio))), "aofe_ratio": np.where(ratio < 0.3, 0.0, ratio)}
    )
    assert any(f"{(ratio < 0.3).sum()} runs with aofe_ratio not between 0 and 1" in told for told in fit.warnings)
    assert not any("no interaction measured" in told for told in fit.warnings)


def test_of_several_views_one_default_is_taken_by_the_library_and_by_the_command(sweep, tmp_path, capsys) -> None:
    table = pd.DataFrame(sweep(budgets=(2e6,), seeds=2, noise=0.001))
    for view, energy in (("loss", 1.0), ("patch", 2.0), ("projected", 3.0)):
        table = table.assign(**{f"{view}_aofe": energy, f"{view}_aofe_ratio": energy / 10})
    table.to_csv(tmp_path / "runs.csv", index=False)

    def told(*, without: str) -> tuple[str, float | None]:
        kept = table.drop(columns=[f"{without}_aofe", f"{without}_aofe_ratio"], errors="ignore")
        fit = fit_law(kept, num_bootstrap=100, num_permutations=100)
        return fit.view, fit.budgets[0].points[0].aofe

    assert told(without="none") == ("projected", pytest.approx(3.0))
    assert told(without="projected") == ("loss", pytest.approx(1.0))
    assert run(["fit", str(tmp_path / "runs.csv"), "--json", "--resamples", "100"]) == 0
    by_command = json.loads(capsys.readouterr().out)
    assert (by_command["view"], by_command["budgets"][0]["points"][0]["aofe"]) == ("projected", pytest.approx(3.0))
    assert fit_law(table.assign(aofe=5.0, aofe_ratio=0.5), num_bootstrap=100).view == ""
