from __future__ import annotations

import csv
import importlib.util
from collections import Counter
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.published import find_sweep, packaged_sweeps

DOCS = Path(__file__).parents[2] / "docs"


def test_every_table_has_its_source_and_licence_and_every_source_its_table() -> None:
    folder = files("interlaw.published").joinpath("sweeps")
    tables = {entry.name.removesuffix(".csv") for entry in folder.iterdir() if entry.name.endswith(".csv")}
    assert {sweep.name.removesuffix(f"-{sweep.part}") for sweep in packaged_sweeps()} == tables
    for sweep in packaged_sweeps():
        assert sweep.source
        assert sweep.licence
        assert {"params", "depth", "width", "loss"} <= set(sweep.table().columns)


def test_tables_hold_numbers_only() -> None:
    folder = files("interlaw.published").joinpath("sweeps")
    words: dict[str, set[str]] = {
        "treatment": {"fixed", "search", "completep"},
        "budget_kind": {"params_non_embedding"},
    }
    words["part"] = {sweep.part for sweep in packaged_sweeps() if sweep.part}
    for table in folder.iterdir():
        if table.name.endswith(".csv"):
            with table.open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    for name, cell in row.items():
                        assert cell in words[name] if name in words else float(cell) >= 0


def test_sizes_are_those_of_the_sources() -> None:
    sizes: Counter[str] = Counter()
    for sweep in packaged_sweeps():
        sizes[sweep.name.removesuffix(f"-{sweep.part}")] += len(sweep.table())
    assert sizes == {
        "gemstones-hot": 22,
        "gemstones-cooldown": 20,
        "gemstones-half-rate": 20,
        "mlfoundations-grid": 50,
        "byte-level": 123,
        "own-fair": 48,
        "own-rates": 10,
        "own-small-gpts": 162,
        "own-gpt-sizes": 142,
        "own-growth": 30,
        "own-waves": 308,
        "own-targets": 448,
        "own-hundredfold": 3564,
        "own-searched": 1080,
        "own-lengths": 324,
        "own-students": 448,
    }


def test_own_sweeps_are_the_tables_of_the_results() -> None:
    folder = files("interlaw.published").joinpath("sweeps")
    spec = importlib.util.spec_from_file_location("own_sweeps", DOCS / "own_sweeps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, table in module.sweeps().items():
        assert folder.joinpath(f"{name}.csv").read_text(encoding="utf-8") == module.as_text(table), name


def test_a_part_of_a_table_is_a_sweep_of_its_own() -> None:
    parts = [sweep for sweep in packaged_sweeps() if sweep.dataset == "interlaw hundredfold"]
    assert len(parts) == 9
    assert {sweep.window for sweep in parts} == {0.35}  # fixed in docs/design.md
    assert not any(sweep.votes for sweep in parts)
    first = find_sweep("public:own-hundredfold-2-draw-1").table()
    assert sorted(set(first["budget"])) == [5000, 16000, 50000, 160000, 500000]
    assert "part" not in first.columns


def test_a_column_of_that_name_stays_where_the_table_is_one_sweep(tmp_path: Path) -> None:
    place = tmp_path / "mine.csv"
    place.write_text("part,params,depth,width,loss\na,1e6,2,96,1.9\nb,1e6,4,64,1.8\n")
    mine = replace(find_sweep("public:byte-level"), name="mine", file=str(place))
    assert mine.table()["part"].tolist() == ["a", "b"]
    assert replace(mine, name="mine-b", part="b").table()["loss"].tolist() == [1.8]


def test_an_unknown_sweep_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InterlawError, match="did you mean 'gemstones-hot'"):
        find_sweep("public:gemstone-hot")
