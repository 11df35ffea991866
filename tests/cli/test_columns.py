"""Whatever the width, every number of a table stands there whole, in the column and row that it belongs to."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interlaw.cli.columns import is_number, shortened, table_lines
from interlaw.cli.console import PlainConsole

number = st.one_of(
    st.floats(1e-9, 1e9).map(lambda value: f"{value:.4g}"),
    st.integers(0, 10**13).map(lambda value: f"{value:,}"),
    st.tuples(st.floats(0, 1), st.floats(0, 1)).map(lambda pair: f"{pair[0]:.4f} to {pair[1]:.4f}"),
    st.tuples(st.integers(1, 99), st.integers(1, 9999)).map(lambda pair: f"{pair[0]}x{pair[1]}"),
)
name = st.lists(st.sampled_from(["layer", "h", "11", "7", "attention", "o_proj", "mlp"]), min_size=1, max_size=7).map(
    ".".join
)
sentence = st.lists(st.sampled_from(["flat", "the", "2024", "et", "al.", "arXiv"]), min_size=1, max_size=9).map(
    " ".join
)


@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(20, 120))
def test_no_number_is_cut_and_no_line_is_longer_than_it_must(data: st.DataObject, width: int) -> None:
    kinds = data.draw(st.lists(st.sampled_from([number, name, sentence]), min_size=1, max_size=9))
    rows = [[data.draw(kind) for kind in (name, *kinds)] for _ in range(data.draw(st.integers(1, 4)))]
    heads = ["name", *(f"column {chr(97 + place)}" for place in range(len(kinds)))]
    lines = [line for line, _ in table_lines(heads, rows, width=width)]
    shown = "\n".join(lines)
    for row in rows:
        for cell in row:
            if is_number(cell):
                assert cell in shown
    assert re.findall(r"\d[\d.,]*…|…[\d,]", shown) == []
    longest = max(len(cell) for row in [heads, *rows] for cell in row)
    assert all(len(line) <= max(width, 2 * longest + 2) for line in lines)
    for head in heads:
        assert head in shown


def test_columns_go_below_with_the_names_of_their_rows() -> None:
    heads, rows = (
        ["layer", "ratio", "interval", "chance"],
        [["h.10.attn", "0.125", "0.1 to 0.2", "0.5"], ["h.9", "1", "-", "3"]],
    )
    assert [line for line, _ in table_lines(heads, rows, width=30)] == [
        "layer      ratio    interval",
        "h.10.attn  0.125  0.1 to 0.2",
        "h.9            1           -",
        "layer      chance",
        "h.10.attn     0.5",
        "h.9             3",
    ]
    assert [head for _, head in table_lines(["", ""], [["a", "1"]], width=80)] == [False]


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("model.layers.31.mlp.down_proj", 20, "model.laye…down_proj"),
        ("layers.12345678.out", 14, "layers.…out"),
        ("short", 9, "short"),
        ("0123456789abcdefghijklmnop", 10, "…mnop"),
    ],
)
def test_names_are_shortened_in_the_middle_and_never_within_digits(text: str, width: int, short: str) -> None:
    assert shortened(text, width) == short


def test_names_of_rows_stay_different() -> None:
    rows = [[f"transformer.h.{layer}.attn.c_proj", "0.5", "0.25 to 0.75", "1.5", "22,222,222"] for layer in range(12)]
    lines = table_lines(["layer", "a", "b", "c", "d"], rows, width=44)
    names = [line.split()[0] for line, head in lines if not head]
    assert len(set(names)) == 12


def test_the_console_prints_every_table_this_way() -> None:
    console = PlainConsole(stderr=False)
    console.file, console.width = io.StringIO(), 34
    console.print_rows(
        ("name", "[b]value[/b]", "params"),
        [("a\x1b[31m name that is long", "0.123456", "123,456,789")],
        title="of all",
    )
    console.print("and text")
    shown = console.file.getvalue()
    assert shown.startswith("of all\n")
    assert {"0.123456", "123,456,789"} <= set(shown.split())
    assert "\x1b" not in shown
    assert "[b]value[/b]" in shown
    assert shown.endswith("and text\n")
