from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from interlaw.cli.compare import compare
from interlaw.errors import InterlawError

app = typer.Typer()
app.command()(compare)

RESULTS: dict[str, Any] = {
    "results": {"leaderboard_mmlu_pro": {"acc,none": 0.31}},
    "n-shot": {"leaderboard_mmlu_pro": 5},
    "config": {"model_args": {"pretrained": "me/mine"}},
}
CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 24,
    "hidden_size": 2048,
    "num_attention_heads": 32,
    "intermediate_size": 8192,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def unwrapped(text: str) -> str:
    """The words, whatever the lines."""
    return " ".join(text.split())


def fails(message: str, *arguments: str) -> None:
    with pytest.raises(InterlawError, match=message):
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_json_reproduces_the_tables_known_figures() -> None:
    payload = json.loads(run("--json"))
    assert {"answer", "associations", "models", "shared_ratios", "claim", "warnings", "added"} == set(payload)
    pearson = {
        one["bin"]: (one["num_models"], round(one["pearson"]["value"], 2))
        for one in payload["associations"]
        if one["predictor"] == "ratio"
    }
    assert pearson == {"0.4-2.5B": (29, 0.10), "2.5-5B": (16, 0.19), "5-10B": (26, 0.52), "all": (81, -0.34)}
    assert len(payload["models"]) == 81
    shared = [one["mmlu_pro"] for one in payload["models"] if one["bin"] == "5-10B" and one["ratio"] == 1 / 128]
    ten = sorted(score for score in shared if score > 29.5)
    assert (len(ten), ten[0], ten[-1]) == (10, 29.53, 43.65)
    assert payload["added"] == []


def test_people_see_the_answer_in_a_few_lines() -> None:
    text = run()
    assert text.startswith("Claim that models near R = 0.02 to 0.065 score better: cannot tell at 0.4-2.5B")
    assert max(map(len, text.splitlines())) <= 80
    text = unwrapped(text)
    assert "81 base models with a score by 5-shot log-likelihood, of 105 in the built-in table; correlations" in text
    assert "+0.10 (" in text
    assert "14 models of 5-10B share R = 0.0078 and score 11.47 to 43.65" in text
    assert "note: 31 of 81 base models score no better than guessing" in text


def test_an_option_of_earlier_versions_is_named_and_changes_nothing() -> None:
    result = CliRunner().invoke(app, ["--resamples", "100", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout == run("--json")
    assert "--resamples changes nothing" in unwrapped(result.stderr)


def test_details_list_every_statistic_and_model() -> None:
    text = run("--details")
    assert "given_params_and_tokens" in text
    assert "MobileLLM-125M" in text
    assert text.count("guessing") > 31


def test_own_models_join_by_csv_config_and_results(tmp_path: Path) -> None:
    table, results, config = tmp_path / "mine.csv", tmp_path / "r.json", tmp_path / "config.json"
    table.write_text("name,protocol,variant,mmlu_pro\nQwen2-7B,5-shot log-likelihood,base,50\n")
    results.write_text(json.dumps(RESULTS))
    config.write_text(json.dumps(CONFIG))
    options = ["--models", str(table), "--lm-eval", str(results), "--config", str(config)]
    payload = json.loads(run(*options, "--json"))
    scores = {one["name"]: one for one in payload["models"]}
    assert len(scores) == 82
    assert (scores["mine"]["mmlu_pro"], scores["mine"]["depth"]) == (31.0, 24)
    assert (scores["Qwen2-7B"]["mmlu_pro"], scores["Qwen2-7B"]["replicates"]) == (50.0, [41.83])
    assert [(one["name"], one["position"], one["compared"]) for one in payload["added"]] == [
        ("Qwen2-7B", "below", True),
        ("mine", "below", True),
    ]
    text = unwrapped(run(*options))
    assert "of 105 in the built-in table and 2 rows of yours; correlations" in text
    assert "added: mine 24x2048, R = 0.0117 below the interval, 31.00 (5-shot log-likelihood, base); nearest:" in text
    alone = unwrapped(run("--config", str(config)))
    assert f"added: {tmp_path.name} 24x2048" in alone
    assert "no score" in alone


def test_a_model_from_its_config_and_score_comes_first_and_is_written(tmp_path: Path) -> None:
    config, table = tmp_path / "config.json", tmp_path / "mine.csv"
    config.write_text(json.dumps(CONFIG))
    options = ["--config", str(config), "--name", "mine", "--score", "31.5", "--write", str(table)]
    said = "added: mine 24x2048, R = 0.0117 below the interval, 31.50 (5-shot log-likelihood, base); nearest: "
    assert unwrapped(run(*options)).startswith(said)
    assert unwrapped(run("--models", str(table))).startswith(said)
    kept = table.read_text()
    fails("an interval 0 < low < high", *options, "--interval", ".5-.1")  # a refused command writes nothing
    assert table.read_text() == kept
    fails("one --config for --score or --name, found 0", "--score", "31")


def test_what_is_written_into_a_table_of_few_columns_is_read_again(tmp_path: Path) -> None:
    config, table = tmp_path / "config.json", tmp_path / "few.csv"
    config.write_text(json.dumps(CONFIG))
    table.write_text("name,protocol,variant,mmlu_pro\nQwen2-7B,5-shot log-likelihood,base,50\n")
    run("--config", str(config), "--name", "mine", "--score", "31.5", "--write", str(table))
    text = unwrapped(run("--models", str(table)))
    assert "added: Qwen2-7B 28x3584" in text
    assert "added: mine 24x2048, R = 0.0117 below the interval, 31.50 (5-shot log-likelihood, base)" in text


def test_another_protocol_is_kept_apart_and_said(tmp_path: Path) -> None:
    results = tmp_path / "r.json"
    results.write_text(
        json.dumps({**RESULTS, "model_name": "Qwen2-7B", "results": {"mmlu_pro": {"exact_match,custom-extract": 0.4}}})
    )
    assert "not compared: protocol, variant or row differs" in unwrapped(run("--lm-eval", str(results)))


def test_variant_protocol_and_interval_are_choices() -> None:
    payload = json.loads(run("--variant", "inst", "--interval", ".005-.02", "--json"))
    assert payload["claim"]["interval"] == [0.005, 0.02]
    assert {one["variant"] for one in payload["models"]} == {"inst"}
    other = json.loads(run("--protocol", "vendor-reported", "--json"))
    assert {one["protocol"] for one in other["models"]} == {"vendor-reported"}


def test_mistakes_are_named(tmp_path: Path) -> None:
    fails("expected --interval LOW-HIGH such as .02-.065, found 'wide'", "--interval", "wide")
    results, config = tmp_path / "r.json", tmp_path / "config.json"
    results.write_text(json.dumps(RESULTS))
    config.write_text(json.dumps(CONFIG))
    fails(
        "one --config for each --lm-eval or none, found 2 for 1",
        *("--lm-eval", str(results), "--config", str(config), "--config", str(config)),
    )
    fails("found nothing at", "--models", str(tmp_path / "absent.csv"))
