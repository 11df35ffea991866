from __future__ import annotations

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from interlaw.errors import InterlawError
from interlaw.published import (
    append_rows,
    place_rows,
    published_models,
    published_rows,
    read_lm_eval,
    read_rows,
    row_from_config,
    rows_from_lm_eval,
    scores_by_model,
)
from interlaw.published.placement import nearest_models

LLAMA: dict[str, Any] = {
    "model_type": "llama",
    "num_hidden_layers": 32,
    "hidden_size": 4096,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 14336,
    "vocab_size": 128256,
    "tie_word_embeddings": False,
}


def write(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def results(**changes: Any) -> dict[str, Any]:
    payload = {
        "results": {
            "leaderboard_mmlu_pro": {"alias": "leaderboard_mmlu_pro", "acc,none": 0.25, "acc_stderr,none": 0.004},
            "mmlu_pro": {"alias": "mmlu_pro", "exact_match,custom-extract": 0.4},
        },
        "group_subtasks": {"mmlu_pro": ["mmlu_pro_law", "mmlu_pro_math"]},
        "n-shot": {"leaderboard_mmlu_pro": 5, "mmlu_pro_law": 5, "mmlu_pro_math": 5},
        "config": {"model": "hf", "model_args": "pretrained=Qwen/Qwen2-7B,dtype=bfloat16", "limit": None},
    }
    return {**payload, **changes}


def test_config_gives_the_exact_count(tmp_path: Path) -> None:
    row = row_from_config(write(tmp_path / "tall" / "config.json", LLAMA))
    assert (row.name, row.family, row.depth, row.width) == ("tall", "tall", 32, 4096)
    assert row.params_total == 8_030_261_248
    assert (row.num_kv_heads, row.d_ff, row.tied_embeddings, row.mmlu_pro) == (8, 14336, False, None)
    assert row_from_config(tmp_path / "tall", name="x", family="Llama").family == "Llama"


def test_other_architectures_are_counted_on_their_own_network(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    config = {"model_type": "gpt2", "n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257}
    row = row_from_config(write(tmp_path / "config.json", config))
    assert (row.depth, row.width, row.params_total) == (12, 768, 124_439_808)
    biased = row_from_config(write(tmp_path / "config.json", {**LLAMA, "attention_bias": True}))
    assert biased.params_total == 8_030_261_248 + 32 * (4096 + 2 * 1024 + 4096)


def test_what_nobody_can_count_needs_its_count(tmp_path: Path) -> None:
    path = write(tmp_path / "config.json", {**LLAMA, "model_type": "mine"})
    with pytest.raises(InterlawError, match=r"or any decoder that transformers builds.*, found mine; put the model"):
        row_from_config(path)
    assert row_from_config(path, params=10**9).params_total == 10**9
    path = write(tmp_path / "config.json", {**LLAMA, "num_attention_heads": 0})
    with pytest.raises(InterlawError, match="can be counted"):
        row_from_config(path)


def test_a_score_beside_a_config_makes_a_whole_row(tmp_path: Path) -> None:
    path = write(tmp_path / "tall" / "config.json", LLAMA)
    row = row_from_config(path, scored=(31.5, "5-shot log-likelihood", "base"))
    assert (row.mmlu_pro, row.protocol, row.variant) == (31.5, "5-shot log-likelihood", "base")
    table = tmp_path / "mine.csv"
    append_rows(table, [row])
    append_rows(table, [row_from_config(path, name="again")])
    first, second = read_rows(table)
    assert first == row
    assert (second.name, second.mmlu_pro) == ("again", None)
    other = tmp_path / "other.csv"
    other.write_text("what\n1\n")
    with pytest.raises(InterlawError, match=r"expected a table with the columns .*, found 'what'"):
        append_rows(other, [row])
    with pytest.raises(InterlawError, match="expected to write"):
        append_rows(other / "t.csv", [row])
    with pytest.raises(InterlawError, match="expected to read"):
        append_rows(tmp_path, [row])
    (tmp_path / "picture.csv").write_bytes(b"\x89PNG")
    with pytest.raises(InterlawError, match=r"expected to read .*picture.csv, found: 'utf-8' codec"):
        append_rows(tmp_path / "picture.csv", [row])
    (tmp_path / "empty.csv").write_text("\n")
    append_rows(tmp_path / "empty.csv", [row])
    assert read_rows(tmp_path / "empty.csv") == (row,)


def test_columns_that_a_table_lacks_are_added_and_its_cells_stay(tmp_path: Path) -> None:
    row = row_from_config(write(tmp_path / "tall" / "config.json", LLAMA), scored=(31.5, "5-shot", "base"))
    lines = ["name,family,depth,width,params_total", '"Ann, ""the"" first",  A ,2, 64 ,1e6', "", "Bob,B,4,128,2000000"]
    for end, mark in (("\n", ""), ("\r\n", "\ufeff")):
        table = tmp_path / "few.csv"
        table.write_bytes((mark + end.join(lines)).encode())  # as spreadsheets write it; the last line has no end
        append_rows(table, [row])
        header, first, blank, second, own, rest = table.read_bytes().decode().split(end)
        added = header.removeprefix(mark + lines[0] + ",").split(",")
        assert header.startswith(mark + lines[0] + ",")
        assert "mmlu_pro" in added
        assert "release" not in added  # nothing to write in it
        assert (first, blank, second) == (lines[1] + "," * len(added), "", lines[3] + "," * len(added))
        assert (own.split(",")[0], rest) == (row.name, "")
        wider = table.read_bytes()
        append_rows(table, [row])
        assert table.read_bytes().startswith(wider)
    table.write_text('name,setting\n"Qwen2-7B","a line\nand another"\n')  # a cell in two lines is one cell
    append_rows(table, [row])
    assert '"Qwen2-7B","a line\nand another",,' in table.read_text()
    assert read_rows(table)[-1] == row


def test_a_table_survives_a_full_disk(tmp_path: Path) -> None:
    table = tmp_path / "mine.csv"
    row = row_from_config(write(tmp_path / "tall" / "config.json", LLAMA))
    append_rows(table, [row])
    before, (soft, hard) = table.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) // 2, hard))  # every longer file ends in an error there
    try:
        with pytest.raises(InterlawError, match=r"expected to write .*mine.csv', found: File too large"):
            append_rows(table, [row])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert table.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv", "tall"]


def test_what_is_no_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"expected a config.json, found nothing at"):
        row_from_config(tmp_path / "config.json")
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    with pytest.raises(InterlawError, match="to be JSON"):
        row_from_config(broken)
    with pytest.raises(InterlawError, match="a JSON object, found list"):
        row_from_config(write(tmp_path / "list.json", [1]))
    with pytest.raises(InterlawError, match="expected one of num_hidden_layers"):
        row_from_config(write(tmp_path / "empty.json", {"model_type": "llama"}))


def test_the_two_tasks_of_one_name_are_two_protocols(tmp_path: Path) -> None:
    scores = read_lm_eval(write(tmp_path / "r.json", results()))
    assert [(score.protocol, score.percent) for score in scores] == [
        ("5-shot log-likelihood", 25.0),
        ("5-shot CoT generation", 40.0),
    ]
    rows = rows_from_lm_eval(scores, known=published_rows())
    assert [(row.name, row.variant, row.params_total) for row in rows] == [("Qwen2-7B", "base", 7_615_616_512)] * 2
    scores = scores_by_model((*rows, *published_rows()))["Qwen2-7B"]
    assert [row.score for row in scores] == [25.0, 41.83]  # the user's own run wins over the built-in row


def test_a_model_is_known_by_its_hub_name_and_keeps_its_variant(tmp_path: Path) -> None:
    path = write(tmp_path / "r.json", results(model_name="qwen/qwen2-7b-instruct"))
    assert {row.variant for row in rows_from_lm_eval(read_lm_eval(path), known=published_rows())} == {"inst"}
    named = read_lm_eval(write(tmp_path / "r.json", results(model_name="QWEN2-7B")))
    assert rows_from_lm_eval(named, known=iter(published_rows()))[0].name == "Qwen2-7B"


def test_an_unknown_model_needs_its_configuration(tmp_path: Path) -> None:
    scores = read_lm_eval(write(tmp_path / "r.json", results(model_name="me/mine")))
    with pytest.raises(InterlawError, match=r"a model of the table, found me/mine; give its config.json"):
        rows_from_lm_eval(scores, known=published_rows())
    config = write(tmp_path / "config.json", LLAMA)
    row = rows_from_lm_eval(scores, known=published_rows(), variant="inst", config=config)[0]
    assert (row.name, row.variant, row.params_total, row.mmlu_pro) == ("mine", "inst", 8_030_261_248, 25.0)


def test_a_run_cut_short_is_a_protocol_of_its_own(tmp_path: Path) -> None:
    cut = results(config={"model_args": {"pretrained": "Qwen/Qwen2-7B"}, "limit": 100})
    assert read_lm_eval(write(tmp_path / "r.json", cut))[0].protocol == "5-shot log-likelihood, limit 100"


def test_shots_that_the_file_does_not_state_are_unknown(tmp_path: Path) -> None:
    mixed = results(**{"n-shot": {"leaderboard_mmlu_pro": 0, "mmlu_pro_law": 5, "mmlu_pro_math": 0}})
    protocols = [score.protocol for score in read_lm_eval(write(tmp_path / "r.json", mixed))]
    assert protocols == ["0-shot log-likelihood", "unknown-shot CoT generation"]


@pytest.mark.parametrize(
    ("changes", "task", "message"),
    [
        ({"results": {"arc": {}}}, None, "expected the task leaderboard_mmlu_pro or mmlu_pro in .*, found arc"),
        ({}, "letters", "expected the task letters in .*, found leaderboard_mmlu_pro, mmlu_pro"),
        ({"results": {"mmlu_pro": {"exact_match,custom-extract": "N/A"}}}, None, "between 0 and 1, found 'N/A'"),
        (
            {"results": {"letters": {"bleu,none": 3}}},
            "letters",
            "expected a metric such as acc, exact_match, acc_norm of letters in .*, found bleu,none; name one",
        ),
        ({"config": {}}, None, "to name its model, found no model_name"),
        ({"results": []}, None, "to hold 'results', found none"),
    ],
)
def test_results_that_cannot_be_used_are_refused(
    tmp_path: Path, changes: dict[str, Any], task: str | None, message: str
) -> None:
    path = write(tmp_path / "r.json", results(**changes))
    with pytest.raises(InterlawError, match=message):
        read_lm_eval(path, task=task)


def test_files_that_are_no_results_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match="found nothing at"):
        read_lm_eval(tmp_path / "r.json")
    (tmp_path / "r.json").write_text("no")
    with pytest.raises(InterlawError, match="to be JSON"):
        read_lm_eval(tmp_path / "r.json")


