"""Every reader on hostile content: an answer or an InterlawError, and nothing else.

Documents are mutated where they hurt: a sound document is cut, has bytes changed, or values and keys replaced. The
default run looks at a few examples of each reader; `pytest -m slow tests/test_fuzz_readers.py` at thousands.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save
from tests.recipes import recipe_text, write_book

from interlaw.cli.fit import read_source
from interlaw.cli.recommend import read_fit
from interlaw.errors import InterlawError
from interlaw.interaction import load, measure
from interlaw.interaction import save as save_measurement
from interlaw.laws import fit_law
from interlaw.laws.table import read_runs
from interlaw.models import build_model, load_pretrained
from interlaw.published import read_lm_eval, read_rows, row_from_config
from interlaw.runs import RunFolder, TrialFolder, load_curve, load_table, load_trial, table_as
from interlaw.shapes import GPTShape
from interlaw.size import parse_depths, parse_size
from interlaw.subject import read_array
from interlaw.sweep import parse_recipe, plan_trials, run_status
from interlaw.tasks import open_corpus
from interlaw.training import TrainSettings, make_optimizer
from interlaw.training.checkpoint import load_checkpoint, save_checkpoint

FEW, MANY = 25, 2000
Reader = Callable[[Path, bytes], object]

# what JSON, TOML and CSV cells may hold that a careless reader trips over
NASTY = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from(
        [0, -1, 10**30, 10**400, 1e308, -0.0, "", "=1+1", "\x1b[31m", "NaN", "../../x", "\ud800", "9" * 5000]
    ),
    st.floats(),
    st.text(max_size=8),
    st.recursive(st.none(), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner)),
)


@st.composite
def damaged_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Cut, with bytes changed, put in or taken out, or nothing of what it was."""
    kind = draw(st.sampled_from(["cut", "change", "insert", "remove", "other"]))
    place = draw(st.integers(0, max(0, len(content) - 1)))
    if kind == "cut":
        return content[:place]
    if kind == "change":
        return content[:place] + draw(st.binary(min_size=1, max_size=4)) + content[place + 1 :]
    if kind == "insert":
        return content[:place] + draw(st.binary(max_size=20)) + content[place:]
    if kind == "remove":
        return content[:place] + content[place + draw(st.integers(1, 50)) :]
    return draw(st.binary(max_size=200))


@st.composite
def damaged_json(draw: st.DrawFn, content: bytes) -> bytes:
    """A JSON document with one to three of its values replaced, dropped or joined by others; or damaged bytes."""
    if draw(st.booleans()):
        return draw(damaged_bytes(content))
    document = json.loads(content)
    for _ in range(draw(st.integers(1, 3))):
        node = document
        while isinstance(node, dict | list) and node:
            key = draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
            deeper = isinstance(node[key], dict | list) and node[key] and draw(st.booleans())
            if deeper:
                node = node[key]
                continue
            action = draw(st.sampled_from(["replace", "replace", "drop", "add"]))
            if action == "drop":
                del node[key]
            elif action == "add" and isinstance(node, dict):
                node[draw(st.text(max_size=5))] = draw(NASTY)
            else:
                node[key] = draw(NASTY)
            break
    return json.dumps(document).encode("utf-8", "surrogatepass")


@st.composite
def damaged_lines(draw: st.DrawFn, content: bytes) -> bytes:
    """A text with a cell or a value of one line replaced; or damaged bytes."""
    if draw(st.booleans()):
        return draw(damaged_bytes(content))
    lines = content.decode().splitlines()
    row = draw(st.integers(0, len(lines) - 1))
    separator = draw(st.sampled_from([",", " = ", " "]))
    cells = lines[row].split(separator)
    cells[draw(st.integers(0, len(cells) - 1))] = str(draw(NASTY))
    lines[row] = separator.join(cells)
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def survives(reader: Reader, folder: Path, content: bytes) -> None:
    with suppress(InterlawError):
        reader(folder, content)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, finished_run: Path) -> Path:
    """A book, a run to be damaged and a whole one, a measurement."""
    folder = tmp_path_factory.mktemp("fuzz")
    write_book(folder)
    shutil.copytree(finished_run, folder / "run")
    shutil.copytree(finished_run, folder / "whole")
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    save_measurement(measure(model, torch.randn(6, 5), view="input"), folder / "measurement.json")
    return folder


