"""Tables as people keep them, noisy in every way, go through `fit --out`: a fit in valid JSON, or one line."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from interlaw.cli import run

# the last five: losses of nothing predicted, in a fit and in its draws; a crashed run without a loss, one below 0
FEW = (0, 1, 2, 3, 19, 82, 198, 733, 817)
MANY = range(1000)
WORDS = ("finished", "FINISHED", "done", "crashed", "running", "failed", "diverged", "")


def noisy_table(rng: np.random.Generator) -> pd.DataFrame:
    """Runs of a curved law with what goes wrong in practice: holes, spikes, repeats, lost shapes, odd sizes."""
    rows = []
    for budget in 10.0 ** rng.uniform(5, 10, size=rng.integers(1, 5)):
        for depth in rng.choice(np.arange(1, 40), size=rng.integers(1, 9), replace=False):
            width = max(8, round(math.sqrt(budget / 12 / depth) * rng.uniform(0.97, 1.03)))
            for seed in range(rng.integers(1, 4)):
                bend = 0.03 * math.log(depth / width / 10 ** rng.uniform(-2, -1)) ** 2
                loss = (1.8 + 1000 / budget**0.5 + bend) * math.exp(rng.normal(0, 0.02))
                rows.append(
                    {"params": round(12 * depth * width**2), "depth": depth, "width": width, "loss": loss, "seed": seed}
                )
    table = pd.DataFrame(rows).astype({"loss": float})
    for change in rng.choice(10, size=rng.integers(0, 5), replace=False):
        place = rng.integers(len(table))
        match change:
            case 0:
                table["status"] = rng.choice(WORDS, size=len(table))
            case 1:
                table.loc[place, "loss"] = rng.choice([np.nan, np.inf, -1.0, 0.0, 1e6])
            case 2:
                table = pd.concat([table, table.iloc[: rng.integers(1, len(table) + 1)]], ignore_index=True)
            case 3:
                table["learning_rate"] = rng.choice([1e-4, 3e-4, 1e-3, np.nan], size=len(table))
            case 4:
                table["aofe"], table["aofe_ratio"] = rng.lognormal(size=len(table)), rng.uniform(size=len(table))
            case 5:
                table["train_tokens"] = table["params"] * rng.choice([20.0, np.nan, 0.0], size=len(table))
            case 6:
                table["budget"] = table["params"].round(-int(math.log10(table["params"].min())))
            case 7:
                table["treatment"] = rng.choice(["fixed", "tuned"], size=len(table)) if rng.random() < 0.3 else "fixed"
            case 8:
                table["loss"] = 2.0  # flat, to the last digit
            case _:
                table["notes"] = rng.choice(["", "a, b", 'said "no"', "1,5"], size=len(table))
    return table.sample(frac=1, random_state=int(rng.integers(2**31)))


def written(table: pd.DataFrame, rng: np.random.Generator) -> bytes:
    """In one of the forms in which tables come."""
    form = rng.choice(["csv", "csv", "semicolons", "tabs", "lines", "parquet", "trailing", "utf-16", "digits"])
    buffer = io.BytesIO()
    if form == "parquet":
        table.convert_dtypes().to_parquet(buffer)
        return buffer.getvalue()
    if form == "lines":
        return table.to_json(orient="records", lines=True).encode()
    if form == "semicolons":
        return table.to_csv(index=False, sep=";", decimal=",").encode()
    plain = table.to_csv(
        index=False, sep="\t" if form == "tabs" else ",", float_format="%.3g" if form == "digits" else None
    )
    return (
        plain.replace("\n", ",\n").encode()
        if form == "trailing"
        else plain.encode("utf-16" if form == "utf-16" else "utf-8")
    )


def look(seeds: Collection[int], folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fitted = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        source, out = folder / "table", folder / f"fit-{seed}.json"
        source.write_bytes(written(noisy_table(rng), rng))
        status = run(["fit", str(source), "--resamples", "100", "--out", str(out)])
        said = capsys.readouterr().err.strip().splitlines()
        if status == 0:
            fitted += 1
            json.loads(out.read_text(), parse_constant=lambda constant: pytest.fail(constant))
        else:
            assert status == 2, (seed, said)
            assert said[-1].startswith("interlaw: "), seed
            assert not out.exists(), seed
    assert len(seeds) / 4 <= fitted < len(seeds)  # both ends are reached, and often


def test_noisy_tables_are_fitted_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look(FEW, tmp_path, capsys)


@pytest.mark.slow  # a thousand fits
def test_a_thousand_noisy_tables_are_fitted_or_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    look(MANY, tmp_path, capsys)