def test_placement_names_side_and_neighbours(tmp_path: Path) -> None:
    mine = row_from_config(write(tmp_path / "mine" / "config.json", LLAMA))
    models = [ones[0] for ones in scores_by_model(published_rows()).values()]
    (placement,) = place_rows([mine], models, interval=(0.02, 0.065))
    assert (placement.position, placement.compared) == ("below", False)
    assert {model.name for model in placement.nearest[:2]} == {"Llama-3-8B", "Llama-3.1-8B"}
    taken = models[0]
    (same,) = place_rows([taken], models, interval=(0.02, 0.065))
    assert same.compared
    assert taken not in same.nearest


def test_nearest_orders_by_size_and_ratio_together() -> None:
    models = {model.name: model for model in published_models()}
    small = models.pop("SmolLM-135M")
    nearest = nearest_models(small, models.values(), count=500)
    assert [model.name for model in nearest[:2]] == ["SmolLM2-135M", "MobileLLM-125M"]
    assert len(nearest) == 104


def test_every_model_is_there_once() -> None:
    models = published_models(variant="inst")
    assert len({model.name for model in models}) == len(models) == 105
    scored = {model.name for model in models if model.mmlu_pro is not None}
    assert scored == set(scores_by_model(published_rows(), variant="inst"))
    assert {(model.protocol, model.variant) for model in models if model.name not in scored} == {(None, None)}
    assert [model.params_total for model in models] == sorted(model.params_total for model in models)


