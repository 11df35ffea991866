"""A trial's spec: its digest is its name, and every number counts."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from interlaw.errors import InterlawError
from interlaw.runs import BudgetSpec, MeasureSpec, TrialSpec, require_run
from interlaw.shapes import GPTShape
from interlaw.tasks import TextTaskSpec
from interlaw.training import TrainSettings


def make_spec(**changes: Any) -> TrialSpec:
    whole = {
        "family": "gpt",
        "shape": {"depth": 2, "width": 8, "head_dim": 4, "context": 16, "vocab_size": 256, "tied": False},
        "budget": BudgetSpec(kind="params", amount=5000),
        "task": TextTaskSpec(corpus="stdlib", digest="abc", context=16),
        "training": TrainSettings(steps=10, batch_size=2, learning_rate=0.01, seed=3),
        "measure": (MeasureSpec(view="loss", samples=8),),
    }
    return TrialSpec(**{**whole, **changes})


def test_the_key_is_the_digest_of_the_file(finished_run: Path) -> None:
    trials = require_run(finished_run).trials()
    assert len(trials) == 4
    for trial in trials:
        content = (trial.path / "spec.json").read_bytes()
        assert trial.key == hashlib.sha256(content).hexdigest()[:16] == trial.spec().key
        assert trial.spec().canonical().encode() == content


def test_a_spec_reads_back() -> None:
    spec = make_spec()
    again = TrialSpec.read(spec.canonical(), source="here")
    assert again == spec
    assert again.key == spec.key
    assert json.loads(spec.canonical())["schema_version"] == 1


def test_a_spec_makes_its_shape() -> None:
    assert make_spec().make_shape() == GPTShape(depth=2, width=8, head_dim=4, context=16)


def test_the_order_of_keys_does_not_matter() -> None:
    shape = make_spec().shape
    assert make_spec(shape=dict(reversed(shape.items()))).key == make_spec().key


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to all plain values of a JSON document."""
    if isinstance(value, dict):
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list):
        return [leaf for i, item in enumerate(value) for leaf in leaves(item, (*path, i))]
    return [path]


def test_every_number_is_part_of_the_name() -> None:
    """Each value of the document is changed in turn; where the result is still a spec it has another key."""
    document = json.loads(make_spec().canonical())
    keys = [make_spec().key]
    for path in leaves(document):
        changed = json.loads(json.dumps(document))
        part = changed
        for name in path[:-1]:
            part = part[name]
        old = part[path[-1]]
        part[path[-1]] = (not old) if isinstance(old, bool) else old + 1 if isinstance(old, int) else old
        if isinstance(old, float):
            part[path[-1]] = old / 2 + 0.001 if old < 1 or path[-1] != "clip" else old + 1
        if path[-1] in ("corpus", "digest", "view", "tokenizer", "text_column"):
            part[path[-1]] = old + "x"
        if path == ("schema_version",) or part[path[-1]] == old:
            continue
        keys.append(TrialSpec.read(json.dumps(changed), source=str(path)).key)
    assert len(keys) > 25
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected a trial's spec in here, found: .*; remove the folder or use the version that wrote it"),
        ("{", "expected a trial's spec in here"),
        ("[]", "expected a trial's spec in here"),
        (json.dumps({"family": "gpt"}), "expected a trial's spec in here"),
    ],
)
def test_what_is_no_spec_is_refused(text: str, message: str) -> None:
    with pytest.raises(InterlawError, match=message) as caught:
        TrialSpec.read(text, source="here")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"task": {"kind": "text", "corpus": "stdlib", "digest": "a", "context": 8, "extra": 1}},
        {"training": {"steps": 0, "batch_size": 1, "learning_rate": 0.1}},
        {"training": {"steps": 5, "batch_size": 1, "learning_rate": 0.1, "extra": 1}},
        {"training": None},
        {"budget": {"kind": "weights", "amount": 5}},
        {"measure": [{"view": "loss", "samples": 1}]},
        {"shape": {"depth": 2, "head_dim": 2}},
    ],
)
def test_unknown_keys_and_wrong_values_are_refused(change: dict[str, Any]) -> None:
    document = {**json.loads(make_spec().canonical()), **change}
    with pytest.raises(InterlawError, match=r"expected a trial's spec in here, found: .*; remove the folder"):
        TrialSpec.read(json.dumps(document), source="here")
