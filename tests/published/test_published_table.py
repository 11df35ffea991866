from __future__ import annotations

from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.published import parse_tokens, published_rows, read_rows
from interlaw.published.table import check_consistent

HEADER = "name,family,depth,width,params_total,variant,protocol,mmlu_pro"


def test_built_in_table_is_whole_and_consistent() -> None:
    rows = published_rows()
    assert len(rows) == 281
    assert len({row.name for row in rows}) == 105
    check_consistent(rows)
    assert all(row.shape_source for row in rows)
    assert all(row.score_source for row in rows if row.mmlu_pro is not None)
    assert min(row.params_total for row in rows) > 7e7
    assert max(row.params_total for row in rows) < 1.2e10


def test_built_in_shapes_hold_together() -> None:
    for row in published_rows():
        assert row.params_non_embedding is not None
        assert row.params_non_embedding < row.params_total, row.name
        assert row.num_heads is not None
        assert row.num_kv_heads is not None
        assert row.num_heads % row.num_kv_heads == 0, row.name
        assert 0.0039 < row.ratio < 0.06, row.name


def test_the_table_spells_one_family_in_two_ways_and_they_count_as_one() -> None:
    spelled = {row.family for row in published_rows() if row.family_key == "phi"}
    assert spelled == {"phi", "Phi"}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("up to 18T", 18e12),
        ("15T+", 15e12),
        ("299.9B", 299.9e9),
        ("3T + 500B", 3e12),
        ("4T (3.9T) + 3x50B souped", 4e12),
        ("4.1T (steps x batch x seq in training yaml)", 4.1e12),
        ("2e12", 2e12),
        ("1400000000000", 1.4e12),
        ("<100B tokens after pruning+distilling from Falcon3-7B (teacher 14T)", None),
        ("unknown", None),
        ("0", None),
        (None, None),
    ],
)
def test_parse_tokens(text: str | None, tokens: float | None) -> None:
    assert parse_tokens(text) == tokens


def test_read_rows_takes_full_rows_and_bare_scores_of_known_models(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(
        f"\ufeff{HEADER}\nMine,Mine,10,640,50000000,base,5-shot log-likelihood,12.5\nQwen2-7B,,,,,base,p,40\n"
    )
    mine, known = read_rows(path)
    assert (mine.ratio, mine.mmlu_pro, mine.tokens) == (10 / 640, 12.5, None)
    assert (known.depth, known.width, known.family, known.hf_id) == (28, 3584, "Qwen", "Qwen/Qwen2-7B")
    assert known.protocol == "p"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("Mine,Mine,0,640,5,base,p,12", r"line 2, depth: expected greater than 0, found '0'; fix"),
        ("Mine,Mine,2,6.5,5,base,p,12", r"line 2, width: expected a valid integer.*found '6.5'"),
        ("Mine,,2,64,5,base,p,12", r"line 2, family: expected a value \(the model is not in the built-in table\)"),
        ("Mine,Mine,2,64,5,chat,p,12", r"line 2, variant: expected 'base' or 'inst', found 'chat'"),
        ("Mine,Mine,2,64,5,base,p,101", r"mmlu_pro: expected less than or equal to 100"),
        ("Mine,Mine,2,64,5,base,p,nan", r"mmlu_pro: expected a finite number"),
        ("Mine,Mine,2,64,5,base,p,0.31", r"mmlu_pro: expected a score in percent .* fraction 0.31; multiply by 100"),
        ("Mine,Mine,2,64,5,,,31", r"expected variant \(base or inst\) and protocol beside a score"),
        ("Mine,Mine,2,64,5,base,p,31,9", r"as many cells as columns \(8, separated by commas\), found 9 in line 2"),
        ("Mine,Mine,2", r"as many cells as columns"),
    ],
)
def test_rows_that_do_not_fit_are_refused(row: str, message: str, tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text(f"{HEADER}\n{row}\n")
    with pytest.raises(InterlawError, match=message):
        read_rows(table)


def test_an_unknown_column_is_named(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text("name,wdith\nQwen2-7B,3\n")
    with pytest.raises(InterlawError, match=r"expected the columns name, .*, found 'wdith'; remove or rename"):
        read_rows(table)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match="found nothing at"):
        read_rows(tmp_path / "absent.csv")
    empty, binary = tmp_path / "empty.csv", tmp_path / "binary.csv"
    empty.write_text(HEADER + "\n")
    binary.write_bytes(b"name,\xe9\x80\n")
    with pytest.raises(InterlawError, match="at least one row, found none"):
        read_rows(empty)
    with pytest.raises(InterlawError, match="text in UTF-8"):
        read_rows(binary)


def test_one_name_has_one_shape(tmp_path: Path) -> None:
    table = tmp_path / "m.csv"
    table.write_text(f"{HEADER}\nQwen2-7B,Qwen,32,4096,7000000000,base,p,40\n")
    wrong = read_rows(table)
    with pytest.raises(InterlawError, match=r"one shape a name, found Qwen2-7B as 32x4096 .* and 28x3584"):
        check_consistent((*wrong, *published_rows()))
