"""Wrong inputs, one a line: what is typed, and a part of the one line that answers it.

`{d}` is a folder with the files below; `run` in it is a finished run and `trial` one of its trials. `run-NAME` is a
copy of the run with one fault.
"""

from __future__ import annotations

import io
import json
import pickle
import shlex
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
        "wrong-type": {"training": {"batch_size": "many"}},
        "no-batch": {"training": {"batch_size": 0}},
        "huge-batch": {"training": {"batch_size": 10**30}},
        "two-lengths": {"training": {"tokens_per_param": 20}},
        "one-rate": {"training": {"treatment": "search", "learning_rate": None, "learning_rates": [0.1]}},
        "uneven-rates": {"training": {"treatment": "search", "learning_rate": None, "learning_rates": [0.1, 0.2, 0.9]}},
        "no-rate": {"training": {"learning_rate": None}},
        "no-base": {"training": {"treatment": "mup"}},
        "treatment": {"training": {"treatment": "luck"}},
        "depth-zero": {"top": {"depths": [0, 1]}},
        "depth-twice": {"top": {"depths": [1, 1]}},
        "unknown-size": {"shape": {"colour": 3}},
        "vocabulary": {"shape": {"vocab_size": 10}},
        "view": {"measure": {"views": ["everything"]}},
        "kind": {"task": {"kind": "speech"}},
        "corpus-missing": {"task": {"corpus": "nowhere.txt"}},
        "corpus-empty": {"task": {"corpus": "empty.txt"}},
        "corpus-short": {"task": {"corpus": "short.txt"}},
    }
    return {f"{name}.toml": recipe_text(**change) for name, change in changes.items()}


def _files() -> dict[str, str | bytes]:
    whole = recipe_text()
    return {
        **_recipes(),
        "good.toml": whole,
        "standing/config.json": "{}",
        "empty.txt": "",
        "nan-rate.toml": whole.replace("learning_rate = 0.01", "learning_rate = nan"),
        "empty.toml": "",
        "not.toml": "{]",
        "list.toml": whole.replace("[training]", "[[training]]"),
        "short.txt": "abc\n",
        "empty.csv": "",
        "header.csv": TABLE,
        "columns.csv": "a,b\n1,2\n",
        "nan.csv": TABLE + ROWS + "1000,1,30,nan\n",
        "negative.csv": TABLE + ROWS + "1000,-1,30,2.0\n",
        "words.csv": TABLE + ROWS + "1000,one,30,2.0\n",
        "cells.csv": TABLE + ROWS + "1,2,3,4,5,6\n",
        "latin1.csv": ("params,depth,width,loss,n\xe4me\n" + "1,1,1,1,\xe4\n").encode("latin-1"),
        "torn.jsonl": '{"params": 1000, "depth": 1, "width": 30, "loss": 2}\n{"params": 10',
        "nested.jsonl": "[1, 2]",
        "torn.parquet": b"PAR1" + b"\0" * 40,
        "short.tsv": (TABLE + ROWS).replace(",", "\t") + "1000\t1\n",
        "decimals.csv": TABLE.replace(",", ";") + '1000;1;30;"2,125"\n',
        "twice.csv": "params,depth,width,loss,loss\n1000,1,30,2,2\n",
        "numbers.csv": ROWS,
        "states.csv": "params,depth,width,loss,State\n1000,1,30,2,splendid\n",
        "gzip.csv": b"\x1f\x8b\x08\x00" + b"\0" * 50,
        "good.csv": TABLE + ROWS,
        "mixed.csv": "params,depth,width,loss,treatment\n1000,1,30,2,fixed\n1000,2,20,2,search\n",
        "truncated.json": '{"budgets": [',
        "empty.json": "",
        "list.json": "[]",
        "other.json": '{"a": 1}',
        "nested.json": "[" * 50_000,
        "task.json": json.dumps({"results": {"hellaswag": {"acc,none": 0.5}}, "configs": {}, "model_name": "m"}),
        "results-text.json": json.dumps({"results": {"leaderboard_mmlu_pro": "0.5"}, "model_name": "m"}),
        "results-nameless.json": json.dumps({"results": {"leaderboard_mmlu_pro": {"acc,none": 0.3}}}),
        "models-columns.csv": "name,colour\nA,red\n",
        "models-fraction.csv": MODEL + "A,A,32,4096,7000000000,base,5-shot log-likelihood,0.45\n",
        "models-negative.csv": MODEL + "A,A,-32,4096,7000000000,base,5-shot log-likelihood,45\n",
        "models-words.csv": MODEL + "A,A,many,4096,7000000000,base,5-shot log-likelihood,45\n",
        "models-silent.csv": MODEL + "A,A,32,4096,7000000000,,,45\n",
        "models-variant.csv": MODEL + "A,A,32,4096,7000000000,tuned,5-shot log-likelihood,45\n",
        "models-header.csv": MODEL,
        "config-empty.json": "{}",
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
        "no-rows.npy": _npy(np.zeros((0, 6))),
        "one-row.npy": _npy(np.zeros((1, 6))),
        "nan.npy": _npy(np.full((8, 6), np.nan)),
        "narrow.npy": _npy(np.zeros((8, 5))),
        "huge.npy": b"\x93NUMPY\x01\x00v\x00"
        + b"{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999), }".ljust(117)
        + b"\n",
        "a-file": "",
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
    "record-bytes": _replace("record.json", b"\xff\xfe\x00"),
    "record-newer": _rewrite("record.json", schema_version=7),
    "record-other": _rewrite("record.json", key="0123456789abcdef"),
    "spec-truncated": _replace("spec.json", b'{"family": "gp'),
    "spec-newer": _rewrite("spec.json", schema_version=2),
    "spec-family": _rewrite("spec.json", family="rnn"),
    "all-failed": _all_failed,
    "none-ended": _none_ended,
    "no-weights": lambda trial: (trial / "checkpoint/model.safetensors").unlink(),
    "weights-cut": _replace("checkpoint/model.safetensors", b"\x10\0\0\0"),
}

