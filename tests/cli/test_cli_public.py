from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from interlaw.cli import run
from interlaw.laws import fit_law
from interlaw.published import find_sweep
from interlaw.recommendation import measured_optima


def test_the_packaged_sweeps_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "public:", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["sweeps"]
    assert {"name", "title", "dataset", "source", "licence", "counts", "treatment"} <= set(listed[0])
    assert run(["fit", "public:"]) == 0
    shown = capsys.readouterr().out
    assert all(sweep["name"] in shown and sweep["licence"] in shown for sweep in listed)


def test_a_packaged_sweep_is_fitted_and_a_grid_without_budgets_as_a_surface(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "public:gemstones-hot", "--resamples", "100", "--json"]) == 0
    fit = json.loads(capsys.readouterr().out)
    assert len(fit["budgets"]) == 5
    assert "surface" not in fit
    measured = {f"{one['measured_best']['depth']}x{one['measured_best']['width']}" for one in fit["budgets"]}
    assert {"28x1024", "36x1280", "50x1536"} <= measured  # 0.5B, 1B, 2B: worked out apart from this project
    assert run(["fit", "public:mlfoundations-grid", "--resamples", "100", "--json"]) == 0
    surface = json.loads(capsys.readouterr().out)["surface"]
    assert "optimum" in {one["status"] for one in surface}
    assert run(["fit", "public:mlfoundations-grid", "--resamples", "100"]) == 0
    assert "shapes near 162M: R* 0.03" in capsys.readouterr().out


def test_a_sweep_with_a_window_of_its_own_is_fitted_with_it_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    name = "own-hundredfold-2-draw-1"
    fit = ["fit", f"public:{name}", "--resamples", "100", "--json"]
    answers = []
    for options in ([], ["--window", "0.35"], ["--window", "0.1"]):
        assert run([*fit, *options]) == 0
        said = capsys.readouterr()
        answers.append(json.loads(said.out)["budgets"])
        told = (
            f"note: public:{name} is fitted with --window 0.35, which its design fixed; --window 0.1 is that of other"
        )
        assert (told in said.err) == (not options)
    assert answers[0] == answers[1] != answers[2]
    pooled = [one.status for one in measured_optima() if one.sweep == name]
    assert [budget["r_star"]["status"] for budget in answers[0]] == pooled
    assert (
        fit_law(find_sweep(name).table(), num_bootstrap=100, num_permutations=100).budgets[0].r_star.value
        == (answers[0][0]["r_star"]["value"])
    )


def test_runs_that_did_not_end_well_count_in_no_surface(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = find_sweep("mlfoundations-grid").table().assign(status="finished")
    crashed = table.assign(
        loss=0.5 + 5 * table["depth"] / table["width"], status="crashed"
    )  # would make wide look best
    answers = []
    for rows in (table, pd.concat([table, crashed])):
        rows.to_csv(tmp_path / "t.csv", index=False)
        assert run(["fit", str(tmp_path / "t.csv"), "--resamples", "100", "--json"]) == 0
        answers.append(json.loads(capsys.readouterr().out)["surface"])
    assert answers[0] == answers[1]


def test_an_unknown_sweep_ends_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "public:gemstone"]) == 2
    assert "expected a packaged sweep, found " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("beside", "found"),
    [
        (["--split", "kind"], "--split kind"),
        (["runs.csv"], "runs.csv"),
        (["public:"], "public:"),
        (["--out", "fit.json", "--column", "loss=eval"], "--column loss=eval, --out fit.json"),
    ],
)
def test_what_the_list_of_sweeps_has_no_use_for_is_refused(
    beside: list[str], found: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["fit", "public:", *beside]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert f"expected public: alone, which lists the packaged sweeps, found it with {found}; leave" in said.err


def test_budgets_in_flops_say_the_level_of_their_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rng, budget = np.random.default_rng(0), 1e18
    params, depth = (each.ravel() for each in np.meshgrid(np.geomspace(1e7, 4e8, 7), [4, 8, 12, 16, 24]))
    log_ratio = np.log(depth) - np.log(depth).mean() + np.log(0.03)
    loss = 3 + 0.05 * np.log(params / 6e7) ** 2 + 0.05 * (log_ratio - np.log(0.03)) ** 2
    table = pd.DataFrame({"params": params, "depth": depth, "width": depth / np.exp(log_ratio)})
    table = table.assign(budget=budget, budget_kind="train_flops", loss=loss + rng.normal(0, 1e-3, len(loss)))
    table.to_csv(tmp_path / "flops.csv", index=False)
    assert run(["fit", str(tmp_path / "flops.csv"), "--resamples", "100"]) == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("1e18 FLOPs: N* ")]
    assert re.search(r"N\* \S+ \(90%: \S+ to \S+\), D\* \S+ tokens, R\* \S+ \(90%: \S+ to \S+\)$", line)


def test_a_refusal_of_a_sweep_with_a_window_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fit", "public:own-hundredfold-2-draw-1", "--split", "seeed"]) == 2
    assert capsys.readouterr().err.splitlines()[0].endswith("did you mean 'seed'?")
