from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from interlaw.cli import run as command_line
from interlaw.cli.fit import fit, read_source, rename_columns
from interlaw.errors import InterlawError
from interlaw.laws import LawFit

app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
app.command()(fit)
runner = CliRunner()


def table() -> pd.DataFrame:
    budget, depth = (each.ravel() for each in np.meshgrid([1e6, 4e6, 1.6e7], [2.0, 3, 4, 6, 8, 12, 16], indexing="ij"))
    width = np.sqrt(budget / 12 / depth)
    away = np.log(depth / width / 0.03)
    loss = (1 + 0.8 * (budget / 1e6) ** -0.25 + 0.05 * away**2) * (1 + 0.001 * np.cos(17 * away))
    return pd.DataFrame(
        {
            "budget": budget,
            "params": budget,
            "depth": depth,
            "width": width,
            "loss": loss,
            "loss_aofe": np.exp(np.abs(away)),
            "loss_aofe_ratio": 0.9 - 0.01 * np.abs(away),
            "projected_aofe": np.exp(np.abs(away - 1)),
            "projected_aofe_ratio": 0.9 - 0.01 * np.abs(away - 1),
        }
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "runs.csv"
    table().to_csv(found, index=False)
    return found


def test_json_alone_on_stdout_with_the_documented_keys(path: Path) -> None:
    result = runner.invoke(app, [str(path), "--json", "--resamples", "200"])
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert {"budgets", "law", "interaction_interval", "stability", "warnings"} <= set(found)
    assert len(found["budgets"]) == 3
    assert found["budgets"][0]["r_star"]["value"] == pytest.approx(0.03, rel=0.1)


def test_a_person_reads_the_verdict_first(path: Path) -> None:
    result = runner.invoke(app, [str(path), "--details", "--resamples", "200"])
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("Best shape: At 16M parameters the loss is lowest near R = depth / width = 0.0")
    assert "note: no shape was run with two seeds" in result.stdout
    assert "arXiv 2605.27989" in result.stdout
    assert "kappa" in result.stdout


def test_the_view_is_projected_unless_another_is_named(path: Path) -> None:
    found = {
        view: json.loads(runner.invoke(app, [str(path), "--json", "--resamples", "100", *option]).stdout)
        for view, option in {"default": [], "projected": ["--view", "projected"], "loss": ["--view", "loss"]}.items()
    }
    assert found["default"]["interaction_interval"] == found["projected"]["interaction_interval"]
    assert found["default"]["interaction_interval"] != found["loss"]["interaction_interval"]


def test_the_fit_is_written_and_read_back(path: Path, tmp_path: Path) -> None:
    out = tmp_path / "FIT.json"
    result = runner.invoke(app, [str(path), "--out", str(out), "--json", "--resamples", "100"])
    assert json.loads(out.read_text()) == json.loads(result.stdout)
    assert LawFit.from_dict(json.loads(out.read_text())).budgets[0].num_shapes == 7
    (tmp_path / "no").write_text("a file", encoding="utf-8")
    blocked = runner.invoke(app, [str(path), "--out", str(tmp_path / "no" / "FIT.json"), "--resamples", "100"])
    assert "expected to write" in str(blocked.exception)


def test_their_columns_are_mapped(tmp_path: Path) -> None:
    theirs = table().rename(columns={"loss": "eval/loss", "depth": "n_layer"}).assign(loss="unused")
    path = tmp_path / "theirs.csv"
    theirs.to_csv(path, index=False)
    options = ["--column", "loss=eval/loss", "--column", "depth=n_layer"]
    result = runner.invoke(app, [str(path), "--json", "--resamples", "100", *options])
    assert len(json.loads(result.stdout)["budgets"]) == 3


def test_mistakes_are_named(tmp_path: Path, path: Path) -> None:
    with pytest.raises(
        InterlawError, match=r"expected a column for loss among budget, params, .*, found 'nope'; choose"
    ):
        rename_columns(table(), ["loss=nope"])
    with pytest.raises(InterlawError, match="expected --column NAME=THEIRS"):
        rename_columns(table(), ["loss"])
    with pytest.raises(InterlawError, match="found nothing at"):
        read_source(tmp_path / "none.csv", view=None, columns=[])
    with pytest.raises(InterlawError, match="found 'layer'"):
        read_source(path, view="layer", columns=[])
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(InterlawError, match="expected a CSV table"):
        read_source(empty, view=None, columns=[])
    (tmp_path / "dir").mkdir()
    with pytest.raises(InterlawError):
        read_source(tmp_path / "dir", view=None, columns=[])


def test_a_further_column_of_a_like_name_is_no_view(tmp_path: Path) -> None:
    """Interaction of the weights, W^T W, beside that of the gradients."""
    plain = table().rename(columns={"loss_aofe": "aofe", "loss_aofe_ratio": "aofe_ratio"})
    path = tmp_path / "plain.csv"
    plain.drop(columns=["projected_aofe", "projected_aofe_ratio"]).assign(wtw_aofe_ratio=0.5).to_csv(path, index=False)
    found = read_source(path, view=None, columns=[])
    assert found["aofe_ratio"].equals(pd.read_csv(path)["aofe_ratio"])
    assert json.loads(runner.invoke(app, [str(path), "--json", "--resamples", "100"]).stdout)["budgets"]


def test_window_tolerance_and_last_step_reach_the_fit(tmp_path: Path) -> None:
    bare = table().drop(columns=["budget"])
    path = tmp_path / "bare.csv"
    pd.concat([bare.assign(train_tokens=1e6, loss=9.0), bare.assign(train_tokens=2e6)]).to_csv(path, index=False)
    assert "--last-step" in str(runner.invoke(app, [str(path), "--resamples", "100"]).exception)
    options = ["--last-step", "--budget-tolerance", "0.02", "--window", "0.02", "--json", "--resamples", "100"]
    found = json.loads(runner.invoke(app, [str(path), *options]).stdout)
    assert any("earlier checkpoints" in warning for warning in found["warnings"])
    assert any("within 2% of each other" in warning for warning in found["warnings"])
    assert sum(point["in_window"] for point in found["budgets"][0]["points"]) < 7


def test_one_treatment_at_a_time(tmp_path: Path) -> None:
    both = pd.concat([table().assign(treatment="fixed"), table().assign(treatment="tuned")])
    path = tmp_path / "both.csv"
    both.to_csv(path, index=False)
    assert "choose one" in str(runner.invoke(app, [str(path)]).exception)
    result = runner.invoke(app, [str(path), "--treatment", "tuned", "--json", "--resamples", "100"])
    assert result.exit_code == 0


def test_several_tables_are_put_to_one_test(tmp_path: Path, path: Path) -> None:
    other = tmp_path / "other.csv"
    treated = pd.concat([table().assign(treatment=name, loss=table()["loss"] * 1.1) for name in ("fixed", "search")])
    treated.to_csv(other, index=False)
    result = runner.invoke(app, [str(path), str(other), "--json", "--resamples", "100"])
    found = json.loads(result.stdout)
    assert [(each["source"], each["treatment"]) for each in found["fits"]] == [
        (str(path), None),
        (str(other), "fixed"),
        (str(other), "search"),
    ]
    assert {claim["claim"] for claim in found["claims"]} == {"C2", "C3", "C4"}
    assert len(found["fits"][0]["budgets"]) == 3
    told = runner.invoke(app, [str(path), str(other), "--treatment", "search", "--resamples", "100"])
    assert "expected a column treatment to choose 'search' from" in str(told.exception)
    twice = runner.invoke(app, [str(path), str(path)])
    assert "expected each run or table once" in str(twice.exception)
    shown = runner.invoke(app, [str(path), str(other), "--resamples", "100"])
    assert "The claims, over all of it" in shown.stdout
    refused = runner.invoke(app, [str(path), str(other), "--out", str(tmp_path / "FIT.json")])
    assert "expected one run or table with --out, found 2" in str(refused.exception)


def test_a_split_table_is_fitted_value_by_value_and_its_rows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "tasks.csv"
    rows = [table().assign(task=name, seed=seed, loss=table()["loss"] * by) for name, by, seed in RUNS]
    pd.concat(rows).to_csv(path, index=False)
    assert "fit each value alone with --split task" in str(runner.invoke(app, [str(path)]).exception)
    shown = runner.invoke(app, [str(path), "--split", "task", "--resamples", "100"]).stdout
    assert f"{path}, task a: At 16M parameters the loss is lowest near R = depth / width = 0.03" in shown
    assert "\n84 rows: 21 shapes x 2 seeds x 2 values of task\n" in shown
    found = json.loads(runner.invoke(app, [str(path), "--split", "task", "--resamples", "100", "--json"]).stdout)
    assert [each["source"] for each in found["fits"]] == [f"{path}, task a", f"{path}, task b"]
    refused = runner.invoke(app, [str(path), "--split", "task", "--out", str(tmp_path / "FIT.json")])
    assert "expected one run or table with --out, found --split task" in str(refused.exception)


RUNS = (("a", 1.0, 0), ("a", 1.01, 1), ("b", 2.0, 0), ("b", 2.01, 1))


def test_rows_that_are_no_runs_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    rows = [table().assign(epoch=epoch, seed=0, loss=table()["loss"] * 1.1) for epoch in (1, 2)]
    pd.concat(rows).to_csv(path, index=False)
    shown = runner.invoke(app, [str(path), "--resamples", "100"]).stdout
    assert "\n42 rows: 21 shapes x 1 seed; not used: 21 earlier checkpoints\n" in shown


def test_a_recipe_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text('name = "mine"\n')
    assert command_line(["fit", str(recipe)]) == 2
    assert capsys.readouterr().err == (
        f"interlaw: expected a table or a run's folder, found the recipe {str(recipe)!r}; give the folder of its run "
        "(--out of interlaw sweep)\n"
    )
