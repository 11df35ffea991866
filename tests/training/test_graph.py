"""What runs on a device, with a recorder of operations in place of CUDA graphs: the same bits, read at intervals."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
import torch
from tests.training import recording
from tests.training.test_replicas import SETTINGS, SHAPES, Noise, group_of, network
from torch import Tensor, nn

from interlaw.training import Replica, TrainResult, TrainSettings, TrainState, graph, optimizer, readback, train
from interlaw.training import replicas as replicas_file

FAMILIES = ("gpt", "mlp", "cnn", "gru", "hf:llama")


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> None:
    """The processor as if it were a CUDA device."""
    for module in (graph, optimizer):
        monkeypatch.setattr(module, "is_capturable", lambda parameter: True)
    monkeypatch.setattr(readback, "waits_for_reading", lambda parameter: True)
    monkeypatch.setattr(graph, "stream_of_graph", lambda device: None)
    monkeypatch.setattr(graph, "record", recording.record)
    monkeypatch.setattr(graph, "run_aside", recording.run_aside)


@pytest.fixture
def uncaptured(device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same without graphs: rates in tensors, losses read at intervals."""
    monkeypatch.setattr(graph, "WARM_UP", 10**9)


def without_clock(result: TrainResult) -> dict[str, Any]:
    return {name: value for name, value in asdict(result).items() if not name.endswith("seconds") and name != "graph"}


def trained(family: str, settings: TrainSettings, **options: Any) -> tuple[nn.Module, TrainResult]:
    model = network(SHAPES[family], settings)
    return model, train(model, Noise(SHAPES[family]), settings=settings, **options)


def assert_same_bits(ours: nn.Module, theirs: nn.Module) -> None:
    for (name, weights), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(weights, other, rtol=0, atol=0, msg=name)


def together(family: str, settings: list[TrainSettings]) -> tuple[list[nn.Module], list[TrainResult]]:
    models = [network(SHAPES[family], one) for one in settings]
    members = [Replica(model=model, settings=one) for model, one in zip(models, settings, strict=True)]
    return models, replicas_file.train_together(members, Noise(SHAPES[family]))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_captured_step_gives_the_bits_of_the_same_step_uncaptured(
    family: str, device: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    captured, result = trained(family, SETTINGS)
    assert result.graph == "captured"
    monkeypatch.setattr(graph, "WARM_UP", 10**9)
    plain, expected = trained(family, SETTINGS)
    assert expected.graph == ""
    assert_same_bits(captured, plain)
    assert without_clock(result) == without_clock(expected)


def test_rates_in_tensors_give_the_result_of_rates_in_numbers(
    uncaptured: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate in a tensor has single precision; Adam's steps of 0.02 enlarge its 6e-8 where a gradient is near 0."""
    model, result = trained("gpt", SETTINGS)
    monkeypatch.undo()
    plain, expected = trained("gpt", SETTINGS)
    assert result.loss == pytest.approx(expected.loss, rel=1e-5)
    for weights, other in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(weights, other, rtol=0, atol=2e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_captured_group_ends_as_on_a_processor(family: str, device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = group_of(SETTINGS)
    ours, found = together(family, settings)
    assert {result.graph for result in found} == {"captured"}
    monkeypatch.undo()
    theirs, expected = together(family, settings)
    for model, other, result, reference in zip(ours, theirs, found, expected, strict=True):
        assert_same_bits(model, other)
        assert without_clock(result) == without_clock(reference)


def test_a_batch_in_parts_is_captured_too(device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    model, result = trained("mlp", SETTINGS, micro_batch=3)
    assert result.graph == "captured"
    monkeypatch.setattr(graph, "WARM_UP", 10**9)
    assert_same_bits(model, trained("mlp", SETTINGS, micro_batch=3)[0])


def test_what_cannot_be_captured_runs_as_it_is_and_says_why(device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Reads(Noise):
        def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
            loss = super().loss(model, batch)
            assert float(loss.detach()) > -1
            return loss

    model, settings = network(SHAPES["mlp"], SETTINGS), SETTINGS
    result = train(model, Reads(SHAPES["mlp"]), settings=settings)
    assert result.graph == (
        "no CUDA graph of the step (operation not permitted when stream is capturing: a number was read); "
        "it runs as it is"
    )
    monkeypatch.setattr(graph, "WARM_UP", 10**9)
    assert_same_bits(model, trained("mlp", SETTINGS)[0])


def test_losses_are_read_at_intervals(uncaptured: None) -> None:
    """Steps between readings at most double, so that the first pace cannot mislead."""
    told: list[int] = []
    trained("mlp", SETTINGS.model_copy(update={"evaluations": 1}), report=lambda state: told.append(state.step))
    assert told == [1, 3, 7, 15, 31, 50]


def test_a_divergence_counts_at_its_own_step(uncaptured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    wild = SETTINGS.model_copy(update={"learning_rate": 1.0, "blow_up": 30.0, "evaluations": 1, "warmup_steps": 40})
    _, result = trained("mlp", wild)
    monkeypatch.undo()
    _, expected = trained("mlp", wild)
    assert expected.status == "diverged"
    assert 3 < expected.units / SETTINGS.batch_size < 45
    assert (result.status, result.units) == ("diverged", expected.units)


def test_a_diverged_replica_leaves_a_captured_group(device: None, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [
        SETTINGS.model_copy(update={"seed": seed, "learning_rate": rate, "blow_up": 30.0, "warmup_steps": 40})
        for seed, rate in ((1, 0.02), (2, 1.0), (3, 0.02))
    ]
    ours, found = together("mlp", settings)
    assert [result.status for result in found] == ["done", "diverged", "done"]
    monkeypatch.undo()
    theirs, expected = together("mlp", settings)
    for place in (0, 2):
        torch.testing.assert_close(
            dict(ours[place].named_parameters()), dict(theirs[place].named_parameters()), rtol=1e-9, atol=1e-12
        )
    assert found[1].units == expected[1].units


def test_a_stopped_run_resumes_in_a_graph(device: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, _ = trained("gpt", SETTINGS)

    class Stop(Exception):
        pass

    def stop(state: TrainState) -> None:
        if state.step >= 20:
            raise Stop

    with pytest.raises(Stop):
        trained("gpt", SETTINGS, checkpoints=tmp_path, checkpoint_seconds=0, report=stop)
    resumed, result = trained("gpt", SETTINGS, checkpoints=tmp_path, checkpoint_seconds=1e9)
    assert result.graph == "captured"
    assert_same_bits(resumed, whole)


def test_float32_products_are_whole_unless_the_recipe_says_otherwise() -> None:
    """On CUDA devices torch rounds those of convolutions by itself; the switch is put back."""
    from interlaw.training.precision import products_in

    switches = (torch.backends.cuda.matmul, torch.backends.cudnn)
    before = [switch.allow_tf32 for switch in switches]
    for precision, expected in (("tfloat32", True), ("float32", False), ("bfloat16", False)):
        with products_in(precision):  # type: ignore[arg-type]
            assert [switch.allow_tf32 for switch in switches] == [expected] * 2
    assert [switch.allow_tf32 for switch in switches] == before
