"""One table written in many ways reads as the same table; what could be read in two ways is refused."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.runs import parse_cells, read_cells, read_table_file

TABLE = pd.DataFrame(
    {
        "params": [1_000_123, 3_000_456, 10_000_789],
        "depth": [2, 4, 8],
        "width": [64, 128, 192],
        "loss": [2.5, 2.25, 1.875],
        "status": ["done", "done", "diverged"],
        "rate_at_edge": [False, True, False],
    }
)
CSV = TABLE.to_csv(index=False)


def text(separator: str = ",", *, mark: str = ".", end: str = "", newline: str = "\n") -> str:
    rows = (
        [line.replace(".", mark).replace(",", "\0") for line in CSV.splitlines()]
        if mark == "."
        else [line.replace(",", "\0").replace(".", mark) for line in CSV.splitlines()]
    )
    return "".join(row.replace("\0", separator) + end + newline for row in rows)


def parquet(table: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.to_parquet(buffer)
    return buffer.getvalue()


WAYS: dict[str, bytes] = {
    "commas": text().encode(),
    "a mark in front": b"\xef\xbb\xbf" + text().encode(),
    "windows lines": text(newline="\r\n").encode(),
    "old mac lines": text(newline="\r").encode(),
    "no last line end": text().rstrip().encode(),
    "trailing commas": text(end=",").encode(),
    "trailing commas in rows alone": text(end=",").replace("edge,", "edge", 1).encode(),
    "many trailing commas": text(end=",,,,").encode(),
    "blank rows between": text(newline="\n\n,,,\n").encode(),
    "spaces behind commas": text(", ").encode(),
    "spaces around all": text("  ,  ").encode(),
    "semicolons": text(";").encode(),
    "semicolons and decimal commas": text(";", mark=",").encode(),
    "semicolons with Excel's own line": b"sep=;\n" + text(";").encode(),
    "tabs": text("\t").encode(),
    "tabs and decimal commas": text("\t", mark=",").encode(),
    "bars": text("|").encode(),
    "spaces": text("  ").encode(),
    "comments above": b"# runs of November\n#\n" + text().encode(),
    "quoted": TABLE.to_csv(index=False, quoting=1).encode(),
    "thousands": TABLE.assign(params=[f"{each:,}" for each in TABLE.params]).to_csv(index=False).encode(),
    "points between thousands": text(";", mark=",").replace("1000123", "1.000.123").encode(),
    "utf-16": text().encode("utf-16"),
    "gzip": gzip.compress(text().encode()),
    "bzip2": bz2.compress(text(";").encode()),
    "xz": lzma.compress(text("\t").encode()),
    "parquet": parquet(TABLE),
    "parquet with spaces in names": parquet(TABLE.rename(columns=lambda name: f" {name} ")),
    "parquet of nullable columns": parquet(TABLE.convert_dtypes()),
    "json lines": TABLE.to_json(orient="records", lines=True).encode(),
    "json lines of text": "".join(
        json.dumps({k: str(v) for k, v in row.items()}) + "\n" for row in TABLE.to_dict("records")
    ).encode(),
    "json array": TABLE.to_json(orient="records", indent=1).encode(),
    "json columns": TABLE.to_json().encode(),
    "json lists": json.dumps(TABLE.to_dict("list")).encode(),
    "gzipped json lines": gzip.compress(TABLE.to_json(orient="records", lines=True).encode()),
}


def same(found: pd.DataFrame) -> None:
    assert list(found.columns) == list(TABLE.columns)
    for name in TABLE:
        assert found[name].tolist() == TABLE[name].tolist(), name


@pytest.mark.parametrize("way", WAYS)
def test_one_table_in_many_spellings(tmp_path: Path, way: str) -> None:
    path = tmp_path / "table.txt"  # the name tells nothing
    path.write_bytes(WAYS[way])
    same(read_table_file(path))


@pytest.mark.parametrize("way", ["commas", "semicolons and decimal commas", "parquet", "gzip", "json lines"])
def test_a_pipe_is_read_as_a_file(tmp_path: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=(WAYS[way],))
    writer.start()
    same(read_table_file(pipe))
    writer.join()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(WAYS[way])))
    same(read_table_file("-"))


def test_what_is_told_of_the_spelling(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for way, told in {
        "commas": "",
        "semicolons and decimal commas": "separated by semicolons with decimal commas",
        "thousands": "commas between thousands",
    }.items():
        path.write_bytes(WAYS[way])
        assert read_table_file(path).attrs["read_as"] == told


def test_holes_names_in_comments_and_nested_objects(tmp_path: Path) -> None:
    path = tmp_path / "t"
    path.write_text("depth,loss,note\n2,NA,\n3,,x\n4,2.5,n/a\n")
    table = read_table_file(path)
    np.testing.assert_array_equal(table["loss"], [np.nan, np.nan, 2.5])
    assert table["note"].tolist() == [None, "x", None]
    path.write_text("# depth loss\n2 1e-3\n3 inf\n")  # as numpy.savetxt writes it
    assert read_table_file(path).to_dict("list") == {"depth": [2, 3], "loss": [1e-3, np.inf]}
    path.write_text('{"config": {"depth": 2}, "loss": NaN}\n{"config": {"depth": 3}, "loss": Infinity}\n')
    table = read_table_file(path)
    assert table["config.depth"].tolist() == [2, 3]
    assert np.isinf(table["loss"][1])


def archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("xl/workbook.xml", "<x/>")
    return buffer.getvalue()


WRONG: dict[str, tuple[bytes, str]] = {
    "more cells than columns": (
        b"a,b\n1,2,3\n",
        r"as many cells as columns \(2, separated by commas\), found 3 in line 2",
    ),
    "fewer cells": (b"a,b\n1,2\n\n3\n", "found 1 in line 4"),
    "a column twice": (b"a,loss,loss\n1,2,3\n", "each column once in .*, found 'loss' twice"),
    "no names": (b"1000,2,3\n1000,3,4\n", "names of columns in the first line of .*, found numbers"),
    "an open quote": (b'a,b\n1,"2\n3,4\n', "close its quotes"),
    "points or commas": (b'a;b\n1,234;"5,678"\n', "decimals or thousands, found 1,234, 5,678"),
    "both marks": (b"a;b\n1,5;2.5\n", "decimals or thousands, found 1,5, 2.5"),
    "latin-1": ("a,b\n\xe4,1\n".encode("latin-1"), r"text in UTF-8 in .*, found another encoding \(byte 4\)"),
    "utf-16 without mark": ("a,b\n1,2\n".encode("utf-16-le"), "found binary data"),
    "a spreadsheet": (archive(), "found a spreadsheet or zip archive; save it as CSV"),
    "an array": (b"\x93NUMPY\x01", "found a NumPy array"),
    "a torn archive": (gzip.compress(text().encode())[:60], "expected a table in .*; check the file"),
    "a torn parquet": (parquet(TABLE)[:200], "expected a Parquet table in"),
    "json of numbers": (b"[1, 2]", "expected a JSON object a row"),
    "a torn line of json": (b'{"a": 1}\n{"a": ', "expected a JSON object in line 2 of"),
    "json of unequal columns": (b'{"a": [1], "b": [1, 2]}', "expected columns of one length"),
    "nothing": (b"\n\n", "found an empty file"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_no_table_is_refused(tmp_path: Path, case: str) -> None:
    path = tmp_path / "t.csv"
    content, message = WRONG[case]
    path.write_bytes(content)
    with pytest.raises(InterlawError, match=message):
        read_table_file(path)


def test_nothing_a_folder_and_a_flood_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for read in (read_table_file, read_cells):
        with pytest.raises(InterlawError, match="found nothing at"):
            read(tmp_path / "absent.csv")
        with pytest.raises(InterlawError, match="found: Is a directory"):
            read(tmp_path)
    monkeypatch.setattr("interlaw.runs.table_file.MOST_BYTES", 2**20)
    for flood in (b"1" * (2**20 + 1), gzip.compress(b"1" * 2**24)):
        (tmp_path / "t").write_bytes(flood)
        with pytest.raises(InterlawError, match=r"at most 1 MiB in .*, found more"):
            read_table_file(tmp_path / "t")

    class Keyboard(io.TextIOWrapper):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Keyboard(io.BytesIO()))
    with pytest.raises(InterlawError, match="standard input, found a keyboard"):
        read_table_file("-")


cell = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=5).map(lambda word: f"x{word}")


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(st.lists(cell, min_size=3, max_size=3), min_size=1, max_size=4))
def test_whatever_csv_writes_is_read_back(rows: list[list[str]]) -> None:
    written = pd.DataFrame(rows, columns=["a", "b", "c"]).to_csv(index=False)
    assert parse_cells(written, name="t").rows == [[each.strip() for each in row] for row in rows]


@pytest.mark.parametrize("read", [read_table_file, read_cells])
def test_long_columns_of_digits_keep_their_size(tmp_path: Path, read: Callable[[Path], object]) -> None:
    path = tmp_path / "t"
    path.write_text(f"a,b\n{10**17 + 1},{10**25}\n{'9' * 5000},1e400\n")
    found = read(path)
    if isinstance(found, pd.DataFrame):
        assert found["b"].tolist() == [1e25, np.inf]
