"""The loop on a small GPT: what it reports, how it ends, and that a stopped run goes on to the same bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.training.stopping import Killed, killer
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.models import build_model
from interlaw.shapes import GPTShape
from interlaw.training import TrainResult, TrainSettings, TrainState, evaluate, train

SHAPE = GPTShape(depth=2, width=8, head_dim=4, vocab_size=17, context=6)
SETTINGS = TrainSettings(
    steps=12,
    batch_size=3,
    learning_rate=0.02,
    warmup_steps=2,
    evaluations=4,
    evaluation_samples=5,
    test_samples=7,
    seed=3,
)


class RandomWalk:
    """Next-token prediction on a walk over 17 tokens, made on the spot."""

    unit = "token"
    units_per_sample = SHAPE.context

    def draw(self, key: list[int], size: int) -> tuple[Tensor, Tensor]:
        steps = np.random.default_rng(key).integers(0, 3, (size, SHAPE.context + 1))
        ids = torch.from_numpy(np.cumsum(steps, 1) % SHAPE.vocab_size)
        return ids[:, :-1], ids[:, 1:]

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        return self.draw([0, seed, step], size)

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        inputs, targets = self.draw([1, len(split)], num_samples)
        for first in range(0, num_samples, batch_size):
            yield inputs[first : first + batch_size], targets[first : first + batch_size]

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())

    def probes(self, *, num_samples: int, with_targets: bool) -> Tensor:
        raise NotImplementedError

    def figures(self, loss: float) -> dict[str, float]:
        return {}


class Disturbed(RandomWalk):
    """The same, with a loss multiplied from one step on."""

    def __init__(self, step: int, factor: float) -> None:
        self.step, self.factor = step, factor
        self.now = -1

    def batch(self, *, seed: int, step: int, size: int) -> tuple[Tensor, Tensor]:
        self.now = step
        return super().batch(seed=seed, step=step, size=size)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        loss = super().loss(model, batch)
        return loss * self.factor if self.now >= self.step and torch.is_grad_enabled() else loss


def run(
    checkpoints: Path | None = None, report: Callable[[TrainState], None] | None = None
) -> tuple[nn.Module, TrainResult]:
    model = build_model(SHAPE, seed=SETTINGS.seed)
    return model, train(
        model, RandomWalk(), settings=SETTINGS, checkpoints=checkpoints, checkpoint_seconds=0, report=report
    )


def without_clock(result: TrainResult) -> dict[str, object]:
    return {name: value for name, value in asdict(result).items() if not name.endswith("seconds")}


def assert_same(one: tuple[nn.Module, TrainResult], other: tuple[nn.Module, TrainResult]) -> None:
    for name, tensor in one[0].state_dict().items():
        assert torch.equal(tensor, other[0].state_dict()[name]), name
    assert without_clock(one[1]) == without_clock(other[1])


@pytest.fixture(scope="module")
def untouched() -> tuple[nn.Module, TrainResult]:
    return run()


@pytest.mark.parametrize("step", range(1, SETTINGS.steps + 1))
def test_killed_at_any_step_it_ends_with_the_same_bits(
    tmp_path: Path, untouched: tuple[nn.Module, TrainResult], step: int
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, killer(step))
    steps: list[int] = []
    assert_same(run(tmp_path, lambda state: steps.append(state.step)), untouched)
    assert steps[0] == min(step, SETTINGS.steps - 1) + 1  # it went on, it did not begin again


def test_killed_at_every_step_it_ends_with_the_same_bits(
    tmp_path: Path, untouched: tuple[nn.Module, TrainResult]
) -> None:
    for step in range(1, SETTINGS.steps + 1):
        with pytest.raises(Killed):
            run(tmp_path, killer(step))
    assert_same(run(tmp_path), untouched)


def test_time_adds_up_over_attempts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("interlaw.training.loop.time.monotonic", lambda: now[0])

    def tick(state: TrainState) -> None:
        now[0] += 10
        if state.step == 4 and now[0] == 40:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path, tick)
    now[0] = 1000.0
    # the clock moved 30 before step 4's checkpoint, the 10 after it were lost with the process; 8 more steps take 80
    assert run(tmp_path, tick)[1].seconds == pytest.approx(30 + 80)


def test_the_curve_holds_means_since_the_last_row(untouched: tuple[nn.Module, TrainResult]) -> None:
    losses: list[float] = []
    model = build_model(SHAPE, seed=SETTINGS.seed)
    task = RandomWalk()
    settings = SETTINGS

    def note(state: TrainState) -> None:
        losses.append(state.loss_sum if state.loss_count else math.nan)

    result = train(model, task, settings=settings, report=note)
    curve = result.curve
    assert [row["step"] for row in curve] == [3, 6, 9, 12]
    assert [row["units"] for row in curve] == [step * 3 * 6 for step in (3, 6, 9, 12)]
    assert curve[0]["learning_rate"] == settings.learning_rate
    assert losses[1] > losses[0] > 0
    assert math.isnan(losses[2])
    # a replay: each step's batch loss before its update, from the weights of a run that many steps long
    replayed = []
    for step in range(3):
        shadow = build_model(SHAPE, seed=SETTINGS.seed)
        _train_for(shadow, task, step)
        replayed.append(task.loss(shadow, task.batch(seed=3, step=step, size=3)).item())
    assert curve[0]["train_loss"] == pytest.approx(np.mean(replayed), rel=1e-6)
    assert result.val_loss == curve[-1]["val_loss"]
    assert result.units == 12 * 3 * 6
    assert result.status == "done"
    assert result.reason == ""


def _train_for(model: nn.Module, task: RandomWalk, steps: int) -> None:
    if not steps:
        return
    with pytest.raises(Killed):
        train(model, task, settings=SETTINGS, report=killer(steps))


def test_it_learns(untouched: tuple[nn.Module, TrainResult]) -> None:
    settings = TrainSettings(steps=150, batch_size=16, learning_rate=0.02, warmup_steps=5, seed=3)
    result = train(build_model(SHAPE, seed=3), RandomWalk(), settings=settings)
    assert result.loss < 1.6  # a guess is ln 17 = 2.83, knowledge ln 3 = 1.10


def test_evaluation_weighs_every_sample_alike() -> None:
    model, task = build_model(SHAPE), RandomWalk()
    inputs, targets = next(task.evaluation("test", num_samples=7, batch_size=7))
    each = [task.loss(model, (inputs[i : i + 1], targets[i : i + 1])).item() for i in range(7)]
    for batch_size in (1, 3, 7, 100):  # the last batch is a short one
        found = evaluate(model, task, split="test", num_samples=7, batch_size=batch_size)
        assert found == pytest.approx(np.mean(each), rel=1e-6)


def test_evaluation_leaves_the_model_as_it_was() -> None:
    class Dropping(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(17, 17)
            self.drop = nn.Dropout(0.5)

        def forward(self, ids: Tensor) -> Tensor:
            return self.drop(self.table(ids))

    model = Dropping().train()
    losses = {evaluate(model, RandomWalk(), split="test", num_samples=5, batch_size=5) for _ in range(3)}
    assert len(losses) == 1  # no dropout while it judges
    assert model.training
    evaluate(model.eval(), RandomWalk(), split="test", num_samples=5, batch_size=5)
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("step", "factor", "message"),
    [
        (0, math.nan, "loss nan at step 0 against nan at the start"),
        (5, math.nan, r"loss nan at step 5 against 2\.\d+ at the start"),
        (5, math.inf, r"loss inf at step 5 against 2\.\d+ at the start"),
        (7, 5.0, r"loss 1\d(\.\d+)? at step 7 against 2\.\d+ at the start"),
    ],
)
def test_divergence_is_a_status(step: int, factor: float, message: str) -> None:
    import re

    result = train(build_model(SHAPE, seed=3), Disturbed(step, factor), settings=SETTINGS)
    assert result.status == "diverged"
    assert math.isnan(result.loss)
    assert re.fullmatch(message, result.reason)
    assert result.units == step * 3 * 6
    assert len(result.curve) == step // 3
    assert math.isnan(result.val_loss) == (step < 3)


def test_a_hopeless_rate_diverges() -> None:
    settings = TrainSettings(steps=60, batch_size=3, learning_rate=1e6, clip=0.0, seed=3)
    result = train(build_model(SHAPE, seed=3), RandomWalk(), settings=settings)
    assert result.status == "diverged"
    assert 0 < result.units < 60 * 18


def test_weights_spoilt_by_the_last_step_are_noticed() -> None:
    """The loss before the last update is fine, the test after it is not."""
    model = build_model(SHAPE, seed=3)

    def spoil(state: TrainState) -> None:
        if state.step == SETTINGS.steps:
            with torch.no_grad():
                model.head.weight.fill_(math.nan)

    result = train(model, RandomWalk(), settings=SETTINGS, report=spoil)
    assert result.status == "diverged"
    assert result.reason.startswith("loss nan at step 12")


def test_a_diverged_run_diverges_again_after_a_stop(tmp_path: Path) -> None:
    results = []
    for folder, stop in ((None, None), (tmp_path, 4)):
        if stop:
            with pytest.raises(Killed):
                train(
                    build_model(SHAPE, seed=3),
                    Disturbed(7, 5.0),
                    settings=SETTINGS,
                    checkpoints=folder,
                    checkpoint_seconds=0,
                    report=killer(stop),
                )
        model = build_model(SHAPE, seed=3)
        results.append(train(model, Disturbed(7, 5.0), settings=SETTINGS, checkpoints=folder, checkpoint_seconds=0))
    assert results[0].reason == results[1].reason
    assert results[0].curve == results[1].curve


def test_checkpoints_wait_for_their_time(tmp_path: Path) -> None:
    model = build_model(SHAPE, seed=3)
    train(model, RandomWalk(), settings=SETTINGS, checkpoints=tmp_path, checkpoint_seconds=3600)
    assert list(tmp_path.iterdir()) == []


class Scripted(RandomWalk):
    """The same, but validations read from a list."""

    def __init__(self, losses: list[float]) -> None:
        self.losses = iter(losses)
        self.split = ""

    def evaluation(self, split: str, *, num_samples: int, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        self.split = split
        return super().evaluation(split, num_samples=batch_size, batch_size=batch_size)

    def loss(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        if torch.is_grad_enabled() or self.split == "test":
            return super().loss(model, batch)
        return torch.tensor(next(self.losses))


@pytest.mark.parametrize(
    ("patience", "losses", "validations"),
    [
        (0, [3, 4, 5, 6, 7, 8], 6),
        (1, [3, 4, 2, 1, 1, 1], 2),
        (1, [3, 3, 2, 1, 1, 1], 2),  # as low as before is not lower
        (2, [3, 2, 2.5, 2.25, 1, 1], 4),
        (2, [3, 4, 2, 3, 1, 2], 6),
        (5, [3, 4, 4, 4, 4, 4], 6),
    ],
)
def test_patience_ends_a_run_that_learns_no_more(patience: int, losses: list[float], validations: int) -> None:
    settings = SETTINGS.model_copy(update={"evaluations": 6, "patience": patience})
    result = train(build_model(SHAPE, seed=3), Scripted(losses), settings=settings)
    assert result.status == "done"
    assert [row["val_loss"] for row in result.curve] == losses[:validations]
    assert result.units == validations * 2 * 3 * 6
    assert result.val_loss == losses[validations - 1]


def test_a_run_that_has_ended_by_patience_does_not_go_on_after_a_stop(tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"evaluations": 6, "patience": 1})
    folder = tmp_path / "checkpoints"
    with pytest.raises(Killed):  # right after the validation that ends it
        train(
            build_model(SHAPE, seed=3),
            Scripted([3, 4]),
            settings=settings,
            checkpoints=folder,
            checkpoint_seconds=0,
            report=killer(4),
        )
    result = train(
        build_model(SHAPE, seed=3), Scripted([]), settings=settings, checkpoints=folder, checkpoint_seconds=0
    )
    assert result.units == 4 * 3 * 6


def test_the_lowest_validation_loss_is_kept_also_after_a_stop(tmp_path: Path) -> None:
    """Lowest at the second of six validations; the run is killed after the third."""
    settings = SETTINGS.model_copy(update={"evaluations": 6})
    folder = tmp_path / "checkpoints"
    with pytest.raises(Killed):
        train(
            build_model(SHAPE, seed=3),
            Scripted([5, 1, 4]),
            settings=settings,
            checkpoints=folder,
            checkpoint_seconds=0,
            report=killer(7),
        )
    late = Scripted([3, 2, 6])
    result = train(build_model(SHAPE, seed=3), late, settings=settings, checkpoints=folder, checkpoint_seconds=0)
    assert [row["val_loss"] for row in result.curve] == [5, 1, 4, 3, 2, 6]
    assert (result.min_val_loss, result.val_loss) == (1, 6)


def test_how_far_a_loss_may_rise_is_a_setting() -> None:
    for blow_up, status in ((3.0, "diverged"), (100.0, "done")):
        settings = SETTINGS.model_copy(update={"blow_up": blow_up})
        assert train(build_model(SHAPE, seed=3), Disturbed(7, 5.0), settings=settings).status == status
