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
from interlaw.runs import Record, RunFolder, TrialFolder, TrialSpec, intact, is_url
from interlaw.sweep.conditions import Conditions
from interlaw.sweep.together import TrialGroup, run_group

RERUN_TOLERANCE = 1e-3  # far above what sums in another order do to a short run, far below what a changed setting does
_VERSIONS = ("interlaw", "torch", "numpy", "python", "platform", "device", "device_name")
_CONDITIONS = ("threads", "processes", "compiled", "micro_batch")  # how its sums were formed

Verdict = Literal["bit-equal", "equal within tolerance", "different"]


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
    verdict: Verdict
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
        pairs = [*_figures(recorded, record), *_weights(folder, RunFolder(Path(scratch)).trial(spec.key))]
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


def _figures(recorded: Record, rerun: Record) -> Iterator[Difference]:
    """Every number that a trial's result consists of; times do not count."""
    compared = ("status", "loss", "val_loss", "figures", "units", "train_flops", "measurements")
    old, new = (dict(_flat(record.model_dump(mode="json", include=set(compared)))) for record in (recorded, rerun))
    for name in dict.fromkeys([*old, *new]):
        yield Difference(
            name=name, recorded=old.get(name), rerun=new.get(name), relative=_relative(old.get(name), new.get(name))
        )


def _flat(values: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Leaves of a nested document by their dotted names."""
    if isinstance(values, Mapping):
        for name, value in values.items():
            yield from _flat(value, f"{prefix}.{name}" if prefix else str(name))
    elif isinstance(values, list):
        for index, value in enumerate(values):
            yield from _flat(value, f"{prefix}.{index}")
    else:
        yield prefix, values


def _relative(old: Any, new: Any) -> float:
    """Relative difference of two numbers; infinite for anything else that differs."""
    if old == new:
        return 0.0
    if isinstance(old, int | float) and isinstance(new, int | float) and old:
        return abs(new - old) / abs(old)
    return math.inf


def _weights(old: TrialFolder, new: TrialFolder) -> Iterator[Difference]:
    """Every weight tensor of the two."""
    before, after = _load(old), _load(new)
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name), after.get(name)
        if one is None or other is None or one.shape != other.shape:
            relative = math.inf
        elif torch.equal(one, other):
            relative = 0.0
        else:
            norm = float(one.double().norm())
            relative = float((other.double() - one.double()).norm()) / norm if norm else math.inf
        yield Difference(name=f"weights.{name}", recorded=None, rerun=None, relative=relative)


def _load(folder: TrialFolder) -> dict[str, torch.Tensor]:
    """The final weights; none of a trial that did not end well."""
    if not folder.weights.exists():
        return {}
    with intact(folder):
        weights: dict[str, torch.Tensor] = load(folder.weights.read_bytes())
    return weights
