"""`interlaw shapes`: the promised keys, the numbers of the library, a table for people."""

from __future__ import annotations

import json
from typing import Any

import pytest

from interlaw.cli import run
from interlaw.shapes import match_shapes


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert run(["shapes", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    answer = json.loads(captured.out)
    assert list(answer) == ["shapes"]
    found: list[dict[str, Any]] = answer["shapes"]
    return found


def test_the_promised_keys(capsys: pytest.CaptureFixture[str]) -> None:
    rows = asked(capsys, "--family", "gpt", "--params", "3M", "--depths", "1-24", "--head-dim", "4")
    promised = {"family", "depth", "width", "num_heads", "d_ff", "params", "flops_per_token", "ratio", "budget_error"}
    assert all(promised <= set(row) for row in rows)
    assert [row["depth"] for row in rows] == list(range(1, 25))
    assert all(-0.1 < row["budget_error"] <= 0 for row in rows)


def test_options_reach_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    rows = asked(
        capsys,
        *("--params", "2M", "--depths", "2,4", "--vocab", "100", "--context", "64", "--head-dim", "8"),
        *("--rule", "nearest", "--multiple-of", "3", "--count", "non-embedding", "--tied"),
    )
    expected = match_shapes(
        params="2M",
        depths=[2, 4],
        vocab_size=100,
        context=64,
        head_dim=8,
        rule="nearest",
        multiple_of=3,
        count="non-embedding",
        tied=True,
    )
    for row, shape in zip(rows, expected, strict=True):
        assert {name: row[name] for name in shape.to_dict()} == shape.to_dict()
        assert row["budget_error"] == pytest.approx(shape.params_non_embedding / 2e6 - 1)


def test_other_budgets(capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = asked(capsys, "--flops", "1e15", "--tokens-per-param", "20", "--depths", "4")
    assert row["flops_per_token"] * row["params"] * 20 == pytest.approx(1e15 * (1 + row["budget_error"]))
    (row,) = asked(capsys, "--flops-per-token", "10M", "--depths", "4", "--untied")
    assert row["flops_per_token"] == pytest.approx(1e7 * (1 + row["budget_error"]))
    assert row["tied"] is False


@pytest.mark.parametrize(
    ("family", "sizes", "depth", "width", "params"),
    [
        # 2 L (d^2 + d) + (i + 1) d + (d + 1) o
        ("mlp", ("--input-size", "10", "--output-size", "3"), 3, 40, 6 * (1600 + 40) + 11 * 40 + 41 * 3),
        # L (18 d^2 + 6 d) + stem 9 (c + 1) d + d, last norm 2 d, last convolution 9 d c + c
        ("cnn", ("--channels", "1"), 2, 16, 2 * (18 * 256 + 96) + 18 * 16 + 16 + 32 + 9 * 16 + 1),
        # 3 d (i + d + 2) + 3 (L - 1) d (2 d + 2) + (d + 1) o
        ("gru", ("--input-size", "2", "--output-size", "5"), 3, 24, 72 * 28 + 6 * 24 * 50 + 25 * 5),
    ],
)
def test_other_families_have_their_own_sizes(
    family: str, sizes: tuple[str, ...], depth: int, width: int, params: int, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("--family", family, "--params", str(params), "--depths", str(depth), "--multiple-of", "8", *sizes)
    (row,) = asked(capsys, *arguments)
    assert (row["family"], row["depth"], row["width"], row["params"]) == (family, depth, width, params)
    assert row["budget_error"] == 0
    assert row["ratio"] == depth / width


def test_the_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shapes", "--params", "1M", "--depths", "5", "--head-dim", "4"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    header, row = captured.out.splitlines()
    assert header.split()[:5] == ["depth", "width", "heads/kv", "d_ff", "params"]
    assert row.split()[:5] == ["5", "120", "30/30", "480", "958,800"]
    assert row.split()[-2:] == ["0.0417", "-4.1%"]
    assert max(map(len, captured.out.splitlines())) <= 80


@pytest.mark.parametrize(("family", "params"), [("llama", "350M"), ("qwen2", "1B"), ("llama", "7B")])
def test_decoders_have_the_dimensions_of_recommend_at_depths_around_its_range(
    family: str, params: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from interlaw.recommendation import Dimensions, recommend

    assert run(["shapes", "--family", family, "--params", params, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["shapes"]
    result = recommend(params=params, family=family)
    assert 5 <= len(rows) <= 12
    assert rows[0]["ratio"] < result.interval.low
    assert rows[-1]["ratio"] > result.interval.high
    of = Dimensions(family=family)
    for row in rows:
        shape = of.shape(row["width"], row["depth"], tied=row["tied"])
        assert shape is not None
        assert shape.params == row["params"]
        assert row["tied"] == (params != "7B")
        assert -0.2 < row["budget_error"] <= 0


def test_a_family_of_transformers_has_its_own_vocabulary_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    own = pytest.importorskip("transformers").Qwen3Config().vocab_size
    command = ["shapes", "--family", "hf:qwen3", "--params", "150M", "--depths", "4"]
    assert [row["vocab_size"] for row in asked(capsys, *command[1:])] == [own]
    assert run(command) == 0
    assert capsys.readouterr().err.startswith(f"note: vocabulary {own:,}, the family's own; --vocab sets another\n")
    assert run([*command, "--vocab", "32k"]) == 0
    assert "vocabulary" not in capsys.readouterr().err
    assert run(["shapes", "--family", "qwen3", "--params", "150M"]) == 2
    assert "did you mean 'hf:qwen3'?" in capsys.readouterr().err


def test_each_depth_takes_the_best_width_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    from interlaw.recommendation import Dimensions

    for rule in ("largest", "nearest"):
        assert (
            run(["shapes", "--family", "llama", "--params", "60M", "--depths", "6,15", "--rule", rule, "--json"]) == 0
        )
        for row in json.loads(capsys.readouterr().out)["shapes"]:
            counts = [
                shape.params
                for width in range(64, 4096, 64)
                if (shape := Dimensions(family="llama").shape(width, row["depth"], tied=True)) is not None
            ]
            within = [count for count in counts if rule == "nearest" or count <= 60e6]
            assert row["params"] == min(within, key=lambda count: abs(count - 60e6))


def test_key_value_heads_do_not_force_one_width(capsys: pytest.CaptureFixture[str]) -> None:
    rows = asked_with_notes(capsys, "--family", "llama", "--params", "350M", "--kv-heads", "4")[0]
    assert {row["num_kv_heads"] for row in rows} == {4}
    assert len({row["width"] for row in rows}) > 5


def asked_with_notes(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[list[dict[str, Any]], str]:
    assert run(["shapes", *arguments, "--json"]) == 0
    captured = capsys.readouterr()
    return json.loads(captured.out)["shapes"], captured.err


@pytest.mark.parametrize(
    ("arguments", "change"),
    [
        (("--family", "llama", "--params", "60M", "--depths", "12", "--multiple-of", "256"), "--multiple-of 64"),
        (("--family", "gpt", "--params", "3M", "--depths", "4", "--head-dim", "64"), "--head-dim 16"),
        (("--family", "mlp", "--params", "100k", "--depths", "9", "--multiple-of", "64"), "--multiple-of 8"),
        (("--family", "llama", "--params", "60M", "--depths", "13", "--head-dim", "128", "--rule", "nearest"), None),
    ],
)
def test_a_wide_miss_names_a_change_that_was_tried(
    arguments: tuple[str, ...], change: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, note = asked_with_notes(capsys, *arguments)
    worst = max(rows, key=lambda row: abs(row["budget_error"]))
    if abs(worst["budget_error"]) <= 0.2:
        assert note == ""
        return
    assert f"(at depth {worst['depth']} by {worst['budget_error']:+.0%})" in note
    assert change is not None
    assert f"{change} brings that one to" in note
    said = note.rpartition(" to ")[2].strip()
    again, _ = asked_with_notes(capsys, *arguments, "--depths", str(worst["depth"]), *change.split())
    assert f"{again[0]['budget_error']:+.1%}" == said
    assert abs(again[0]["budget_error"]) < abs(worst["budget_error"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected exactly one budget"),
        (["--params", "3M", "--family", "llama"], "expected a llama of depth|expected a budget that some llama"),
        (["--params", "60M", "--family", "llama", "--depths", "4", "--channels", "3"], "channels"),
        (
            ["--params", "60M", "--family", "llama", "--depths", "500"],
            "expected a llama of depth 500 within 60M parameters",
        ),
        (["--params", "1M", "--flops", "1e15"], "expected exactly one budget"),
        (["--params", "3X"], "expected a size such as"),
        (["--params", "3M", "--family", "gtp"], "expected a family of"),
        (["--params", "3M", "--depths", "9-1"], "expected depths from 1"),
        (["--params", "3M", "--family", "gpt", "--channels", "3"], "channels"),
        (["--params", "3M", "--rule", "best"], "'best' is not one of 'largest', 'nearest'"),
        (["--params", "3M", "--count", "all"], "expected a count among total, non-embedding"),
        (["--params", "3M", "--head-dim", "0"], "expected --head-dim to be at least 1"),
        (["--params", "1k"], "no gpt of depth 1 spends 1k parameters"),
        (["--flops", "1e15", "--tokens-per-param", "0"], "needs positive tokens per parameter"),
        (["--flops", "1e15", "--tokens-per-param", "inf"], "needs positive tokens per parameter"),
    ],
)
def test_mistakes_are_one_line(arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["shapes", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("interlaw: ")
    assert any(words in captured.err for words in message.split("|"))
    assert captured.err.count("\n") == 1