def trial_of(folder: Path) -> TrialFolder:
    return RunFolder(folder / "run").trials()[0]


def put(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def with_file(folder: Path, name: str, content: bytes, read: Callable[[TrialFolder], object]) -> None:
    """Reads a trial with one file replaced, and puts the file back."""
    trial = trial_of(folder)
    path = trial.path / name
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        read(trial)
        for reader in (load_table, lambda run: run_status(RunFolder(run))):
            reader(folder / "run")
    finally:
        path.write_bytes(whole)


def reads_recipe(folder: Path, content: bytes) -> None:
    text = content.decode("utf-8", "replace")
    recipe = parse_recipe(text, source="r")
    steps = recipe.training.steps or 1
    if len(recipe.depths) * len(recipe.seeds) * len(recipe.budget.amounts) < 100 and steps < 10**9:
        plan_trials(recipe, folder=folder)


def reads_spec(folder: Path, content: bytes) -> None:
    with_file(folder, "spec.json", content, lambda trial: trial.spec().make_shape())


def reads_record(folder: Path, content: bytes) -> None:
    with_file(folder, "record.json", content, lambda trial: trial.record())


def reads_curve(folder: Path, content: bytes) -> None:
    with_file(folder, "curve.csv", content, load_curve)


def reads_weights(folder: Path, content: bytes) -> None:
    with_file(folder, "checkpoint/model.safetensors", content, lambda trial: load_trial(trial.path))


def reads_progress(folder: Path, content: bytes) -> None:
    values = TrialFolder(put(folder / "progress.json", content).parent).progress()
    assert all(isinstance(value, int | float) for value in values.values())


def reads_measurement(folder: Path, content: bytes) -> None:
    shutil.copy(folder / "measurement.npz", folder / "fuzzed.npz")
    load(put(folder / "fuzzed.json", content)).to_dict()


def reads_grams(folder: Path, content: bytes) -> None:
    shutil.copy(folder / "measurement.json", folder / "fuzzed.json")
    put(folder / "fuzzed.npz", content)
    load(folder / "fuzzed.json")


def reads_table(folder: Path, content: bytes) -> None:
    table = read_source(put(folder / "table", content), view=None, columns=[])
    read_runs(table)


def reads_standard_input(folder: Path, content: bytes) -> None:
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(content))
    try:
        read_runs(read_source("-", view=None, columns=[]))
    finally:
        sys.stdin = before


def table_as_parquet(folder: Path) -> bytes:
    return table_as(read_source(put(folder / "sound.csv", TABLE), view=None, columns=[]), form="parquet")


def table_as_lines(folder: Path) -> bytes:
    return table_as(read_source(put(folder / "sound.csv", TABLE), view=None, columns=[]), form="jsonl")


def reads_corpus(folder: Path, content: bytes) -> None:
    corpus = open_corpus(str(put(folder / "corpus.txt", content)), cache=folder / "cache")
    assert sum(corpus.num_tokens.values()) >= len(content)


def pretrained(folder: Path) -> bytes:
    """Weights of a model folder, which is made if need be."""
    config = transformers.GPT2Config(vocab_size=8, n_embd=4, n_layer=1, n_head=1, n_positions=8)
    if not (folder / "pretrained").exists():
        transformers.GPT2LMHeadModel(config).save_pretrained(folder / "pretrained")
    return (folder / "pretrained/model.safetensors").read_bytes()


def reads_pretrained(folder: Path, content: bytes) -> None:
    put(folder / "pretrained/model.safetensors", content)
    load_pretrained(str(folder / "pretrained"))


