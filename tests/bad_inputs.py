"""Wrong inputs, one a line: what is typed, and a part of the one line that answers it.

`{d}` is a folder with the files below; `run` in it is a finished run and `trial` one of its trials. `run-NAME` is a
copy of the run with one fault.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from tests.recipes import recipe_text, write_book

TABLE = "params,depth,width,loss\n"
ROWS = "".join(f"{1000 * n},{d},{w},{2 + d / w}\n" for n in (1, 2) for d, w in ((1, 30), (2, 20), (3, 15), (4, 10)))
MODEL = "name,family,depth,width,params_total,variant,protocol,mmlu_pro\n"


def files(folder: Path) -> None:
    """Writes every file that the cases name."""
    write_book(folder)
    for name, content in _files().items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "empty-folder").mkdir()


def _npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def _recipes() -> dict[str, str | bytes]:
    changes: dict[str, dict[str, dict[str, object]]] = {
        "unknown-key": {"training": {"lr": 0.1}},
        "unknown-part": {"top": {"colour": 1}},
        "wrong-type": {"training": {"batch_size": "many"}},
        "fraction": {"training": {"batch_size": 1.5}},
        "no-batch": {"training": {"batch_size": 0}},
        "huge-batch": {"training": {"batch_size": 10**30}},
        "huge-steps": {"training": {"steps": 10**400}},
        "endless": {"training": {"steps": None, "tokens_per_param": 1e300}},
        "two-lengths": {"training": {"tokens_per_param": 20}},
        "no-length": {"training": {"steps": None}},
        "negative-rate": {"training": {"learning_rate": -0.1}},
        "beta": {"training": {"beta1": 1.0}},
        "warmup": {"training": {"warmup_fraction": 2}},
        "no-tests": {"training": {"test_samples": 0}},
        "one-rate": {"training": {"treatment": "search", "learning_rate": None, "learning_rates": [0.1]}},
        "uneven-rates": {"training": {"treatment": "search", "learning_rate": None, "learning_rates": [0.1, 0.2, 0.9]}},
        "no-rate": {"training": {"learning_rate": None}},
        "no-base": {"training": {"treatment": "mup"}},
        "treatment": {"training": {"treatment": "luck"}},
        "depth-zero": {"top": {"depths": [0, 1]}},
        "depth-negative": {"top": {"depths": [-1]}},
        "depth-text": {"top": {"depths": "1-x"}},
        "depth-twice": {"top": {"depths": [1, 1]}},
        "no-depths": {"top": {"depths": []}},
        "deep": {"top": {"depths": "1-99999999"}},
        "seed-negative": {"top": {"seeds": [-1]}},
        "seed-huge": {"top": {"seeds": [2**64]}},
        "seed-twice": {"top": {"seeds": [1, 1]}},
        "no-name": {"top": {"name": ""}},
        "long-name": {"top": {"name": "x" * 300}},
        "family": {"top": {"family": "transformer"}},
        "family-number": {"top": {"family": 3}},
        "context-zero": {"shape": {"context": 0}},
        "context-huge": {"shape": {"context": 10**9}},
        "head-dim": {"shape": {"head_dim": 0}},
        "unknown-size": {"shape": {"colour": 3}},
        "vocabulary": {"shape": {"vocab_size": 10}},
        "budget-text": {"budget": {"amounts": ["3q"]}},
        "budget-zero": {"budget": {"amounts": [0]}},
        "budget-small": {"budget": {"amounts": [5]}},
        "budget-infinite": {"budget": {"amounts": ["1e99"]}},
        "budget-twice": {"budget": {"amounts": ["3k", 3000]}},
        "budget-none": {"budget": {"amounts": []}},
        "budget-kind": {"budget": {"kind": "weights"}},
        "rule": {"budget": {"rule": "best"}},
        "multiple": {"budget": {"multiple_of": 0}},
        "view": {"measure": {"views": ["everything"]}},
        "view-twice": {"measure": {"views": ["loss", "loss"]}},
        "one-sample": {"measure": {"samples": 1}},
        "kind": {"task": {"kind": "speech"}},
        "corpus-missing": {"task": {"corpus": "nowhere.txt"}},
        "corpus-empty": {"task": {"corpus": "empty.txt"}},
        "corpus-empty-folder": {"task": {"corpus": "empty-folder"}},
        "corpus-utf16": {"task": {"corpus": "utf16.txt"}},
        "corpus-short": {"task": {"corpus": "short.txt"}},
        "corpus-name": {"task": {"corpus": "x" * 5000}},
        "corpus-number": {"task": {"corpus": 5}},
    }
    return {f"{name}.toml": recipe_text(**change) for name, change in changes.items()}


def _files() -> dict[str, str | bytes]:
    whole = recipe_text()
    return {
        **_recipes(),
        "good.toml": whole,
        "nan-rate.toml": whole.replace("learning_rate = 0.01", "learning_rate = nan"),
        "inf-rate.toml": whole.replace("learning_rate = 0.01", "learning_rate = inf"),
        "empty.toml": "",
        "truncated.toml": whole[: len(whole) // 2],
        "not.toml": "{]",
        "nested.toml": "a = " + "[" * 20_000,
        "digits.toml": "depths = [" + "9" * 5000 + "]",
        "latin1.toml": 'name = "caf\xe9"'.encode("latin-1"),
        "nul.toml": "name = 'a\0b'",
        "list.toml": whole.replace("[training]", "[[training]]"),
        "control.toml": 'family = "\\u001b[31mred"\n' + whole,
        "empty.txt": "",
        "utf16.txt": ("the cat sees a dog\n" * 500).encode("utf-16"),
        "short.txt": "abc\n",
        "empty.csv": "",
        "header.csv": TABLE,
        "blank.csv": "\n\n\n",
        "columns.csv": "a,b\n1,2\n",
        "no-loss.csv": "params,depth,width\n1000,1,10\n",
        "nan.csv": TABLE + ROWS + "1000,1,30,nan\n",
        "hole.csv": TABLE + ROWS + "1000,1,,2.0\n",
        "negative.csv": TABLE + ROWS + "1000,-1,30,2.0\n",
        "zero.csv": TABLE + ROWS + "1000,1,0,2.0\n",
        "inf.csv": TABLE + ROWS + "1000,1,30,inf\n",
        "words.csv": TABLE + ROWS + "1000,one,30,2.0\n",
        "cells.csv": TABLE + ROWS + "1,2,3,4,5,6\n",
        "quote.csv": TABLE + '"1,2,3\n' + ROWS,
        "latin1.csv": ("params,depth,width,loss,n\xe4me\n" + "1,1,1,1,\xe4\n").encode("latin-1"),
        "utf16.csv": (TABLE + ROWS).encode("utf-16-le"),
        "torn.jsonl": '{"params": 1000, "depth": 1, "width": 30, "loss": 2}\n{"params": 10',
        "nested.jsonl": "[1, 2]",
        "torn.parquet": b"PAR1" + b"\0" * 40,
        "short.tsv": (TABLE + ROWS).replace(",", "\t") + "1000\t1\n",
        "decimals.csv": TABLE.replace(",", ";") + '1000;1;30;"2,125"\n',
        "twice.csv": "params,depth,width,loss,loss\n1000,1,30,2,2\n",
        "numbers.csv": ROWS,
        "sheet.xlsx": b"PK\x03\x04" + b"\0" * 40,
        "states.csv": "params,depth,width,loss,State\n1000,1,30,2,splendid\n",
        "binary.csv": bytes(range(256)) * 4,
        "gzip.csv": b"\x1f\x8b\x08\x00" + b"\0" * 50,
        "good.csv": TABLE + ROWS,
        "diverged.csv": "params,depth,width,loss,status\n1000,1,30,nan,diverged\n",
        "mixed.csv": "params,depth,width,loss,treatment\n1000,1,30,2,fixed\n1000,2,20,2,search\n",
        "json.csv": json.dumps({"params": [1]}),
        "truncated.json": '{"budgets": [',
        "empty.json": "",
        "list.json": "[]",
        "number.json": "3",
        "null.json": "null",
        "other.json": '{"a": 1}',
        "nested.json": "[" * 50_000,
        "latin1.json": '{"n\xe4me": 1}'.encode("latin-1"),
        "digits.json": "9" * 5000,
        "task.json": json.dumps({"results": {"hellaswag": {"acc,none": 0.5}}, "configs": {}, "model_name": "m"}),
        "results-list.json": json.dumps({"results": []}),
        "results-text.json": json.dumps({"results": {"leaderboard_mmlu_pro": "0.5"}, "model_name": "m"}),
        "results-nan.json": '{"results": {"leaderboard_mmlu_pro": {"acc,none": NaN}}, "model_name": "m"}',
        "results-high.json": json.dumps({"results": {"leaderboard_mmlu_pro": {"acc,none": 50}}, "model_name": "m"}),
        "results-null.json": json.dumps({"results": {"leaderboard_mmlu_pro": {"acc,none": None}}, "model_name": "m"}),
        "results-nameless.json": json.dumps({"results": {"leaderboard_mmlu_pro": {"acc,none": 0.3}}}),
        "models-columns.csv": "name,colour\nA,red\n",
        "models-fraction.csv": MODEL + "A,A,32,4096,7000000000,base,5-shot log-likelihood,0.45\n",
        "models-negative.csv": MODEL + "A,A,-32,4096,7000000000,base,5-shot log-likelihood,45\n",
        "models-score.csv": MODEL + "A,A,32,4096,7000000000,base,5-shot log-likelihood,145\n",
        "models-words.csv": MODEL + "A,A,many,4096,7000000000,base,5-shot log-likelihood,45\n",
        "models-cells.csv": MODEL + "A,A,32\n",
        "models-more.csv": MODEL + "A,A,32,4096,7000000000,base,5-shot log-likelihood,45,46\n",
        "models-silent.csv": MODEL + "A,A,32,4096,7000000000,,,45\n",
        "models-variant.csv": MODEL + "A,A,32,4096,7000000000,tuned,5-shot log-likelihood,45\n",
        "models-huge.csv": MODEL + "A,A,32," + "9" * 5000 + ",7000000000,base,5-shot log-likelihood,45\n",
        "models-header.csv": MODEL,
        "models-latin1.csv": (MODEL + "\xc4,A,32,4096,7,base,x,45\n").encode("latin-1"),
        "models-quote.csv": MODEL + '"A,A,32\n' * 3,
        "models-field.csv": MODEL + '"' + "x" * 200_000 + '",A,32,4096,7000000000,base,5-shot log-likelihood,45\n',
        "config-empty.json": "{}",
        "config-list.json": "[1]",
        "config-text.json": json.dumps({"model_type": "llama", "hidden_size": "wide", "num_hidden_layers": 2}),
        "config-negative.json": json.dumps({"model_type": "llama", "hidden_size": -8, "num_hidden_layers": 2}),
        "nothing.py": "x = 1\n",
        "syntax.py": "def model(:\n",
        "raises.py": "def model():\n    raise RuntimeError('no [red]luck[/red] \\x1b[31m today')\n",
        "import.py": "import a_module_that_is_not_there\n",
        "exits.py": "def model():\n    raise SystemExit(3)\n",
        "text.py": "def model():\n    return 'a model'\n",
        "linear.py": (
            "import torch\ndef model():\n    torch.manual_seed(0)\n"
            "    return torch.nn.Sequential(torch.nn.Linear(6, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2))\n"
        ),
        "good.npy": _npy(np.random.default_rng(0).normal(size=(8, 6))),
        "truncated.npy": _npy(np.zeros((8, 6)))[:-100],
        "empty.npy": b"",
        "text.npy": _npy(["a", "b"]),
        "object.npy": _npy(np.array([{"a": 1}, None], dtype=object)),
        "pickle.npy": pickle.dumps([1, 2, 3]),
        "scalar.npy": _npy(3.0),
        "no-rows.npy": _npy(np.zeros((0, 6))),
        "one-row.npy": _npy(np.zeros((1, 6))),
        "nan.npy": _npy(np.full((8, 6), np.nan)),
        "narrow.npy": _npy(np.zeros((8, 5))),
        "complex.npy": _npy(np.zeros((8, 6), dtype=complex)),
        "header.npy": b"\x93NUMPY\x01\x00\xff\xff{'descr': '<f8'}",
        "huge.npy": b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999), }".ljust(117)
        + b"\n",
        "a-file": "",
        "standing/config.json": "{}",
        **_model_folders(),
    }


def _model_folders() -> dict[str, str | bytes]:
    """Folders as `save_pretrained` writes them, each with one fault."""
    gpt2 = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 4, "n_layer": 1, "n_head": 1}
    config = json.dumps(gpt2 | {"vocab_size": 8, "n_positions": 8})
    return {
        "hf-empty/config.json": config,
        "hf-empty/model.safetensors": b"",
        "hf-cut/config.json": config,
        "hf-cut/model.safetensors": save({"transformer.wte.weight": torch.zeros(8, 4)}, {"format": "pt"})[:-9],
        "hf-other/config.json": config,
        "hf-other/model.safetensors": save({"x": torch.zeros(3)}, {"format": "pt"}),
        "hf-pickle/config.json": config,
        "hf-pickle/pytorch_model.bin": pickle.dumps({"a": 1}, protocol=2),
        "hf-none/config.json": config,
        "hf-text/config.json": json.dumps(gpt2 | {"n_embd": "x"}),
        "hf-negative/config.json": json.dumps(gpt2 | {"n_embd": -4}),
        "hf-kind/config.json": json.dumps({"model_type": "no such kind"}),
        "hf-code/config.json": json.dumps({"model_type": "own", "auto_map": {"AutoConfig": "own.Config"}}),
        "hf-code/own.py": "raise SystemExit(3)\n",
        "hf-json/config.json": "{",
    }


def damaged_runs(run: Path, folder: Path) -> None:
    """Copies of a finished run, each with one fault, and one of its trials."""
    key = min(path.name for path in (run / "trials").iterdir())
    shutil.copytree(run, folder / "run")
    shutil.copytree(run / "trials" / key, folder / "trial" / key)
    for name, damage in DAMAGES.items():
        shutil.copytree(run, folder / f"run-{name}")
        damage(folder / f"run-{name}" / "trials" / key)


def _rewrite(name: str, **changes: object) -> Callable[[Path], None]:
    def damage(trial: Path) -> None:
        document = json.loads((trial / name).read_text())
        (trial / name).write_text(json.dumps({**document, **changes}))

    return damage


def _replace(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda trial: (trial / name).write_bytes(content) and None


def _as_folder(name: str) -> Callable[[Path], None]:
    def damage(trial: Path) -> None:
        (trial / name).unlink()
        (trial / name).mkdir()

    return damage


def _all_failed(trial: Path) -> None:
    for path in trial.parent.glob("*/record.json"):
        record = json.loads(path.read_text())
        path.write_text(json.dumps({**record, "status": "failed", "loss": None, "measurements": {}}))


def _none_ended(trial: Path) -> None:
    for path in trial.parent.glob("*/record.json"):
        path.unlink()


DAMAGES: dict[str, Callable[[Path], None]] = {
    "record-truncated": lambda trial: (trial / "record.json").write_text('{"key": "a", "st') and None,
    "record-empty": _replace("record.json", b""),
    "record-bytes": _replace("record.json", b"\xff\xfe\x00"),
    "record-folder": _as_folder("record.json"),
    "record-newer": _rewrite("record.json", schema_version=7),
    "record-older": _rewrite("record.json", schema_version=0),
    "record-other": _rewrite("record.json", key="0123456789abcdef"),
    "record-status": _rewrite("record.json", status="perfect"),
    "record-shape": _rewrite("record.json", shape={"depth": "deep"}),
    "record-list": _replace("record.json", b"[]"),
    "record-nested": _replace("record.json", b"[" * 50_000),
    "spec-truncated": _replace("spec.json", b'{"family": "gp'),
    "spec-newer": _rewrite("spec.json", schema_version=2),
    "spec-family": _rewrite("spec.json", family="rnn"),
    "spec-shape": _rewrite("spec.json", shape={"depth": -1, "width": 4}),
    "spec-bare": _rewrite("spec.json", shape={}),
    "all-failed": _all_failed,
    "none-ended": _none_ended,
    "no-weights": lambda trial: (trial / "checkpoint/model.safetensors").unlink(),
    "weights-cut": _replace("checkpoint/model.safetensors", b"\x10\0\0\0"),
    "weights-pickle": _replace("checkpoint/model.safetensors", pickle.dumps({"a": 1})),
}

SHAPES = [
    *(
        (["--params", text], "expected a size")
        for text in ("abc", "", "-3M", "3X", "nan", "inf", "３M", "0x10", "1e", "+3")
    ),
    *((["--params", text], "between 1 and 1e27") for text in ("0", "0.1", "1e400", "9" * 39)),
    *(
        (["--params", "3M", "--depths", text], "expected depths")
        for text in ("0-3", "5-2", "a", "", "1-99999999", "-4", "1-3:0", "1,,2", "1.5")
    ),
    (["--params", "3M", "--family", "transformer"], "transformer"),
    (["--params", "3M", "--family", ""], "family"),
    (["--params", "3M", "--rule", "best"], "expected --rule"),
    (["--params", "3M", "--multiple-of", "0"], "multiple_of"),
    (["--params", "3M", "--multiple-of", "-8"], "multiple_of"),
    (["--params", "3M", "--vocab", "0"], "vocab_size"),
    (["--params", "3M", "--vocab", "-5"], "vocab_size"),
    (["--params", "3M", "--vocab", "3.5"], "--vocab"),
    (["--params", "3M", "--context", "0"], "context"),
    (["--params", "3M", "--head-dim", "0"], "head_dim"),
    (["--params", "3M", "--head-dim", "-2"], "head_dim"),
    (["--params", "3M", "--family", "llama", "--d-ff-ratio", "0"], "d_ff_ratio"),
    (["--params", "3M", "--family", "llama", "--d-ff-ratio", "nan"], "d_ff_ratio"),
    (["--params", "3M", "--family", "llama", "--d-ff-ratio", "inf"], "d_ff_ratio"),
    (["--params", "30M", "--family", "llama", "--kv-heads", "0"], "--kv-heads"),
    (["--params", "3M", "--family", "mlp", "--head-dim", "4"], "head_dim"),
    (["--params", "3M", "--count", "some"], "some"),
    (["--params", "3M", "--flops", "1e15"], "expected"),
    ([], "expected"),
    (["--flops", "1e15", "--tokens-per-param", "-1"], "tokens per parameter"),
    (["--flops", "1e15", "--tokens-per-param", "nan"], "tokens per parameter"),
    (["--params", "10"], "10"),
    (["--params", "3M", "--bogus"], "--bogus"),
    (["--params", "3M", "extra"], "extra"),
]

SWEEP = [
    *(
        (["{d}/" + name, "--out", "{d}/out"], says)
        for name, says in {
            "nowhere.toml": "expected a recipe file",
            "empty-folder": "expected a recipe file",
            "latin1.toml": "expected a recipe file",
            "empty.toml": "missing key",
            "truncated.toml": "truncated.toml",
            "not.toml": "expected TOML",
            "nul.toml": "expected TOML",
            "nested.toml": "expected TOML",
            "digits.toml": "expected TOML",
            "list.toml": "training",
            "nan-rate.toml": "learning_rate",
            "inf-rate.toml": "learning_rate",
            "control.toml": "family",
            "book.txt": "expected TOML",
        }.items()
    ),
    *(([f"{{d}}/{name}", "--out", "{d}/out"], "") for name in _recipes()),
    (["{d}/good.toml", "--out", "{d}/a-file"], "expected a folder for --out"),
    (["{d}/good.toml", "--out", "{d}/a-file/run"], "expected"),
    (["{d}/good.toml", "--out", "/proc/run"], "expected to write"),
    (["{d}/good.toml", "--out", "{d}/run"], "expected a new folder or one of this recipe"),
    (["{d}/good.toml", "--out", "{d}/run-record-truncated"], "expected a trial's record"),
    (["{d}/good.toml", "--out", "{d}/run-spec-newer"], "expected"),
    (["{d}/good.toml"], "--out"),
    (["{d}/good.toml", "--out", "{d}/out", "--executor", "cloud"], "expected --executor"),
    (["{d}/good.toml", "--out", "{d}/out", "--workers", "0"], "expected --workers"),
    (["{d}/good.toml", "--out", "{d}/out", "--workers", "-1"], "expected --workers"),
    (["{d}/good.toml", "--out", "{d}/out", "--workers", "two"], "two"),
    (["{d}/good.toml", "--out", "{d}/out", "--retry", "all"], "expected --retry failed"),
    (["{d}/good.toml", "--out", "{d}/out", "--device", "warp"], "expected a device"),
    (["{d}/good.toml", "--out", "{d}/out", "--resources-per-trial", "cpu=many"], "expected resources"),
    (["{d}/good.toml", "--out", "{d}/out", "--resources-per-trial", "cpu=2"], "belong to --executor ray"),
    (
        ["{d}/good.toml", "--out", "{d}/out", "--executor", "ray", "--devices-per-trial", "2", "--compile"],
        "belong to trials on one device",
    ),
    (["{d}/good.toml", "--out", "{d}/out", "--memory-limit", "much"], "expected a size"),
    (["{d}/good.toml", "--out", "{d}/out", "--address", "nowhere:1"], "belong to --executor ray"),
]

READERS = [
    *(
        ([command, f"{{d}}/{place}"], "expected")
        for command in ("status", "export", "report", "fit")
        for place in (
            "nowhere",
            "empty-folder",
            "run-record-truncated",
            "run-record-empty",
            "run-record-bytes",
            "run-record-folder",
            "run-record-newer",
            "run-record-older",
            "run-record-other",
            "run-record-status",
            "run-record-shape",
            "run-record-list",
            "run-record-nested",
        )
    ),
    *(
        ([command, f"{{d}}/{place}"], "expected")
        for command in ("export", "report", "fit")
        for place in ("run-spec-truncated", "run-spec-newer", "run-spec-family", "run-spec-shape", "run-spec-bare")
        if (command, place) != ("export", "run-spec-shape")
    ),
    *(([command, "{d}/a-file"], "expected") for command in ("status", "export", "report")),
    *(([command, "{d}/run-none-ended"], "expected") for command in ("report", "fit")),
    *(([command, "{d}/run-all-failed"], "expected") for command in ("report", "fit")),
    (["export", "{d}/run", "--format", "xlsx"], "expected --format"),
    (["export", "{d}/run", "--out", "{d}/a-file/x.csv"], "expected to write"),
    (["export", "{d}/run", "--out", "{d}/empty-folder"], "expected to write"),
    (["report", "{d}/run", "--out", "{d}/a-file/x.html"], "expected"),
    (["report", "{d}/run", "--out", "{d}/empty-folder"], "expected"),
    (["rerun", "{d}/run"], "expected"),
    (["rerun", "{d}/nowhere"], "expected"),
    (["rerun", ""], "expected a trial's folder on this machine"),
    (["rerun", "s3://bucket/run/trials/{k}"], "expected a trial's folder on this machine"),
    (["rerun", "{t}", "--tolerance", "-1"], "expected a tolerance"),
    (["rerun", "{t}", "--tolerance", "nan"], "expected a tolerance"),
    (["rerun", "{t}", "--device", "warp"], "expected a device"),
    (["rerun", "{d}/run-none-ended/trials/{k}"], "expected a trial that has ended"),
]

FIT = [
    *(
        ([f"{{d}}/{name}.csv"], "expected")
        for name in (
            *("empty", "header", "blank", "columns", "no-loss", "nan", "hole", "negative", "zero", "inf", "words"),
            *("cells", "quote", "latin1", "utf16", "binary", "gzip", "diverged", "mixed", "json"),
        )
    ),
    *(
        ([f"{{d}}/{name}"], message)
        for name, message in {
            "torn.jsonl": "expected a JSON object in line 2",
            "nested.jsonl": "expected a JSON object a row",
            "torn.parquet": "expected a Parquet table",
            "short.tsv": "separated by tabs), found 2 in line 10",
            "decimals.csv": "decimals or thousands",
            "twice.csv": "found 'loss' twice",
            "numbers.csv": "expected names of columns",
            "sheet.xlsx": "found a spreadsheet",
            "states.csv": "found 'splendid'",
            "nowhere.parquet": "found nothing at",
        }.items()
    ),
    (["-"], "standard input"),
    *((["{d}/good.csv", "--delta", text], "delta") for text in ("0", "-1", "nan", "inf")),
    *((["{d}/good.csv", "--confidence", text], "confidence") for text in ("0", "1", "1.5", "nan", "-0.5")),
    *((["{d}/good.csv", "--resamples", text], "") for text in ("-5", "few")),
    (["{d}/good.csv", "--seed", "-1"], "seed"),
    (["{d}/good.csv", "--view", "loss"], "expected a measured view"),
    (["{d}/good.csv", "--treatment", "mup"], "expected"),
    (["{d}/mixed.csv", "--treatment", "mup"], "expected treatment"),
    (["{d}/good.csv", "--column", "loss"], "expected --column"),
    (["{d}/good.csv", "--column", "loss=eval"], "expected a column"),
    (["{d}/good.csv", "--out", "{d}/empty-folder"], "expected to write"),
    (["{d}/run", "--view", "everything"], "expected a measured view"),
]

RECOMMEND = [
    ([], "expected"),
    (["--params", "350M", "--flops", "1e20"], "expected"),
    *((["--params", text], "expected") for text in ("abc", "0", "-1", "10", "1e27")),
    (["--flops", "1"], "expected"),
    *((["--params", "350M", f"--{name}", text], "") for name, text in (
        ("family", "rnn"), ("family", "mlp"), ("vocab", "0"), ("vocab", "-5"), ("context", "0"), ("context", "-1"),
        ("interval", "abc"), ("interval", ".5-.1"), ("interval", "0-0"), ("interval", "nan-nan"), ("interval", "-1-2"),
        ("interval", "1e-30-2e-30"), ("tokens-per-param", "0"), ("tokens-per-param", "nan"), ("tokens-per-param", "-5"),
        ("head-dim", "0"), ("head-dim", "-64"), ("heads-per-kv", "0"), ("multiple-of", "0"), ("multiple-of", "-128"),
        ("tolerance", "-1"), ("tolerance", "nan"), ("tolerance", "0"), ("count", "0"), ("count", "-3"),
        ("law", "{d}/nowhere.json"), ("law", "{d}/empty-folder"), ("law", "{d}/truncated.json"),
        ("law", "{d}/empty.json"), ("law", "{d}/list.json"), ("law", "{d}/number.json"), ("law", "{d}/null.json"),
        ("law", "{d}/other.json"), ("law", "{d}/nested.json"), ("law", "{d}/latin1.json"), ("law", "{d}/digits.json"),
        ("export", "{d}/a-file"), ("export", "{d}/standing"), ("export", "{d}/a-file/deeper"),
    )),
    (["--params", "350M", "--export", "{d}/new", "--pick", "99"], "expected --pick"),
    (["--params", "350M", "--export", "{d}/new", "--pick", "0"], "expected --pick"),
]  # fmt: skip

COMPARE = [
    *((["--models", f"{{d}}/{name}"], "expected") for name in (
        "nowhere.csv", "empty-folder", "empty.csv", "models-columns.csv", "models-fraction.csv", "models-negative.csv",
        "models-score.csv", "models-words.csv", "models-cells.csv", "models-more.csv", "models-silent.csv",
        "models-variant.csv", "models-huge.csv", "models-header.csv", "models-latin1.csv", "models-quote.csv",
        "models-field.csv", "binary.csv",
    )),
    *((["--lm-eval", f"{{d}}/{name}.json"], "expected") for name in (
        "nowhere", "truncated", "empty", "list", "number", "null", "other", "nested", "latin1", "digits", "task",
        "results-list", "results-text", "results-nan", "results-high", "results-null", "results-nameless",
    )),
    *((["--config", f"{{d}}/{name}.json"], "expected") for name in (
        "nowhere", "truncated", "empty", "list", "null", "config-empty", "config-list", "config-text",
        "config-negative", "nested",
    )),
    (["--lm-eval", "{d}/empty-folder"], "expected"),
    (["--lm-eval", "{d}/task.json", "--task", "arc"], "expected the task arc"),
    (["--variant", "tuned"], "variant"),
    (["--protocol", "by eye"], "expected"),
    (["--interval", "wide"], "expected --interval"),
    (["--interval", ".5-.1"], "interval"),
    (["--interval", "nan-nan"], "interval"),
    (["--resamples", "-1"], "resamples"),
    (["--figure", "{d}/figure.exe"], "expected"),
]  # fmt: skip

MEASURE = [
    *(
        ([command, *rest], says)
        for command in ("measure", "layers")
        for rest, says in (
            (["{d}/nowhere.py:model"], "expected a Python file"),
            (["{d}/nothing.py:model"], "expected a function"),
            (["{d}/nothing.py:x"], "expected a function"),
            (["{d}/nothing.py:"], "expected module.py:factory"),
            (["{d}/nothing.py:a-b"], "expected module.py:factory"),
            (["{d}/syntax.py:model"], "importing"),
            (["{d}/import.py:model"], "importing"),
            (["{d}/raises.py:model"], "failed"),
            (["{d}/exits.py:model"], "failed"),
            (["{d}/text.py:model"], "expected model() to return"),
            (["{d}/run-spec-truncated/trials/{k}"], "expected a trial's spec"),
            (["{d}/run-no-weights/trials/{k}"], "expected final weights"),
            (["{d}/run-weights-cut/trials/{k}"], "damaged"),
            (["{d}/run-weights-pickle/trials/{k}"], "damaged"),
            (["{d}/linear.py:model"], "expected --inputs"),
            *(
                (["{d}/linear.py:model", "--inputs", f"{{d}}/{name}.npy"], "expected")
                for name in (
                    *("nowhere", "truncated", "empty", "text", "object", "pickle", "scalar", "no-rows", "one-row"),
                    *("narrow", "complex", "header", "huge"),
                )
            ),
            (["{d}/linear.py:model", "--inputs", "{d}/empty-folder"], "expected"),
            (["{d}/linear.py:model", "--inputs", "{d}/good.npy", "--text", "{d}/book.txt"], "found both"),
            (["{d}/linear.py:model", "--inputs", "{d}/good.npy", "--layer", "nowhere"], "nowhere"),
            (["{d}/linear.py:model", "--inputs", "{d}/good.npy", "--view", "everything"], "everything"),
            (["{d}/linear.py:model", "--inputs", "{d}/good.npy", "--samples", "1"], "samples"),
            (["{d}/linear.py:model", "--inputs", "{d}/good.npy", "--probes", "0"], "probes"),
            (["{d}/linear.py:model", "--inputs", "{d}/good.npy", "--device", "warp"], "expected a device"),
            (["{d}/linear.py:model", "--inputs", "{d}/good.npy", "--seed", "many"], "many"),
            (["{t}", "--text", "{d}/nowhere.txt"], "expected a text file"),
            (["{t}", "--text", "{d}/empty-folder"], "expected a text file"),
            (["{t}", "--text", "{d}/short.txt"], "tokens of text"),
            (["{t}", "--text", "{d}/empty.txt"], "tokens of text"),
            (["{t}", "--context", "1"], "context"),
            *(
                ([f"{{d}}/hf-{name}", "--text", "{d}/book.txt"], f"hf-{name}")
                for name in ("empty", "cut", "pickle", "none", "text", "negative", "kind", "json")
            ),
            (["{d}/hf-other", "--text", "{d}/book.txt"], "missing, such as"),
            (["{d}/hf-code", "--text", "{d}/book.txt"], "--trust-remote-code"),
        )
    ),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/nan.npy"], "expected"),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--exact", "--probes", "3"], "found both"),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--positions", "middle"], "expected"),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--rel-error", "-1"], "rel_error"),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--rel-error", "nan"], "rel_error"),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--out", "{d}/a-file/x.json"], "expected"),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--out", "{d}/empty-folder"], "expected"),
    (["measure", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--interval", "wide"], "expected an interval"),
    (["diff", "{d}/linear.py:model"], "Missing argument"),
    *(
        (["diff", f"{{d}}/{place}", f"{{d}}/{place}"], message)
        for place, message in (("nowhere.json", "expected a measurement"), ("empty-folder", "expected"))
    ),
    (["layers", "{d}/linear.py:model", "--inputs", "{d}/good.npy", "--figure", "{d}/figure.exe"], "expected"),
]

WATCH_AND_EXPLORE = [
    *((["watch", f"{{d}}/{place}"], "expected") for place in ("nowhere", "empty-folder", "a-file")),
    (["watch", "nowhere://bucket/run"], "nowhere"),
    (["watch", "{d}/run", "--port", "70000"], "port"),
    (["watch", "{d}/run", "--port", "-1"], "port"),
    *(
        (["explore", "--out", "{d}/page.html", "--fit", f"{{d}}/{name}.json"], "expected")
        for name in ("nowhere", "truncated", "empty", "list", "null", "other", "nested", "latin1")
    ),
    (["explore", "--out", "{d}/empty-folder"], "expected"),
    (["explore", "--out", "{d}/a-file/page.html"], "expected"),
    (["export", "nowhere://bucket/run"], "nowhere"),
    (["doctor", "extra"], "extra"),
]

TREATMENTS = [
    (["check-parametrization", "{d}/nowhere.toml"], "expected a recipe file"),
    (["check-parametrization", "{d}/not.toml"], "expected TOML"),
    (["check-parametrization", "{d}/good.toml"], "expected a base shape"),
    *(
        (["check-parametrization", "{d}/good.toml", "--base-width", "4", "--base-depth", "2", *rest], says)
        for rest, says in (
            (["--treatment", "luck"], "luck"),
            (["--widths", "wide"], "expected"),
            (["--widths", "0,8"], "expected"),
            (["--depths", "-1"], "expected"),
            (["--rate", "-1"], "expected"),
            (["--rate", "nan"], "expected"),
            (["--rates", "many"], "expected"),
            (["--rates", "0.1,0.2,0.4", "--steps", "0"], "steps"),
            (["--seeds", "0"], "seeds"),
            (["--figure", "{d}/figure.exe"], "expected"),
        )
    ),
    (["compare-treatments"], "DIR"),
    *((["compare-treatments", f"{{d}}/{place}"], "expected") for place in ("nowhere", "empty-folder", "a-file")),
    (["compare-treatments", "{d}/run"], "expected"),
    (["compare-treatments", "{d}/run", "{d}/run"], "expected"),
    (["compare-treatments", "{d}/run", "{d}/nowhere"], "expected"),
    (["compare-treatments", "{d}/run-record-truncated", "{d}/run"], "expected"),
]

OTHERS = [
    (["shape"], "shape"),
    (["--bogus"], "--bogus"),
    (["sweep"], "recipe"),
    (["quickstart", "--workers", "0"], "expected --workers"),
    (["quickstart", "--out", "{d}/a-file"], "expected"),
    (["reproduce", "everything", "--out", "{d}/out"], "expected"),
    (["reproduce", "mlp", "--out", "{d}/out", "--scale", "huge"], "expected"),
    (["reproduce", "mlp", "--out", "{d}/a-file"], "expected"),
    (["reproduce", "mlp", "--out", "{d}/out", "--device", "warp"], "expected a device"),
    (["reproduce", "mlp", "--out", "{d}/out", "--workers", "0"], "expected"),
    (["reproduce", "gpt-depth", "--out", "{d}/out", "--text", "{d}/nowhere.txt"], "expected"),
    (["reproduce", "double-descent", "--out", "{d}/out", "--workers", "2"], "expected"),
    (["reproduce", "mlp"], "--out"),
]

COMMANDS: list[tuple[list[str], str]] = [
    *((["shapes", *rest], says) for rest, says in SHAPES),
    *((["sweep", *rest], says) for rest, says in SWEEP),
    *READERS,
    *((["fit", *rest], says) for rest, says in FIT),
    *((["recommend", *rest], says) for rest, says in RECOMMEND),
    *((["compare", *rest], says) for rest, says in COMPARE),
    *MEASURE,
    *WATCH_AND_EXPLORE,
    *TREATMENTS,
    *OTHERS,
]
