"""The training loop, of one network or of several together; stopped at any moment, it resumes to the same bits.

What takes the steps is one network by itself (`alone.py`) or several in a stack (`replicas.py`). On a device nothing is
read but at intervals, and the step is a CUDA graph where it can be; there some kernels add in any order, and a run that
resumes differs in its last bits as two runs do.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch import Tensor, distributed, nn

from interlaw.tasks import Task
from interlaw.training.checkpoint import is_divided
from interlaw.training.graph import Batch, fate, stepper
from interlaw.training.precision import products_in
from interlaw.training.readback import Readback
from interlaw.training.replica import Replica
from interlaw.training.settings import TrainSettings


class Steps(Protocol):
    """What takes the steps of the members, all of which stand at one step."""

    def prepare(self, taken: int) -> Batch:
        """The batch of a step, counted from 0; the rates are set for it."""

    def step(self, batch: Batch) -> Tensor:
        """One optimizer step of each; the losses of its batch before it."""

    def validate(self) -> list[float]:
        """The validation loss of each."""

    def test(self) -> list[float]:
        """The test loss of each; then the models hold the weights that were tested."""

    def settle(self) -> None:
        """Puts weights and moments into the models and optimizers of the members."""


class Loop:
    """Members under way.

    Args:
        members: They stand at one step; their settings differ in seed and rate alone.
        start: What takes the steps of these members.
        task: Data and loss.
    """

    def __init__(self, members: Sequence[Replica], start: Callable[[Sequence[Replica]], Steps], *, task: Task) -> None:
        self._members, self._start, self._task = list(members), start, task
        self._settings, self._first = members[0].settings, next(members[0].model.parameters())
        self._losses = Readback(self._first, networks=len(members))
        self._begin()

    def _begin(self) -> None:
        self._steps = self._start(self._members)
        self._step = stepper(self._steps.step, self._first)

    def run(self, checkpoint_seconds: float) -> None:
        """Trains until every member has its result."""
        saved = self._clock = time.monotonic()
        with products_in(self._settings.precision):
            self._finish()
            while self._members:
                taken = self._members[0].state.step + len(self._losses)
                self._losses.add(self._step(self._steps.prepare(taken)))
                is_judged = is_evaluation(taken + 1, self._settings)
                if not self._losses.is_due and not is_judged:
                    continue
                self._take(self._losses.read())
                if not self._members:
                    return
                if is_judged:
                    self._evaluate()
                if taken + 1 < self._settings.steps and _is_due(self._first, saved, seconds=checkpoint_seconds):
                    self._steps.settle()
                    for one in self._members:
                        one.save()
                    saved = time.monotonic()
                for one in self._members:
                    if one.report:
                        one.report(one.state)
                if is_judged:
                    self._finish()

    def _take(self, rows: Sequence[Sequence[float]]) -> None:
        """Takes the losses of each step into the states; members that diverged leave."""
        self._count_time()
        gone: list[Replica] = []
        for losses in rows:
            for one, loss in zip(self._members, losses, strict=True):
                if one not in gone and not one.take(loss):
                    one.end(loss, self._task, is_done=False, graph=fate(self._step))
                    gone.append(one)
        self._leave(gone)

    def _evaluate(self) -> None:
        """Adds a row to every curve."""
        self._count_time()
        for one, loss in zip(self._members, self._steps.validate(), strict=True):
            one.add_row(self._task, val_loss=loss)
        self._count_time(is_evaluation=True)

    def _finish(self) -> None:
        """Members whose steps or patience are over leave with their test loss."""
        over = [one for one in self._members if one.is_over]
        if over:
            self._count_time()
            losses = self._steps.test()
            self._count_time(is_evaluation=True)
            for one, loss in zip(self._members, losses, strict=True):
                if one in over:
                    one.end(loss, self._task, is_done=math.isfinite(loss), graph=fate(self._step))
            self._leave(over)

    def _leave(self, members: Sequence[Replica]) -> None:
        """The others go on without these."""
        if members:
            self._members = [one for one in self._members if one not in members]
            if self._members:
                self._steps.settle()
                self._begin()

    def _count_time(self, *, is_evaluation: bool = False) -> None:
        """Adds the time since it was last counted; members that train together share it."""
        now = time.monotonic()
        for one in self._members:
            one.state.seconds += (now - self._clock) / len(self._members)
            one.state.evaluation_seconds += is_evaluation * (now - self._clock) / len(self._members)
        self._clock = now


def is_evaluation(step: int, settings: TrainSettings) -> bool:
    """True at `evaluations` evenly spread steps, the last step among them."""
    return step * settings.evaluations // settings.steps > (step - 1) * settings.evaluations // settings.steps


def _is_due(first: nn.Parameter, saved: float, *, seconds: float) -> bool:
    """Whether to save again; processes that divide a model among them do so together, by the first one's clock."""
    due = time.monotonic() - saved >= seconds
    if not is_divided(first):
        return due
    agreed = torch.tensor(float(due), device=first.device)
    distributed.broadcast(agreed, src=0)
    return bool(agreed)
