"""What a report reads of a run: every trial that ended, its curve, one fit a treatment and view."""

from __future__ import annotations

from pathlib import Path

from tests.report.synthetic import write_run

from interlaw.laws import fit_law
from interlaw.report import write_report
from interlaw.report.results import load_results
from interlaw.runs import load_table, view_table


def test_counts_trials_and_leaves_none_out(tmp_path: Path) -> None:
    status = {(50_000, 1, 0): "pending", (50_000, 2, 0): "failed", (50_000, 3, 0): "diverged"}
    run = write_run(tmp_path / "run", budgets=(50_000,), seeds=(0,), status=status)
    results = load_results(run)
    assert (len(results.table), len(results.records), results.num_pending) == (5, 5, 1)
    assert set(results.curves) == set(results.table["key"])
    assert (results.task, results.units.loss) == ("text", "nats per byte")


def test_one_fit_a_treatment_and_view_the_plain_one_first(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), seeds=(0,), treatments=("completep", "fixed"))
    found = [(each.treatment, each.view) for each in load_results(run).analyses]
    assert found == [
        ("fixed", "projected"),
        ("fixed", "loss"),
        ("completep", "projected"),
        ("completep", "loss"),
    ]


def test_fits_are_those_of_the_fit_command(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000, 100_000))
    for each in load_results(run).analyses:
        expected = fit_law(view_table(load_table(run), view=each.view))
        assert each.fit.to_dict() == expected.to_dict()


def test_a_run_without_curves_has_no_such_panel(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), depths=(2, 3), seeds=(0,), views=())
    for path in run.glob("trials/*/curve.csv"):
        path.unlink()
    assert 'id="learning-curves"' not in write_report(run).read_text(encoding="utf-8")


def test_a_further_view_takes_over_what_the_losses_say(tmp_path: Path) -> None:
    run = load_results(write_run(tmp_path / "run", budgets=(50_000, 100_000)))
    for analysis in run.analyses:
        columns = {str(name): analysis.table[name].to_numpy() for name in analysis.table.columns}
        assert fit_law(columns) == analysis.fit
        other = {**columns, "loss": columns["loss"] * 1.1}
        assert fit_law(other, losses_of=analysis.fit) == fit_law(other)
