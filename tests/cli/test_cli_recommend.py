from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from interlaw.cli.recommend import recommend
from interlaw.errors import InterlawError
from interlaw.laws import fit_law

app = typer.Typer()
app.command()(recommend)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    return result.stdout


def fails(message: str, *arguments: str) -> None:
    with pytest.raises(InterlawError, match=message):
        CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def law(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    rows: dict[str, list[float]] = {name: [] for name in ("params", "budget", "depth", "width", "loss")}
    for size in (1e6, 1e7):
        for depth in range(2, 15):
            width = round(math.sqrt(size / 12 / depth))
            loss = 1 + 20 * size**-0.25 + 0.05 * math.log(depth / width / 0.03) ** 2 + 0.001 * rng.normal()
            for name, value in zip(rows, (size, size, depth, width, loss), strict=True):
                rows[name].append(value)
    path = tmp_path_factory.mktemp("law") / "fit.json"
    path.write_text(json.dumps(fit_law(rows, num_bootstrap=100, num_permutations=100).to_dict()))
    return path


def test_json_has_the_promised_keys() -> None:
    payload = json.loads(run("--params", "350M", "--family", "llama", "--vocab", "32k", "--tokens", "20B", "--json"))
    assert {"pick", "why", "predictive_interval", "candidates", "interval", "laws", "warnings"} <= set(payload)
    low, high = payload["interval"]["low"], payload["interval"]["high"]
    assert all(low <= one["ratio"] == one["depth"] / one["width"] <= high for one in payload["candidates"])
    assert {one["vocab_size"] for one in payload["candidates"]} == {32_000}
    assert {one["train_tokens"] for one in payload["candidates"]} == {20_000_000_000}


def test_people_see_the_pick_then_others_then_a_table_at_80_columns() -> None:
    text = run("--params", "350M", "--parallel", "4")
    first = text.splitlines()[0]
    assert first.startswith("Take ")
    assert ": 3 measured data sets and 2 published rules put" in first
    name = first.removeprefix("Take ").partition(":")[0]
    assert text.index("Within 0.5%") < text.index("heads/kv") < text.rindex(name) < text.index("note: ")
    assert max(map(len, text.splitlines())) <= 80


def test_details_list_lines_weights_and_models() -> None:
    text = run("--params", "350M", "--details")
    for words in ("Levine", "convention", "arXiv 2402.14905", "SmolLM2-360M", "11.7 (guessing)", "mlfoundations grid"):
        assert words in text
    assert "Without 2 published rules, whose errors are assumed: R* = 0.0" in text


def test_a_law_is_a_fit_a_run_or_a_table(law: Path, tmp_path: Path) -> None:
    payload = json.loads(run("--params", "350M", "--law", str(law), "--delta", "0.02", "--json"))
    assert payload["predictive_interval"]["weights"]["your fit"] > 0.1
    assert payload["predictive_interval"]["extrapolated"]
    assert payload["interval"]["delta"] == 0.02
    rows = [
        f"{10**7},{depth},{round(math.sqrt(1e7 / 12 / depth))},"
        f"{2 + 0.05 * math.log(depth / math.sqrt(1e7 / 12 / depth) / 0.03) ** 2 + 0.001 * math.cos(7 * depth)}"
        for depth in range(2, 15)
    ]
    table = tmp_path / "runs.csv"
    table.write_text("\n".join(["params,depth,width,loss", *rows]) + "\n")
    payload = json.loads(run("--params", "10M", "--family", "gpt", "--law", str(table), "--json"))
    assert payload["predictive_interval"]["weights"]["your fit"] > 0.5
    run_folder = Path(__file__).parents[1] / "saved" / "run"
    text = run("--params", "350M", "--law", str(run_folder))
    assert "your fit has no optimum inside its grid" in text.replace("\n  ", " ")


def test_export_writes_what_transformers_builds(tmp_path: Path) -> None:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    folder = tmp_path / "model"
    options = ["--params", "350M", "--family", "llama", "--export", str(folder), "--json"]
    payload = json.loads(run(*options, "--pick", "2"))
    assert payload["config"] == str(folder / "config.json")
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(transformers.AutoConfig.from_pretrained(folder))
    assert sum(parameter.numel() for parameter in model.parameters()) == payload["candidates"][1]["params"]
    assert "config" in json.loads(run(*options, "--pick", "2"))  # the same file again is no conflict
    fails("expected no other configuration in", *options, "--pick", "1")
    fails("expected --pick from 1 to [2-5], found 9", *options, "--pick", "9")
    (tmp_path / "file").write_text("")
    fails("expected to write", "--params", "125M", "--export", str(tmp_path / "file"))


def test_a_written_config_is_told_on_stderr(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--params", "125M", "--export", str(tmp_path)], catch_exceptions=False)
    assert f"wrote {tmp_path / 'config.json'}" in result.stderr
    assert "wrote" not in result.stdout


def test_measured_times_are_printed_and_drawn(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    figure = tmp_path / "frontier.svg"
    options = ["--params", "6M", "--vocab", "512", "--context", "160", "--delta", "0.05", "--count", "3", "--measure"]
    result = CliRunner().invoke(app, [*options, "--figure", str(figure)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "train tok/s" in result.stdout
    assert "reading and decoding" in result.stderr
    assert f"wrote {figure}" in result.stderr
    assert figure.read_text(encoding="utf-8").startswith("<svg")
    fails("at least two timed shapes for the frontier, found 0", "--params", "350M", "--figure", str(figure))


def test_one_timed_shape_is_an_answer_without_a_figure(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    figure = tmp_path / "frontier.svg"
    options = ["--params", "6M", "--vocab", "512", "--context", "160", "--count", "1", "--measure"]
    result = CliRunner().invoke(app, [*options, "--figure", str(figure)], catch_exceptions=False)
    assert result.exit_code == 0
    assert result.stdout.startswith("Take ")
    assert "train tok/s" in result.stdout
    assert result.stderr.splitlines()[-1] == (
        "warning: no figure of 1 timed shape; list more with a larger --delta or --count"
    )
    assert not figure.exists()


def test_the_footnote_says_what_the_numbers_rest_on() -> None:
    footnote = " ".join(run("--params", "350M", "--parallel", "8").split())
    assert "shape is layers x width; llama, vocabulary 32,000, context 4,096" in footnote
    assert "days on 1 x h100 (--devices 8 counts all 8) at 40%" in footnote
    assert "counts all" not in run("--params", "350M", "--parallel", "8", "--devices", "8")
    assert "note: 20 tokens are 6e-08 a parameter" in run("--params", "350M", "--tokens", "20")
    assert "a parameter, next to" not in run("--params", "350M", "--tokens", "100M")


def test_families_whose_networks_are_made_say_so_while_they_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []

    @contextmanager
    def busy(words: str) -> Iterator[None]:
        said.append(words)
        yield

    monkeypatch.setattr("interlaw.cli.loading.busy", busy)
    fails("expected a causal language model", "--params", "1B", "--family", "hf:nothing")
    run("--params", "350M", "--family", "llama")
    assert said == ["counting networks of hf:nothing (up to a minute)"]


def test_an_interval_far_from_all_that_was_measured_keeps_its_digits() -> None:
    """Three decimals would print the lower end as 0.000."""
    low, high = re.search(r"\(90%: (\S+)\s+to\s+([\d.]+)\)", run("--params", "10T")).groups()
    assert 0 < float(low) < 0.001 < 1 < float(high)


def test_a_budget_that_no_shape_meets_names_the_options() -> None:
    text = " ".join(run("--params", "20M", "--tolerance", "0.0001").split())
    assert "allow a smaller --multiple-of or --head-dim, or a larger --tolerance" in text


def test_mistakes_are_named(tmp_path: Path) -> None:
    fails(r"exactly one budget \(params= or flops=\), found none; give one")
    fails(r"exactly one budget \(params= or flops=\), found both", "--params", "1B", "--flops", "1e20")
    fails(
        "expected a fit, as .* writes, found nothing at",
        "--params",
        "1B",
        "--law",
        str(tmp_path / "absent.json"),
    )
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    fails("to be JSON, found", "--params", "1B", "--law", str(broken))
    broken.write_text("{}")
    fails("expected the JSON of a fit, found budgets: field required", "--params", "1B", "--law", str(broken))
