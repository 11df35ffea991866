"""On a CUDA device everything ends as on a processor: steps in graphs, replicas, streams, precisions, measurements."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.sweep.test_together import prepare
from tests.training.stopping import Killed
from tests.training.test_replicas import SETTINGS, SHAPES, Noise, group_of, network
from torch import Tensor, nn
from typer.testing import CliRunner

from interlaw.cli import app
from interlaw.interaction import measure, measure_layers
from interlaw.models import build_model
from interlaw.shapes import make_shape
from interlaw.sweep import run_trials
from interlaw.tasks import TextTask, open_corpus
from interlaw.training import Precision, Replica, TrainResult, TrainSettings, TrainState, train, train_together

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")]

DEVICE = "cuda"
GPT = make_shape("gpt", depth=2, width=64, head_dim=16, context=64)


class There(Noise):
    """The same numbers on the device."""

    def draw(self, seed: int, size: int) -> tuple[Tensor, Tensor]:
        x, y = super().draw(seed, size)
        return x.to(DEVICE), y.to(DEVICE)


def trained(family: str, settings: TrainSettings, *, device: str, **options: Any) -> tuple[nn.Module, TrainResult]:
    model = network(SHAPES[family], settings).to(device)
    task = There(SHAPES[family]) if device == DEVICE else Noise(SHAPES[family])
    return model, train(model, task, settings=settings, **options)


def together(family: str, settings: list[TrainSettings], *, device: str) -> list[TrainResult]:
    members = [Replica(model=network(SHAPES[family], one).to(device), settings=one) for one in settings]
    return train_together(members, There(SHAPES[family]) if device == DEVICE else Noise(SHAPES[family]))


def assert_alike(found: TrainResult, expected: TrainResult, *, rel: float = 1e-6) -> None:
    assert (found.status, found.units) == (expected.status, expected.units)
    assert found.loss == pytest.approx(expected.loss, rel=rel, nan_ok=True)
    for row, other in zip(found.curve, expected.curve, strict=True):
        assert row == pytest.approx(other, rel=rel)


@pytest.mark.parametrize("family", SHAPES)
def test_a_step_in_a_graph_ends_as_on_a_processor(family: str) -> None:
    _, found = trained(family, SETTINGS, device=DEVICE)
    assert found.graph == "captured"
    assert_alike(found, trained(family, SETTINGS, device="cpu")[1])


@pytest.mark.parametrize("family", SHAPES)
def test_replicas_in_a_graph_end_as_on_a_processor(family: str) -> None:
    settings = group_of(SETTINGS)
    found = together(family, settings, device=DEVICE)
    assert {result.graph for result in found} == {"captured"}
    for result, expected in zip(found, together(family, settings, device="cpu"), strict=True):
        assert_alike(result, expected)


def test_a_diverged_replica_leaves_the_others_untouched() -> None:
    settings = [
        SETTINGS.model_copy(update={"seed": seed, "learning_rate": rate, "blow_up": 30.0, "warmup_steps": 40})
        for seed, rate in ((1, 0.02), (2, 1.0), (3, 0.02))
    ]
    found = together("mlp", settings, device=DEVICE)
    assert [result.status for result in found] == ["done", "diverged", "done"]
    for result, expected in zip(found, together("mlp", settings, device="cpu"), strict=True):
        assert_alike(result, expected)


@pytest.mark.parametrize("keeps", ["last", "best"])
def test_a_killed_run_resumes_in_a_graph(keeps: Any, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"keeps": keeps})
    _, whole = trained("gpt", settings, device=DEVICE)

    def stop(state: TrainState) -> None:
        if state.step >= 20:
            raise Killed

    options: dict[str, Any] = {"device": DEVICE, "checkpoints": tmp_path}
    with pytest.raises(Killed):
        trained("gpt", settings, checkpoint_seconds=0, report=stop, **options)
    _, resumed = trained("gpt", settings, checkpoint_seconds=1e9, **options)
    assert resumed.graph == "captured"
    assert_alike(resumed, whole, rel=1e-9)


@pytest.mark.parametrize("on", ["interaction", "trace"])
def test_an_intervention_is_captured(on: Any) -> None:
    settings = SETTINGS.model_copy(update={"intervention": on, "strength": 0.01})
    _, found = trained("gpt", settings, device=DEVICE)
    assert found.graph == "captured"
    assert_alike(found, trained("gpt", settings, device="cpu")[1])


def test_a_step_that_cannot_be_captured_leaves_the_device_as_it_was() -> None:
    class Reads(There):
        def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            loss = super().loss(model, batch)
            assert float(loss.detach()) > -1
            return loss

    model = network(SHAPES["mlp"], SETTINGS).to(DEVICE)
    found = train(model, Reads(SHAPES["mlp"]), settings=SETTINGS)
    assert found.graph.startswith("no CUDA graph of the step (")
    assert_alike(found, trained("mlp", SETTINGS, device="cpu")[1])
    assert torch.randn(5, device=DEVICE).isfinite().all()


@pytest.fixture(scope="module")
def text() -> TextTask:
    return TextTask(open_corpus(), context=64, device=DEVICE)


def of_text(text: TextTask, *, precision: Precision = "float32", stacked: bool = False, **options: Any) -> TrainResult:
    """A small GPT on real text, 60 steps."""
    settings = TrainSettings(
        steps=60, batch_size=16, learning_rate=3e-3, evaluations=2, test_samples=64, precision=precision
    )
    if not stacked:
        return train(build_model(GPT, device=DEVICE), text, settings=settings, **options)
    members = [
        Replica(model=build_model(GPT, device=DEVICE), settings=settings.model_copy(update={"seed": k}))
        for k in range(3)
    ]
    return train_together(members, text)[0]


@pytest.fixture(scope="module")
def plain(text: TextTask) -> TrainResult:
    return of_text(text)


@pytest.mark.parametrize("precision", ["tfloat32", "bfloat16"])
@pytest.mark.parametrize("stacked", [False, True])
def test_a_lower_precision_moves_the_loss_little(
    precision: str, stacked: bool, text: TextTask, plain: TrainResult
) -> None:
    found = of_text(text, precision=precision, stacked=stacked)
    assert found.graph == "captured"
    assert found.loss == pytest.approx(plain.loss, rel=0.02)


COMPILED = """
from interlaw.models import build_model
from interlaw.shapes import make_shape
from interlaw.tasks import TextTask, open_corpus
from interlaw.training import TrainSettings, train

