"""The weights of the lowest validation loss, also after a stop."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.training.stopping import Killed, killer
from tests.training.test_early_stop import Scripted
from torch import nn

from interlaw.training import TrainSettings, train

LOSSES = [5.0, 4.0, 3.0, 3.5, 3.0, 4.0]


def run(keeps: Any, *, checkpoints: Path | None = None, stop: int = 0) -> tuple[float, float]:
    """The weight at the end and the validation loss of it; the loss is flat, so decay alone moves the weight."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    settings = TrainSettings(
        steps=6,
        batch_size=1,
        learning_rate=0.1,
        final_fraction=1.0,
        weight_decay=0.5,
        evaluations=6,
        keeps=keeps,
    )
    restored = stop if checkpoints and checkpoints.exists() else 0
    task = Scripted(training=[1.0], validation=LOSSES[restored:])
    report = killer(stop) if stop and not restored else None
    result = train(model, task, settings=settings, checkpoints=checkpoints, checkpoint_seconds=0, report=report)
    return model.weight.item(), result.val_loss


@pytest.mark.parametrize(("keeps", "step", "loss"), [("last", 6, 4.0), ("best", 3, 3.0)])
def test_the_first_of_the_lowest_is_kept(keeps: str, step: int, loss: float) -> None:
    weight, val_loss = run(keeps)
    assert weight == pytest.approx(0.95**step, rel=1e-5)
    assert val_loss == loss


def test_a_stopped_run_ends_with_the_same_weights(tmp_path: Path) -> None:
    """Stopped after the best validation: the copy comes out of the checkpoint."""
    with pytest.raises(Killed):
        run("best", checkpoints=tmp_path / "c", stop=4)
    assert run("best", checkpoints=tmp_path / "c", stop=4) == run("best")
