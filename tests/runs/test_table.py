"""A run as a table, in memory and in three formats."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.runs import (
    RunFolder,
    load_table,
    load_trial,
    measured_views,
    provenance,
    run_name,
    table_as,
    view_table,
)

COLUMNS = [
    "key",
    "name",
    "family",
    "budget",
    "budget_kind",
    "budget_spent",
    "flops_per_token",
    "tokens_per_param",
    "params",
    "params_non_embedding",
    "depth",
    "width",
    "ratio",
    "num_heads",
    "head_dim",
    "d_ff",
    "vocab_size",
    "context",
    "treatment",
    "learning_rate",
    "seed",
    "status",
    "loss",
    "val_loss",
    "bits_per_byte",
    "train_tokens",
    "train_flops",
    "seconds",
    "tokens_per_second",
    "evaluation_seconds",
    "measure_seconds",
    "reason",
]
QUANTITIES = [
    "energy",
    "diagonal_energy",
    "aofe",
    "aofe_ratio",
    "aofe_scale_free",
    "trace",
    "participation_ratio",
    "mean_cos2",
    "null_ratio",
    "excess_ratio",
]


def test_columns_are_the_promised_ones(finished_run: Path) -> None:
    table = load_table(finished_run)
    measured = [
        f"{view}_{q}{part}"
        for view in ("projected", "loss")
        for q in QUANTITIES
        for part in ("", "_stderr", "_low", "_high")
    ]
    assert set(COLUMNS) | set(measured) <= set(table.columns)
    assert not table[[*COLUMNS, *measured]].isna().any(axis=None)


def test_rows_are_the_records(finished_run: Path) -> None:
    table = load_table(finished_run)
    assert table[["depth", "seed"]].values.tolist() == [[1, 0], [1, 1], [2, 0], [2, 1]]
    for row in table.to_dict(orient="records"):
        trial = RunFolder(finished_run).trial(row["key"])
        record, shape = trial.record(), trial.spec().make_shape()
        assert record is not None
        assert (row["loss"], row["seconds"], row["status"]) == (record.loss, record.seconds, "done")
        assert row["params"] == sum(p.numel() for p in build_model(shape, device="meta").parameters())
        assert row["ratio"] == row["depth"] / row["width"]
        assert row["train_tokens"] == 12 * 2 * 8
        assert row["train_flops"] == row["train_tokens"] * shape.flops_per_token
        assert row["tokens_per_second"] == pytest.approx(row["train_tokens"] / row["seconds"])
        assert row["loss_aofe"] == record.measurements["loss"]["aofe"]["value"]
        assert row["loss_excess_ratio"] == pytest.approx(row["loss_aofe_ratio"] - row["loss_null_ratio"])
        assert row["loss_aofe_ratio_low"] <= row["loss_aofe_ratio"] <= row["loss_aofe_ratio_high"]
        assert row["bits_per_byte"] == pytest.approx(row["loss"] / 0.6931471805599453)
        assert (row["name"], row["budget"], row["budget_kind"]) == ("tiny", 3000, "params")
        assert row["budget_spent"] == row["params"]
        assert row["flops_per_token"] == shape.flops_per_token
        assert row["tokens_per_param"] == row["train_tokens"] / row["params"]


def test_one_view_under_plain_names(finished_run: Path) -> None:
    table = load_table(finished_run)
    assert set(measured_views(table)) == {"projected", "loss"}
    for view in ("projected", "loss"):
        plain = view_table(table, view=view)
        for name in (*QUANTITIES, "aofe_low", "aofe_ratio_high", "excess_ratio_stderr"):
            assert plain[name].tolist() == table[f"{view}_{name}"].tolist()
        assert set(plain["view"]) == {view}
        assert len(plain.columns) == len(table.columns) + 1
    first = measured_views(table)[0]
    pd.testing.assert_frame_equal(view_table(table), view_table(table, view=first))
    with pytest.raises(
        InterlawError, match=r"expected a measured view among .*loss.*, found 'input'; choose one of them"
    ):
        view_table(table, view="input")


def test_a_table_without_views_stays_as_it_is(finished_run: Path) -> None:
    bare = load_table(finished_run)[["key", "loss"]]
    assert measured_views(bare) == []
    assert view_table(bare) is bare
    with pytest.raises(InterlawError, match=r"expected a measured view among none, found 'loss'"):
        view_table(bare, view="loss")


def test_every_format_reads_back(finished_run: Path) -> None:
    table = load_table(finished_run)
    csv = pd.read_csv(io.BytesIO(table_as(table, form="csv")), keep_default_na=False)
    parquet = pd.read_parquet(io.BytesIO(table_as(table, form="parquet")))
    lines = pd.DataFrame([json.loads(line) for line in table_as(table, form="jsonl").splitlines()])
    for found in (csv, parquet, lines):
        assert list(found.columns) == list(table.columns)
        pd.testing.assert_frame_equal(found, table, check_dtype=False, rtol=1e-9)
    pd.testing.assert_frame_equal(parquet, table)
    assert csv["loss"].tolist() == table["loss"].tolist()  # to the last bit


def test_jsonl_has_null_where_there_is_no_number() -> None:
    table = pd.DataFrame({"key": ["a", "b"], "loss": [1.0, None]})
    assert table_as(table, form="jsonl") == b'{"key": "a", "loss": 1.0}\n{"key": "b", "loss": null}\n'


def test_trials_that_failed_are_rows_without_figures(finished_run: Path, tmp_path: Path) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    trials = RunFolder(tmp_path / "run").trials()
    for trial, status in zip(trials, ("failed", "diverged"), strict=False):
        record = trial.record()
        assert record is not None
        changes = {
            "status": status,
            "loss": None,
            "figures": {},
            "measurements": {},
            "units": 0,
            "seconds": 0.0,
            "reason": "why",
        }
        trial.write_record(record.model_copy(update=changes))
    (trials[2].path / "record.json").unlink()
    table = load_table(tmp_path / "run").set_index("key")
    assert sorted(table.index) == sorted({trial.key for trial in trials} - {trials[2].key})
    assert table["status"].value_counts().to_dict() == {"done": 1, "failed": 1, "diverged": 1}
    assert table.loc[[trials[0].key, trials[1].key], ["loss", "loss_aofe", "bits_per_byte"]].isna().all(axis=None)
    assert table.loc[trials[0].key, "reason"] == "why"


def test_a_run_without_records_has_no_rows(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('name = "x"')
    assert len(load_table(tmp_path)) == 0
    with pytest.raises(InterlawError, match=r"expected a run folder"):
        load_table(tmp_path / "nowhere")
    with pytest.raises(
        InterlawError, match=r"'full\.csv'; a table is read by `interlaw fit FILE`, or in Python by pandas"
    ):
        load_table("full.csv")
    with pytest.raises(InterlawError, match=r"interlaw\.published\.find_sweep\('public:byte-level'\)\.table\(\)"):
        load_table("public:byte-level")


def test_a_run_is_named_by_its_recipe_or_its_folder(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text('name = "mine"')
    assert run_name(RunFolder(tmp_path)) == "mine"
    (tmp_path / "recipe.toml").write_text("name = ")
    assert run_name(RunFolder(tmp_path)) == tmp_path.name


def test_a_trained_model_comes_back(finished_run: Path) -> None:
    for trial in RunFolder(finished_run).trials():
        model, spec = load_trial(trial.path)
        assert spec == trial.spec()
        assert not model.training
        fresh = build_model(spec.make_shape(), seed=spec.training.seed)
        assert not torch.equal(model.head.weight, fresh.head.weight)
        record = trial.record()
        assert record is not None
        task = spec.task.open()
        from interlaw.training import evaluate

        loss = evaluate(
            model, task, split="test", num_samples=spec.training.test_samples, batch_size=spec.training.batch_size
        )
        assert loss == pytest.approx(record.loss, rel=1e-6)  # its batches are of another size


@pytest.mark.parametrize("damage", ["missing", "cut", "other model", "empty"])
def test_a_model_that_cannot_come_back_says_why(finished_run: Path, tmp_path: Path, damage: str) -> None:
    trials = RunFolder(finished_run).trials()
    by_depth = {trial.spec().shape["depth"]: trial for trial in trials}
    place = tmp_path / by_depth[1].key
    shutil.copytree(by_depth[1].path, place)
    weights = place / "checkpoint" / "model.safetensors"
    if damage == "missing":
        weights.unlink()
    elif damage == "other model":
        shutil.copy(by_depth[2].weights, weights)
    else:
        weights.write_bytes(weights.read_bytes()[: 100 if damage == "cut" else 0])
    message = (
        "expected final weights in .*, found none"
        if damage == "missing"
        else "expected the weights of trial .*, found a"
    )
    with pytest.raises(InterlawError, match=message):
        load_trial(place)


def test_weights_that_may_not_be_read_are_no_damaged_ones(
    finished_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trial = next((finished_run / "trials").iterdir())

    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(
        InterlawError, match=r"expected to read the weights of trial .*, found: Permission denied; make "
    ):
        load_trial(trial)


def test_what_is_no_trial_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"expected .*spec.json, found nothing there"):
        load_trial(tmp_path)


def test_provenance_says_what_made_it() -> None:
    facts = provenance()
    assert facts["torch"] == torch.__version__
    assert facts["threads"] == torch.get_num_threads()
    assert facts["device"] == "cpu"
    assert json.loads(json.dumps(facts)) == facts
    assert {"interlaw", "numpy", "python", "platform", "device_name"} <= set(facts)