shape = make_shape("gpt", depth=2, width=64, head_dim=16, context=64)
task = TextTask(open_corpus(), context=64, device="cuda")
settings = TrainSettings(steps=60, batch_size=16, learning_rate=3e-3, evaluations=2, test_samples=64)
found = train(build_model(shape, device="cuda"), task, settings=settings, compiled=True)
print(found.graph, found.loss)
"""


def test_compiled_steps_are_captured_too(plain: TrainResult) -> None:
    """In a process without the tests' checks of tensors, which cannot be compiled."""
    done = subprocess.run([sys.executable, "-c", COMPILED], capture_output=True, text=True, check=True)
    graph, loss = done.stdout.split()
    assert graph == "captured"
    assert float(loss) == pytest.approx(plain.loss, rel=0.02)


def test_attention_of_replicas_is_fused(text: TextTask) -> None:
    """Its kernels have a rule for stacked weights on CUDA devices, so the scores of all pairs are never written out."""
    settings = TrainSettings(steps=3, batch_size=8, learning_rate=1e-3, evaluations=1, precision="bfloat16")
    members = [Replica(model=build_model(GPT, seed=seed, device=DEVICE), settings=settings) for seed in range(3)]
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        train_together(members, text)
    names = {event.key for event in profile.key_averages()}
    assert any("flash_attention" in name or "efficient_attention" in name for name in names)
    assert "aten::_scaled_dot_product_attention_math" not in names