TABLE = b"params,depth,width,loss,budget,seed,status\n" + b"".join(
    f"{n + d},{d},{w},{2 + d / w},{n},0,done\n".encode()
    for n in (1000, 2000)
    for d, w in ((1, 30), (2, 20), (3, 15), (4, 10), (5, 8))
)
ROWS = (
    b"name,family,depth,width,params_total,train_tokens,variant,protocol,mmlu_pro\n"
    b"A,A,32,4096,7000000000,2T,base,5-shot log-likelihood,30\nB,B,16,2048,1000000000,,inst,x,\n"
)
RESULTS = json.dumps(
    {
        "results": {"leaderboard_mmlu_pro": {"acc,none": 0.3, "alias": "x"}},
        "configs": {"leaderboard_mmlu_pro": {"num_fewshot": 5}},
        "n-shot": {"leaderboard_mmlu_pro": 5},
        "n-samples": {"leaderboard_mmlu_pro": {"original": 12032, "effective": 12032}},
        "config": {"model": "hf", "model_args": "pretrained=a/b,dtype=float", "limit": None, "model_num_parameters": 7},
        "model_name": "a/b",
    }
).encode()
CONFIG = json.dumps(
    {
        "model_type": "llama",
        "hidden_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 128,
        "vocab_size": 100,
        "tie_word_embeddings": True,
    }
).encode()


def npy() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros((4, 3)))
    return buffer.getvalue()


def npz(folder: Path) -> bytes:
    return (folder / "measurement.npz").read_bytes()


def fit_document(folder: Path) -> bytes:
    table = read_source(put(folder / "sound.csv", TABLE), view=None, columns=[])
    return json.dumps(fit_law(table, num_bootstrap=100, num_permutations=100).to_dict()).encode()


Content = Callable[[Path], bytes]
READERS: dict[str, tuple[Reader, Content, Callable[[bytes], st.SearchStrategy[bytes]]]] = {
    "recipe": (reads_recipe, lambda _: recipe_text().encode(), damaged_lines),
    "spec": (reads_spec, lambda folder: (trial_of(folder).path / "spec.json").read_bytes(), damaged_json),
    "record": (reads_record, lambda folder: (trial_of(folder).path / "record.json").read_bytes(), damaged_json),
    "curve": (reads_curve, lambda folder: (trial_of(folder).path / "curve.csv").read_bytes(), damaged_lines),
    "weights": (reads_weights, lambda folder: trial_of(folder).weights.read_bytes(), damaged_bytes),
    "pretrained": (reads_pretrained, pretrained, damaged_bytes),
    "progress": (reads_progress, lambda _: b'{"step": 1, "steps": 2, "updated": 3.5}', damaged_json),
    "measurement": (reads_measurement, lambda folder: (folder / "measurement.json").read_bytes(), damaged_json),
    "grams": (reads_grams, npz, damaged_bytes),
    "table": (reads_table, lambda _: TABLE, damaged_lines),
    "table of semicolons": (reads_table, lambda _: TABLE.replace(b",", b";").replace(b".", b","), damaged_lines),
    "table of tabs": (reads_table, lambda _: TABLE.replace(b",", b"\t"), damaged_lines),
    "table of json lines": (reads_table, table_as_lines, damaged_lines),
    "table in json": (
        reads_table,
        lambda folder: b"[" + table_as_lines(folder).strip().replace(b"\n", b",") + b"]",
        damaged_json,
    ),
    "table of parquet": (reads_table, table_as_parquet, damaged_bytes),
    "table in gzip": (reads_table, lambda _: gzip.compress(TABLE), damaged_bytes),
    "table from standard input": (reads_standard_input, lambda _: TABLE, damaged_lines),
    "models": (lambda folder, content: read_rows(put(folder / "models.csv", content)), lambda _: ROWS, damaged_lines),
    "lm-eval": (
        lambda folder, content: read_lm_eval(put(folder / "results.json", content)),
        lambda _: RESULTS,
        damaged_json,
    ),
    "config": (
        lambda folder, content: row_from_config(put(folder / "config.json", content)),
        lambda _: CONFIG,
        damaged_json,
    ),
    "fit": (lambda folder, content: read_fit(put(folder / "fit.json", content)), fit_document, damaged_json),
    "array": (lambda folder, content: read_array(put(folder / "array.npy", content)), lambda _: npy(), damaged_bytes),
    "corpus": (reads_corpus, lambda folder: (folder / "book.txt").read_bytes()[:2000], damaged_bytes),
    "size": (lambda _, content: parse_size(content.decode("utf-8", "replace")), lambda _: b"1.2B", damaged_bytes),
    "depths": (
        lambda _, content: parse_depths(content.decode("utf-8", "replace")),
        lambda _: b"1-9:2,12",
        damaged_bytes,
    ),
}


