"""A trial once more, from its spec alone, beside what its record says."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import load

from interlaw.errors import InterlawError, WorkFailedError
from interlaw.plain import Json
from interlaw.runs import Record, RunFolder, TrialFolder, TrialSpec, intact, is_url
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.together import TrialGroup, run_group

RERUN_TOLERANCE = 1e-3  # far above what sums in another order do to a short run, far below what a changed setting does
_VERSIONS = ("interlaw", "torch", "numpy", "python", "platform", "device", "device_name")
_CONDITIONS = ("threads", "processes", "compiled", "micro_batch")  # how its sums were formed


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One figure of the record beside that of the rerun.

    Attributes:
        name: The figure, such as loss or measurements.loss.aofe.value.
        recorded: What the record says.
        rerun: What came out now.
        relative: |rerun - recorded| / |recorded|; for weights the same of the norm of the difference. Infinite where
            one of the two is missing.
    """

    name: str
    recorded: float | str | None
    rerun: float | str | None
    relative: float


@dataclass(frozen=True, kw_only=True)
class Rerun:
    """How near a rerun came.

    Attributes:
        key: The trial.
        verdict: `bit-equal`: every figure and every weight is the same to the last bit.
        tolerance: Largest relative difference that still counts as equal.
        num_compared: Figures and weight tensors compared.
        differences: Those that are not bit-equal, the largest first.
        versions: What differs of versions, machine, and how sums were formed (threads, processes, compiled, batch
            part): name to what was recorded and what is here.
    """

    key: str
    verdict: Literal["bit-equal", "equal within tolerance", "different"]
    tolerance: float
    num_compared: int
    differences: tuple[Difference, ...]
    versions: Mapping[str, tuple[Any, Any]]


def rerun_trial(path: str | Path, *, tolerance: float = RERUN_TOLERANCE, device: str | None = None) -> Rerun:
    """Runs a trial again in a scratch folder, with the recorded threads, compiled if it was, and compares.

    A trial that was divided among processes runs in one.

    Args:
        path: The trial's folder, DIR/trials/<key>; nothing is written there.
        tolerance: Largest relative difference that counts as equal.
        device: Where to train; the recorded device when None.

    Raises:
        InterlawError: When the folder holds no trial that ended, or its device is not here.
        WorkFailedError: When the rerun fails where the recorded trial did not.
    """
    if not 0 <= tolerance < math.inf:
        raise InterlawError(
            f"expected a tolerance of at least 0, found {tolerance}; choose one such as {RERUN_TOLERANCE}"
        )
    if not str(path) or is_url(path):
        raise InterlawError(f"expected a trial's folder on this machine, found {str(path)!r}; name or copy one here")
    folder = TrialFolder(Path(path).resolve())
    spec, recorded = folder.spec(), folder.record()
    if recorded is None:
        raise InterlawError(f"expected a trial that has ended in {str(path)!r}, found no record.json; finish its sweep")
    with tempfile.TemporaryDirectory(prefix="interlaw-rerun-") as scratch:
        record = _run_again(spec, RunFolder(Path(scratch)), recorded=recorded, device=device)
        if record.status == "failed" and recorded.status != "failed":
            raise WorkFailedError(f"the rerun of {folder.key} failed: {record.reason}")
        old, new = _facts(recorded, folder), _facts(record, RunFolder(Path(scratch)).trial(spec.key))
    pairs = [_difference(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]
    differences = sorted((pair for pair in pairs if pair.relative != 0), key=lambda pair: -pair.relative)
    largest = differences[0].relative if differences else 0.0
    return Rerun(
        key=folder.key,
        verdict="bit-equal" if not largest else "equal within tolerance" if largest <= tolerance else "different",
        tolerance=tolerance,
        num_compared=len(pairs),
        differences=tuple(differences),
        versions={
            name: (recorded.provenance.get(name), record.provenance.get(name))
            for name in (*_VERSIONS, *_CONDITIONS)
            if recorded.provenance.get(name) != record.provenance.get(name)
        },
    )


def _run_again(spec: TrialSpec, run: RunFolder, *, recorded: Record, device: str | None) -> Record:
    """Runs the trial in a run of its own, as its record says that it was run."""
    how, before = recorded.provenance, torch.get_num_threads()
    conditions = Conditions(device=device or str(how.get("device", "cpu")), compiled=how.get("compiled") is True)
    threads = how.get("threads")
    torch.set_num_threads(threads if isinstance(threads, int) and threads > 0 else before)
    try:
        group = TrialGroup(specs=(spec,), stacked=how.get("stacked") is True)
        run_group(group, run, conditions=conditions, listen=lambda event: None)
    finally:
        torch.set_num_threads(before)
    return run.records()[spec.key]


def _facts(record: Record, folder: TrialFolder) -> Json:
    """Every number that a trial's result consists of, by dotted names, and its weights; times do not count."""
    compared = {"status", "loss", "val_loss", "figures", "units", "train_flops", "measurements"}
    facts = dict(_flat(record.model_dump(mode="json", include=compared)))
    if folder.weights.exists():  # not those of a trial that did not end well
        with intact(folder):
            facts |= {f"weights.{name}": tensor for name, tensor in load(folder.weights.read_bytes()).items()}
    return facts


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a nested document by their dotted names."""
    if not isinstance(values, dict | list):
        yield prefix, values
        return
    for name, value in values.items() if isinstance(values, dict) else enumerate(values):
        yield from _flat(value, f"{prefix}.{name}" if prefix else str(name))


def _difference(name: str, old: Any, new: Any) -> Difference:
    """Of two numbers or tensors; infinite for anything else that differs."""
    if isinstance(old, torch.Tensor) or isinstance(new, torch.Tensor):
        return Difference(name=name, recorded=None, rerun=None, relative=_relative_norm(old, new))
    relative = 0.0 if old == new else math.inf
    if relative and isinstance(old, int | float) and isinstance(new, int | float) and old:
        relative = abs(new - old) / abs(old)
    return Difference(name=name, recorded=old, rerun=new, relative=relative)


def _relative_norm(old: torch.Tensor | None, new: torch.Tensor | None) -> float:
    if old is None or new is None or old.shape != new.shape:
        return math.inf
    if torch.equal(old, new):
        return 0.0
    norm = float(old.double().norm())
    return float((new.double() - old.double()).norm()) / norm if norm else math.inf
