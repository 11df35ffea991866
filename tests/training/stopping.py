"""A training run that ends at a step, as a killed one does."""

from __future__ import annotations

from collections.abc import Callable

from interlaw.training import TrainState


class Killed(Exception):
    """The run was ended."""


def killer(step: int) -> Callable[[TrainState], None]:
    """A report that ends the run after so many steps."""

    def report(state: TrainState) -> None:
        if state.step == step:
            raise Killed

    return report