def fuzz(name: str, folder: Path, examples: int) -> None:
    reader, content, strategy = READERS[name]
    whole = content(folder)
    reader(folder, whole)  # what is sound is read

    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize=examples == FEW,
    )
    @given(strategy(whole))
    def look(damaged: bytes) -> None:
        survives(reader, folder, damaged)

    look()


@pytest.mark.filterwarnings("ignore")  # numpy and pandas have much to say about such tables
@pytest.mark.parametrize("name", READERS)
def test_a_reader_answers_or_refuses(name: str, place: Path) -> None:
    fuzz(name, place, FEW)


@pytest.mark.slow  # 2,000 documents a reader
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", READERS)
def test_a_reader_answers_or_refuses_thousands_of_times(name: str, place: Path) -> None:
    fuzz(name, place, MANY)


def checkpoint_fuzz(folder: Path, examples: int) -> None:
    """A checkpoint changed in any way is passed over: what comes back is one of the two that were written."""
    model = build_model(GPTShape(depth=1, width=2, head_dim=2, vocab_size=5, context=3), seed=0)
    optimizer = make_optimizer(model, TrainSettings(steps=9, batch_size=1, learning_rate=0.1))
    for step in (1, 2):
        save_checkpoint(folder, step=step, model=model, optimizer=optimizer, state={"step": step})
    newest = max(folder.iterdir())
    whole = newest.read_bytes()

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(damaged_bytes(whole))
    def look(damaged: bytes) -> None:
        newest.write_bytes(damaged)
        state = load_checkpoint(folder, model=model, optimizer=optimizer)
        assert state == {"step": 2 if damaged == whole else 1}

    look()


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    checkpoint_fuzz(tmp_path, FEW)


@pytest.mark.slow  # thousands of damaged checkpoints
def test_a_damaged_checkpoint_is_passed_over_thousands_of_times(tmp_path: Path) -> None:
    checkpoint_fuzz(tmp_path, MANY)


def test_a_checkpoint_of_another_network_or_version_is_passed_over(tmp_path: Path) -> None:
    shape = {"depth": 1, "head_dim": 2, "vocab_size": 5, "context": 3}
    wide, narrow = (build_model(GPTShape(width=width, **shape), seed=0) for width in (4, 2))  # type: ignore[arg-type]
    settings_ = TrainSettings(steps=9, batch_size=1, learning_rate=0.1)
    save_checkpoint(tmp_path, step=1, model=wide, optimizer=make_optimizer(wide, settings_), state={"step": 1})
    before = {name: tensor.clone() for name, tensor in narrow.state_dict().items()}
    assert load_checkpoint(tmp_path, model=narrow, optimizer=make_optimizer(narrow, settings_)) is None
    assert all(torch.equal(tensor, before[name]) for name, tensor in narrow.state_dict().items())
    for content in (
        save({"model.x": torch.zeros(1)}),  # without metadata
        save({"model.x": torch.zeros(1)}, {"state": "{}", "layout": "0"}),  # of another layout
        b"\x80\x04N.",  # a pickle under a name that fits
    ):
        name = f"step-000000007-{hashlib.sha256(content).hexdigest()}.safetensors"
        (tmp_path / name).write_bytes(content)
    (tmp_path / f"step-000000008-{'0' * 64}.safetensors").mkdir()
    state = load_checkpoint(tmp_path, model=wide, optimizer=make_optimizer(wide, settings_))
    assert state == {"step": 1}


@pytest.mark.parametrize("names", [["../escape.npy"], ["dim.npy", "/etc/x.npy"], ["dim.npy", "evil.npy"], []])
def test_an_archive_of_other_names_is_refused_and_nothing_is_unpacked(
    place: Path, tmp_path: Path, names: list[str]
) -> None:
    shutil.copy(place / "measurement.json", tmp_path / "m.json")
    with zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
        for name in names:
            archive.writestr(name, npy())
    before = sorted(tmp_path.parent.rglob("*"))
    with pytest.raises(InterlawError, match=r"expected a measurement's matrices in .*m\.npz, found"):
        load(tmp_path / "m.json")
    assert sorted(tmp_path.parent.rglob("*")) == before