@pytest.mark.parametrize(("family", "views"), [("mlp", ["input"]), ("gpt", ["projected", "loss"])])
def test_a_sweep_on_the_device_ends_as_on_a_processor(family: str, views: list[str], tmp_path: Path) -> None:
    """Groups in flight on streams of their own, replicas stacked, each step a graph."""
    kind: dict[str, Any] = {"family": family, "views": views, "depths": "1-4"}
    if family == "gpt":
        kind |= {"kind": "text", "shape": "context = 16\nhead_dim = 4", "amount": "12k"}
    records = {}
    for device in ("cpu", DEVICE):
        run, trials = prepare(tmp_path / device, **kind)
        options = {} if device == "cpu" else {"in_flight": 4}
        run_trials(run, trials, device=device, num_workers=1, listen=lambda event: None, **options)
        records[device] = {trial.key: trial.record() for trial in run.trials()}
    for key, expected in records["cpu"].items():
        found = records[DEVICE][key]
        assert found is not None
        assert expected is not None
        assert (found.status, found.reason, found.unmeasured) == ("done", "", {})
        assert found.provenance["graph"] == "captured"
        assert found.provenance["stacked"]
        assert found.provenance["in_flight"] == 4
        assert found.loss == pytest.approx(expected.loss, rel=1e-3)
        for view in views:
            ours, theirs = found.measurements[view], expected.measurements[view]
            assert ours["aofe_ratio"]["value"] == pytest.approx(theirs["aofe_ratio"]["value"], rel=2e-2)


def test_groups_in_flight_leave_each_other_untouched(tmp_path: Path) -> None:
    """Networks wide enough for products in parts, whose sums lie in a workspace; each alone in its graph."""
    kind: dict[str, Any] = {"family": "gpt", "kind": "text", "views": [], "depths": "1-8", "seeds": [0], "steps": 60}
    kind |= {"shape": "context = 256\nhead_dim = 4", "amount": "300k", "rates": "learning_rate = 3e-4\nclip = 1.0"}
    records = {}
    for in_flight in (1, 8):
        run, trials = prepare(tmp_path / str(in_flight), **kind)
        run_trials(run, trials, device=DEVICE, in_flight=in_flight, listen=lambda event: None)
        records[in_flight] = {trial.key: trial.record() for trial in run.trials()}
    for key, expected in records[1].items():
        found = records[8][key]
        assert found is not None
        assert expected is not None
        assert (found.status, found.provenance["in_flight"]) == ("done", 8)
        assert found.loss == pytest.approx(expected.loss, rel=1e-4)


@pytest.mark.parametrize("view", ["projected", "loss"])
def test_a_measurement_equals_the_processors(view: str) -> None:
    model = build_model(GPT, seed=3).double()
    ids = torch.randint(256, (32, 65), generator=torch.Generator().manual_seed(0))
    ids = ids if view == "loss" else ids[:, :-1]
    expected = measure(model, ids, view=view, seed=1).to_dict()
    found = measure(model.to(DEVICE), ids.to(DEVICE), view=view, seed=1).to_dict()
    for name in ("aofe", "aofe_ratio"):
        assert found[name]["value"] == pytest.approx(expected[name]["value"], rel=1e-8), name
        assert found[name]["low"] == pytest.approx(expected[name]["low"], rel=1e-8), name


def test_layers_equal_the_processors() -> None:
    model = build_model(GPT, seed=3).double()
    ids = torch.randint(256, (16, 64), generator=torch.Generator().manual_seed(0))
    expected = measure_layers(model, ids)
    found = measure_layers(model.to(DEVICE), ids.to(DEVICE))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.interaction.aofe_ratio.value == pytest.approx(theirs.interaction.aofe_ratio.value, rel=1e-8)


def test_the_doctor_names_the_device() -> None:
    answer = CliRunner().invoke(app, ["doctor", "--json"])
    assert answer.exit_code == 0
    assert torch.cuda.get_device_name() in json.dumps(json.loads(answer.output))
