from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from interlaw.errors import InterlawError
from interlaw.published import find_sweep, packaged_sweeps


def test_every_table_has_its_source_and_licence_and_every_source_its_table() -> None:
    folder = files("interlaw.published").joinpath("sweeps")
    tables = {entry.name.removesuffix(".csv") for entry in folder.iterdir() if entry.name.endswith(".csv")}
    assert {sweep.name for sweep in packaged_sweeps()} == tables
    for sweep in packaged_sweeps():
        assert sweep.source
        assert sweep.licence
        assert {"params", "depth", "width", "loss"} <= set(sweep.table().columns)


def test_tables_hold_numbers_only() -> None:
    folder = files("interlaw.published").joinpath("sweeps")
    words = {"treatment": {"fixed", "search", "completep"}, "budget_kind": {"params_non_embedding"}}
    for sweep in packaged_sweeps():
        with folder.joinpath(f"{sweep.name}.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                for name, cell in row.items():
                    assert cell in words[name] if name in words else float(cell) >= 0


def test_sizes_are_those_of_the_sources() -> None:
    sizes = {sweep.name: len(sweep.table()) for sweep in packaged_sweeps()}
    assert sizes == {
        "gemstones-hot": 22,
        "gemstones-cooldown": 20,
        "gemstones-half-rate": 20,
        "mlfoundations-grid": 50,
        "byte-level": 123,
        "own-fair": 48,
        "own-waves-2": 104,
        "own-waves-3": 100,
    }


def test_an_unknown_sweep_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InterlawError, match="did you mean 'gemstones-hot'"):
        find_sweep("public:gemstone-hot")