@pytest.mark.parametrize(
    ("task", "figures", "asked", "percent", "protocol"),
    [
        ("biology", {"exact_match,custom-extract": 0.2}, "biology", 20, "biology 5-shot exact_match custom-extract"),
        ("hellaswag", {"acc": 0.43, "acc_stderr": 0.1, "acc_norm": 0.5}, "hellaswag", 43, "hellaswag 5-shot acc"),
        (
            "hellaswag",
            {"acc,none": 0.43, "acc_norm,none": 0.5},
            "hellaswag:acc_norm,none",
            50,
            "hellaswag 5-shot acc_norm",
        ),
        (
            "gsm8k",
            {"exact_match,a": 0.1, "exact_match,b": 0.2},
            "gsm8k:exact_match,b",
            20,
            "gsm8k 5-shot exact_match b",
        ),
        (
            "humaneval",
            {"pass@1,create_test": 0.3, "pass@1_stderr,create_test": 0.1},
            "humaneval",
            30,
            "humaneval 5-shot pass@1 create_test",
        ),
        ("drop", {"em,none": 0.1, "f1,none": 0.25}, "drop", 25, "drop 5-shot f1"),
        ("mmlu_pro", {"exact_match,none": 0.4}, "mmlu_pro", 40, "mmlu_pro 5-shot exact_match"),  # no chain of thought
    ],
)
def test_metrics_behind_a_filter_and_of_the_old_schema(
    tmp_path: Path, task: str, figures: dict[str, float], asked: str, percent: float, protocol: str
) -> None:
    path = write(tmp_path / "r.json", results(results={task: {"alias": task, **figures}}, **{"n-shot": {task: 5}}))
    (score,) = read_lm_eval(path, task=asked)
    assert (score.task, score.percent, score.protocol) == (task, pytest.approx(percent), protocol)


def test_a_metric_under_two_filters_is_named_not_guessed(tmp_path: Path) -> None:
    figures = {"exact_match,strict-match": 0.05, "exact_match,flexible-extract": 0.06}
    path = write(tmp_path / "r.json", results(results={"gsm8k": figures}))
    with pytest.raises(
        InterlawError, match=r"found exact_match,strict-match, .*; name one as --task gsm8k:exact_match"
    ):
        read_lm_eval(path, task="gsm8k")
    with pytest.raises(InterlawError, match=r"expected acc of gsm8k .* found None among exact_match,strict-match, "):
        read_lm_eval(path, task="gsm8k:acc")