# the command line, and what the answer says: parts joined by " ... " in this order, each message its own
CASES = [
    ("shapes --params abc", "expected a size such as 300k, 3M or 1.2B, found 'abc'"),
    ("shapes --params 0", "expected a size between 1 and 1e27, found '0'"),
    ("shapes --params 3M --depths 0-3", "expected depths from 1 to 100000 in increasing order, found '0-3'"),
    ("shapes --params 3M --multiple-of 0", "'--multiple-of': Input should be greater than or equal to 1, found '0'"),
    ("shapes --params 3M --depths a", "expected depths such as 1-24, 2-16:2 or 1,2,4, found 'a'"),
    ("shapes --params 3M --family transformer", "expected a family of gpt, llama, ... found 'transformer'"),
    ("shapes --params 3M --rule best", "'best' is not one of 'largest', 'nearest'"),
    ("shapes --params 3M --vocab 0", "expected a size between 1 and 1e27, found '0'"),
    ("shapes --params 3M --vocab many", "expected a size such as 300k, 3M or 1.2B, found 'many'"),
    ("shapes --params 3M --head-dim 0", "expected --head-dim to be at least 1, found 0"),
    ("shapes --params 3M --family llama --d-ff-ratio 0", "expected a positive --d-ff-ratio, found 0.0"),
    (
        "shapes --params 30M --family llama --kv-heads 0",
        "Invalid value for '--kv-heads': Input should be greater than or equal to 1, found '0'",
    ),
    (
        "shapes --params 3M --family mlp --head-dim 4",
        "expected settings of mlp among --input-size, --output-size, found --head-dim",
    ),
    ("shapes --params 3M --count some", "expected a count among total, non-embedding, found 'some'"),
    (
        "shapes --params 3M --flops 1e15",
        "expected exactly one budget (--params, --flops-per-token or --flops), found params, train_flops",
    ),
    (
        "shapes --flops 1e15 --tokens-per-param -1",
        "a budget in training FLOPs needs positive tokens per parameter, found -1.0",
    ),
    ("shapes --params 10", "no gpt of depth 1 spends 10 parameters: the narrowest (width 16)"),
    ("shapes --params 3M --bogus", "No such option: --bogus"),
    ("shapes --params 3M extra", "Got unexpected extra argument(s) (extra)"),
    ("sweep {d}/nowhere.toml --out {d}/out", "expected a recipe file, found nothing at"),
    ("sweep {d}/empty.toml --out {d}/out", "missing key 'name', add it"),
    ("sweep {d}/not.toml --out {d}/out", "expected TOML in ... found: Invalid statement (at line 1, column 1)"),
    ("sweep {d}/list.toml --out {d}/out", "training: input should be a valid dictionary"),
    (
        "sweep {d}/nan-rate.toml --out {d}/out",
        "training.learning_rate: input should be a finite number, found 'nan', change it",
    ),
    ("sweep {d}/unknown-key.toml --out {d}/out", "unknown key 'training.lr', remove it or fix its spelling"),
    (
        "sweep {d}/wrong-type.toml --out {d}/out",
        "training.batch_size: input should be a valid integer, unable to parse string as an integer, found",
    ),
    (
        "sweep {d}/no-batch.toml --out {d}/out",
        "training.batch_size: input should be greater than or equal to 1, found '0', change it",
    ),
    (
        "sweep {d}/huge-batch.toml --out {d}/out",
        "training.batch_size: input should be less than or equal to 1000000000000, found",
    ),
    ("sweep {d}/two-lengths.toml --out {d}/out", "training: give exactly one of steps and tokens_per_param"),
    (
        "sweep {d}/one-rate.toml --out {d}/out",
        "training.learning_rates: tuple should have at least 3 items after validation, not 1, found '[0.1]'",
    ),
    (
        "sweep {d}/uneven-rates.toml --out {d}/out",
        "training: learning_rates must grow at equal ratios, such as [1e-3, 2e-3, 4e-3], change it",
    ),
    (
        "sweep {d}/no-rate.toml --out {d}/out",
        "training: treatment fixed takes learning_rate, not none of them, change it",
    ),
    (
        "sweep {d}/no-base.toml --out {d}/out",
        "training: treatment mup takes base_width and learning_rate, not learning_rate, change it",
    ),
    (
        "sweep {d}/treatment.toml --out {d}/out",
        "training.treatment.0: expected a treatment of fixed, search, ... found 'luck'",
    ),
    ("sweep {d}/depth-zero.toml --out {d}/out", "expected depth to be at least 1, found 0"),
    ("sweep {d}/depth-twice.toml --out {d}/out", "the recipe: depths names a value twice, change it"),
    (
        "sweep {d}/unknown-size.toml --out {d}/out",
        "expected settings of gpt among vocab_size, context, head_dim, d_ff, tied, found 'colour'",
    ),
    ("sweep {d}/vocabulary.toml --out {d}/out", "the recipe: shape.vocab_size follows from the tokenizer"),
    ("sweep {d}/view.toml --out {d}/out", "the recipe: measure.views names 'everything'"),
    ("sweep {d}/kind.toml --out {d}/out", "task: kind must be one of text, vectors, ... found 'speech'"),
    (
        "sweep {d}/corpus-missing.toml --out {d}/out",
        "expected a corpus file, folder, 'stdlib' or 'datasets:NAME', found no such path",
    ),
    (
        "sweep {d}/corpus-empty.toml --out {d}/out",
        "expected text in ... found none (hidden, empty and binary files do not count)",
    ),
    (
        "sweep {d}/corpus-short.toml --out {d}/out",
        "expected at least 9 tokens in the train split of ... (context + 1), found 5",
    ),
    ("sweep {d}/good.toml --out {d}/a-file", "expected a folder for --out, found the file"),
    ("sweep {d}/good.toml --out {d}/a-file/run", "expected to write to ... found: Not a directory"),
    ("sweep {d}/good.toml --out /proc/run", "expected to write to '/proc/run', found: No such file or directory"),
    (
        "sweep {d}/good.toml --out {d}/run",
        "expected a new folder or one of this recipe, found 4 trials in ... that it does not plan",
    ),
    ("sweep {d}/good.toml", "Missing option '--out'."),
    (
        "sweep {d}/good.toml --out {d}/out --executor cloud",
        "Invalid value for '--executor': 'cloud' is not one of 'local', 'processes', 'ray'",
    ),
    ("sweep {d}/good.toml --out {d}/out --in-flight 0", "expected 1 to 32 groups in flight, found 0; choose 8, say"),
    (
        "sweep {d}/good.toml --out {d}/out --executor local --in-flight 2",
        "expected groups in flight in worker processes alone, found the executor 'local'; remove --in-flight",
    ),
    (
        "sweep {d}/good.toml --out {d}/out --workers 0",
        "'--workers': Input should be greater than or equal to 1, found '0'",
    ),
    ("sweep {d}/good.toml --out {d}/out --retry all", "Invalid value for '--retry': 'all' is not one of 'failed'"),
    ("sweep {d}/good.toml --out {d}/out --device warp", "expected a device that torch can use, found 'warp'"),
    (
        "sweep {d}/good.toml --out {d}/out --resources-per-trial cpu=many",
        "expected resources such as cpu=2,gpu=0.5, found 'cpu=many'",
    ),
    (
        "sweep {d}/good.toml --out {d}/out --resources-per-trial cpu=2",
        "--address, --resources-per-trial and --devices-per-trial belong to --executor ray, found 'processes'",
    ),
    (
        "sweep {d}/good.toml --out {d}/out --executor ray --resources-per-trial gpu=1 --device cpu",
        "expected a device of the GPUs asked for with 'gpu=1', found cpu; add --device cuda",
    ),
    (
        "sweep {d}/good.toml --out {d}/out --executor ray --devices-per-trial 2 --compile",
        "--memory-limit and --compile belong to trials on one device, found --devices-per-trial 2",
    ),
    ("status {d}/nowhere", "expected a run folder with recipe.toml, found none in"),
    (
        "status {d}/run-record-truncated",
        "expected a trial's record in ... found: invalid JSON: EOF while parsing a string at line 1 column 16",
    ),
    (
        "status {d}/run-record-bytes",
        "expected to read ... found: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte",
    ),
    (
        "status {d}/run-record-newer",
        "expected a trial's record of schema version 1 in ... found version 7, written by a newer interlaw",
    ),
    ("status {d}/run-record-other", "expected the record of trial ... found that of '0123456789abcdef'"),
    ("fit {d}/nowhere", "expected a table or a run's folder, found nothing at"),
    (
        "export {d}/run-spec-truncated",
        "expected a trial's spec in ... found: invalid JSON: EOF while parsing a string at line 1 column 14",
    ),
    (
        "export {d}/run-spec-newer",
        "expected a trial's spec of schema version 1 in ... found version 2, written by a newer interlaw",
    ),
    ("export {d}/run-spec-family", "expected the spec of trial ... found one of digest"),
    ("report {d}/run-none-ended", "expected finished trials in ... found none of 4"),
    ("fit {d}/run-none-ended", "expected at least one finished run, found an empty table"),
    ("report {d}/run-all-failed", "expected at least one trial that ended well in ... found 4 failed"),
    ("fit {d}/run-all-failed", "expected runs with status done, found none among 4: the sweep has no result"),
    ("export {d}/run --out {d}/a-file/x.csv", "expected to write"),
    ("report {d}/run --out {d}/a-file/x.html", "expected to write ... found: File exists"),
    ("rerun ''", "expected a trial's folder on this machine, found ''"),
    ("rerun {d}/nowhere", "expected ... spec.json, found nothing there; give a trial's folder"),
    ("rerun {t} --tolerance -1", "expected a tolerance of at least 0, found -1.0"),
    ("rerun {d}/run-none-ended/trials/{k}", "expected a trial that has ended in ... found no record.json"),
    ("fit {d}/empty.csv", "expected a CSV table in ... found an empty file"),
    ("fit {d}/columns.csv", "expected columns params, depth, width, loss"),
    (
        "fit {d}/nan.csv",
        "expected positive finite loss in every finished run, found nan in row 9 below the header (1 such rows)",
    ),
    ("fit {d}/words.csv", "expected numbers in column depth, found could not convert string to float: 'one'"),
    ("fit {d}/cells.csv", "expected as many cells as columns (4, separated by commas), found 6 in line 10 of"),
    ("fit {d}/latin1.csv", "expected text in UTF-8 in ... found another encoding (byte 25)"),
    (
        "fit {d}/gzip.csv",
        "expected a table in ... found: Error -3 while decompressing data: invalid stored block lengths",
    ),
    ("fit {d}/mixed.csv", "expected one learning-rate treatment, found fixed, search"),
    (
        "fit {d}/torn.jsonl",
        "expected a JSON object in line 2 of ... found: Expecting ',' delimiter: line 1 column 14 (char 13)",
    ),
    ("fit {d}/nested.jsonl", "expected a JSON object a row in ... found other values"),
    ("fit {d}/torn.parquet", "expected a Parquet table in ... found: Could not open Parquet input source"),
    ("fit {d}/short.tsv", "expected as many cells as columns (4, separated by tabs), found 2 in line 10 of"),
    ("fit {d}/decimals.csv", "expected to see in ... whether a comma marks decimals or thousands, found 2,125"),
    ("fit {d}/twice.csv", "expected each column once in ... found 'loss' twice"),
    ("fit {d}/numbers.csv", "expected names of columns in the first line of ... found numbers"),
    (
        "fit {d}/states.csv",
        "expected State to say done (or finished, completed), diverged or failed (or crashed, running)",
    ),
    ("fit -", "expected a table in standard input, found"),
    ("fit {d}/good.csv --delta 0", "expected --delta between 0 and 1 (a relative loss), found 0.0"),
    ("fit {d}/good.csv --confidence 0", "expected --confidence from 0.5 to below 1, found 0.0"),
    ("fit {d}/good.csv --resamples -5", "expected at least 100 bootstrap draws and permutations, found -5 and -5"),
    ("fit {d}/good.csv --seed -1", "expected a seed of at least 0, found -1"),
    ("fit {d}/good.csv --view loss", "expected a measured view among none, found 'loss'; leave it out"),
    ("fit {d}/good.csv --treatment mup", "expected a column treatment to choose 'mup' from, found none"),
    ("fit {d}/mixed.csv --treatment mup", "expected treatment to be one of fixed, search, found 'mup'"),
    ("fit {d}/good.csv --column loss", "expected --column NAME=THEIRS such as loss=eval_loss, found 'loss'"),
    ("fit {d}/good.csv --column loss=eval", "expected a column for loss among params, depth, width, loss"),
    ("fit {d}/run --view everything", "expected a measured view among projected, loss, found 'everything'"),
    ("recommend --params 10", "expected a budget that some llama of these dimensions spends, found 10 parameters"),
    ("recommend --params 1e27", "expected a budget of at most 10T parameters, found 1e27"),
    ("recommend --params 350M --family rnn", "expected a family of gpt, llama, ... found 'rnn'"),
    ("recommend --params 350M --interval abc", "expected --interval LOW-HIGH such as .02-.065, found 'abc'"),
    ("recommend --params 350M --interval .5-.1", "expected an interval 0 < low < high, found 0.5 to 0.1"),
    ("recommend --params 350M --tokens-per-param 0", "expected --tokens-per-param above 0, found 0.0; 20 is usual"),
    ("recommend --params 350M --heads-per-kv 0", "expected --heads-per-kv to be at least 1, found 0"),
    ("recommend --params 350M --tolerance -1", "expected --tolerance above 0 and at most 0.5, found -1.0"),
    ("recommend --params 350M --count 0", "expected --count above 0, found 0; 5 is usual"),
    ("recommend --params 350M --law {d}/nowhere.json", "expected a fit, ... found nothing at"),
    (
        "recommend --params 350M --law {d}/truncated.json",
        "expected ... to be JSON, found Expecting value: line 1 column 14 (char 13); give a fit",
    ),
    ("recommend --params 350M --law {d}/list.json", "to hold a JSON object, found list; give a fit"),
    (
        "recommend --params 350M --law {d}/other.json",
        "expected the JSON of a fit, found budgets: field required; write it again",
    ),
    ("recommend --params 350M --export {d}/standing", "expected no other configuration in ... found"),
    ("recommend --params 350M --pick 2", "expected --export DIR with --pick, found none; name the folder"),
    ("recommend --params 350M --export {d}/new --pick 99", "expected --pick from 1 to 3, found 99"),
    (
        "compare --models {d}/models-columns.csv",
        "line 2, family: expected a value (the model is not in the built-in table), found none",
    ),
    (
        "compare --models {d}/models-fraction.csv",
        "line 2, mmlu_pro: expected a score in percent (chance is about 11), found the fraction 0.45",
    ),
    ("compare --models {d}/models-negative.csv", "line 2, depth: expected greater than 0, found '-32'"),
    (
        "compare --models {d}/models-words.csv",
        "line 2, depth: expected a valid integer, unable to parse string as an integer, found 'many'",
    ),
    (
        "compare --models {d}/models-silent.csv",
        "line 2, row: expected variant (base or inst) and protocol beside a score, found none",
    ),
    ("compare --models {d}/models-variant.csv", "line 2, variant: expected 'base' or 'inst', found 'tuned'"),
    ("compare --models {d}/models-header.csv", "expected ... to hold a header and at least one row, found none"),
    ("compare --lm-eval {d}/nowhere.json", "expected a results_*.json of lm-evaluation-harness, found nothing at"),
    (
        "compare --lm-eval {d}/truncated.json",
        "expected ... to be JSON, found Expecting value: line 1 column 14 (char 13)",
    ),
    ("compare --lm-eval {d}/list.json", "expected ... to hold a JSON object, found list"),
    ("compare --lm-eval {d}/task.json", "expected the task leaderboard_mmlu_pro or mmlu_pro in ... found hellaswag"),
    (
        "compare --lm-eval {d}/results-text.json",
        "expected a metric such as acc, exact_match, acc_norm of leaderboard_mmlu_pro in ... found none",
    ),
    ("compare --lm-eval {d}/results-nameless.json", "expected ... to name its model, found no model_name"),
    ("compare --config {d}/nowhere.json", "expected a config.json, found nothing at"),
    ("compare --config {d}/list.json", "expected ... to hold a JSON object, found list"),
    ("compare --config {d}/config-empty.json", "expected one of num_hidden_layers, n_layer, ... as a whole number"),
    (
        "compare --config {d}/config-text.json",
        "expected one of hidden_size, n_embd, d_model in ... as a whole number, found 'wide'",
    ),
    (
        "compare --config {d}/config-negative.json",
        "expected a configuration whose parameters can be counted",
    ),
    ("compare --lm-eval {d}/task.json --task arc", "expected the task arc in ... found hellaswag"),
    ("compare --variant tuned", "'tuned' is not one of 'base', 'inst'"),
    ("compare --protocol 'by eye'", "expected scores with protocol 'by eye' and variant 'base', found none"),
    ("compare --figure {d}/figure.exe", "expected a figure named *.png, *.svg, *.pdf, found 'figure.exe'"),
    ("measure {d}/nowhere.py:model", "expected a Python file, found nothing at"),
    ("measure {d}/nothing.py:model", "expected a function 'model' in ... found no functions"),
    ("measure {d}/nothing.py:", "expected module.py:factory, found"),
    ("measure {d}/syntax.py:model", "importing ... failed: SyntaxError: invalid syntax (syntax.py, line 1)"),
    (
        "measure {d}/import.py:model",
        "importing ... failed: ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
    ),
    ("measure {d}/raises.py:model", "model() in ... failed: RuntimeError: no [red]luck[/red] \\x1b[31m today"),
    ("measure {d}/exits.py:model", "model() in ... failed: SystemExit"),
    ("measure {d}/text.py:model", "expected model() to return an nn.Module, found str"),
    ("measure {d}/run-no-weights/trials/{k}", "expected final weights in ... found none"),
    ("measure {d}/run-weights-cut/trials/{k}", "expected the weights of trial ... found a damaged file"),
    ("measure {d}/linear.py:model", "expected --inputs FILE.npy for a model that reads no tokens"),
    (
        "measure {d}/linear.py:model --text {d}/book.txt",
        "expected --inputs FILE.npy for a model that reads no tokens, found --text",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/nowhere.npy",
        "expected a NumPy array in ... found nothing",
    ),
    ("measure {d}/linear.py:model --inputs {d}/text.npy", "expected an array of numbers in ... found <U1"),
    ("measure {d}/linear.py:model --inputs {d}/no-rows.npy", "expected at least one sample, found none"),
    (
        "measure {d}/linear.py:model --inputs {d}/one-row.npy",
        "expected at least 3 clusters (samples, or sequences of tokens), found 1",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/narrow.npy",
        "expected inputs of the shape that the model takes, found mat1 and mat2 shapes",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --text {d}/book.txt",
        "expected --text or --inputs, found both",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --layer nowhere",
        "expected the name of a module, found 'nowhere'",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --view everything",
        "expected a view among input, loss, ... found 'everything'",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --device warp",
        "expected a device that torch can use, found 'warp'",
    ),
    ("measure {t} --text {d}/nowhere.txt", "expected a text file at ... found nothing"),
    ("measure {t} --text {d}/short.txt", "expected at least 9 tokens of text, found 4"),
    (
        "measure {d}/hf-empty --text {d}/book.txt",
        "expected a model's folder or hub name, found ... (Error while deserializing header: header too",
    ),
    (
        "measure {d}/hf-other --text {d}/book.txt",
        "expected all weights of ... found 17 missing, such as lm_head.weight",
    ),
    (
        "layers {d}/linear.py:model --inputs {d}/truncated.npy",
        "expected a NumPy array in ... found Failed to read all data",
    ),
    ("layers {d}/linear.py:model --inputs {d}/empty.npy", "expected a NumPy array in ... found No data left in file"),
    (
        "layers {d}/linear.py:model --inputs {d}/good.npy --layer nowhere",
        "expected linear, convolution or embedding layers, found ['nowhere']",
    ),
    (
        "layers {d}/linear.py:model --inputs {d}/good.npy --view everything",
        "expected a view among input, loss, ... found 'everything'",
    ),
    (
        "layers {d}/hf-cut --text {d}/book.txt",
        "expected a model's folder or hub name, found ... (Error while deserializing header: incomplete",
    ),
    ("measure {d}/linear.py:model --inputs {d}/nan.npy", "expected finite numbers in ... found NaN or infinity"),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --exact --probes 3",
        "expected --probes or --exact, found both",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --positions middle",
        "expected positions to be one of (None, 'last', 'all'), found 'middle'",
    ),
    ("measure {d}/linear.py:model --inputs {d}/good.npy --rel-error -1", "expected a --rel-error above 0, found -1.0"),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --out {d}/a-file/x.json",
        "expected to write ... found: File exists",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --out {d}/empty-folder",
        "expected a file name for the measurement, found the folder",
    ),
    (
        "measure {d}/linear.py:model --inputs {d}/good.npy --interval wide",
        "expected an interval among jackknife, bootstrap-t, percentile, found 'wide'",
    ),
    ("diff {d}/linear.py:model", "Missing argument 'b'."),
    (
        "diff {d}/nowhere.json {d}/nowhere.json",
        "expected a measurement in ... found nothing",
    ),
    (
        "watch nowhere://bucket/run",
        "expected a folder or a URL such as s3://bucket/run, found 'nowhere://bucket/run': Protocol not",
    ),
    ("watch {d}/run --port 70000", "expected a port from 0 (any free one) to 65535, found 70000"),
    ("explore --params 350X", "expected a size such as 300k, 3M or 1.2B, found '350X'"),
    (
        "explore --out {d}/page.html --fit {d}/truncated.json",
        "expected ... to be JSON, found Expecting value: line 1 column 14 (char 13); give a fit",
    ),
    ("check-parametrization {d}/good.toml", "expected a base shape, found none in the recipe"),
    (
        "check-parametrization {d}/good.toml --base-width 4 --base-depth 2 --treatment luck",
        "expected --treatment among standard, mup, ... found 'luck'",
    ),
    (
        "check-parametrization {d}/good.toml --base-width 4 --base-depth 2 --widths wide",
        "expected --widths such as 32,64,128, found 'wide'",
    ),
    (
        "check-parametrization {d}/good.toml --base-width 4 --base-depth 2 --rate -1",
        "expected learning_rate to be greater than or equal to 0, found -1.0",
    ),
    (
        "check-parametrization {d}/good.toml --base-width 4 --base-depth 2 --rates many",
        "expected --rates such as 2e-3,4e-3,8e-3, found 'many'",
    ),
    ("compare-treatments {d}/run", "expected at least two treatments, found fixed"),
    ("shape", "No such command 'shape'. Did you mean 'shapes'?"),
    ("reproduce everything --out {d}/out", "expected an experiment of double-descent, ... found 'everything'"),
    ("reproduce mlp --out {d}/out --scale huge", "expected --scale tiny or paper for mlp, found 'huge'"),
    (
        "reproduce double-descent --out {d}/out --workers 2",
        "expected no --workers for double-descent, which has no use for it",
    ),
]

COMMANDS: list[tuple[list[str], str]] = [(shlex.split(line), says) for line, says in CASES]
