from __future__ import annotations

import json
import math
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
    payload = json.loads(run("--params", "350M", "--family", "llama", "--vocab", "32000", "--json"))
    assert {"candidates", "interval", "laws", "warnings"} <= set(payload)
    low, high = payload["interval"]["low"], payload["interval"]["high"]
    assert all(low <= one["ratio"] == one["depth"] / one["width"] <= high for one in payload["candidates"])


def test_people_see_range_shapes_and_caveats() -> None:
    text = run("--params", "350M")
    assert text.startswith(
        "350M llama: R = depth / width = 0.0153 to 0.0337, that is 22 to 32 layers, width 960 to 1152"
    )
    assert "22 x 1152" in text
    assert "348,342,912 (-0.5%)" in text
    assert "note: no fit of your own" in text
    assert len(text.splitlines()) < 16


def test_details_list_laws_and_models() -> None:
    text = run("--params", "350M", "--details")
    for words in ("Levine", "prefers shallower", "arXiv 2402.14905", "SmolLM2-360M", "11.7 (guessing)"):
        assert words in text


def test_a_law_from_a_file_places_the_interval(law: Path) -> None:
    payload = json.loads(run("--params", "350M", "--law", str(law), "--delta", "0.02", "--json"))
    assert payload["interval"]["source"] == "fit"
    assert payload["interval"]["extrapolated"]
    assert any("350M is extrapolated" in sentence for sentence in payload["warnings"])


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
    fails("expected --pick from 1 to 3, found 9", *options, "--pick", "9")
    (tmp_path / "file").write_text("")
    fails("expected to write", "--params", "125M", "--export", str(tmp_path / "file"))


def test_a_written_config_is_told_on_stderr(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["--params", "125M", "--export", str(tmp_path)], catch_exceptions=False)
    assert f"wrote {tmp_path / 'config.json'}" in result.stderr
    assert "wrote" not in result.stdout


def test_mistakes_are_named(tmp_path: Path) -> None:
    fails("exactly one budget")
    fails("expected a fit at", "--params", "1B", "--law", str(tmp_path / "absent.json"))
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    fails("to be the JSON of a fit", "--params", "1B", "--law", str(broken))
    broken.write_text("{}")
    fails("is this a fit's JSON", "--params", "1B", "--law", str(broken))
