"""What a recipe cannot do, refused before anything is written or run rather than trial by trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from interlaw.errors import InterlawError
from interlaw.interaction import VIEWS
from interlaw.models import build_model
from interlaw.runs import TrialSpec
from interlaw.tasks import TASKS
from interlaw.training import footprint, parameter_factors, require_room, scale_initial_weights


def require_measurable(views: Sequence[str], *, sizes: Mapping[str, int], kind: str) -> None:
    """Refuses views of the loss of a next token where the data have no tokens, which come with a `vocab_size`."""
    needing = [view for view in views if VIEWS[view].with_targets]
    if needing and "vocab_size" not in sizes:
        raise InterlawError(
            f"expected views without next tokens for a task of {kind}, found {needing[0]!r} in measure.views; name "
            f"others, such as views = ['{TASKS[kind].part.view}']"
        )


def require_treatable(trials: Sequence[TrialSpec], *, sizes: Mapping[str, object]) -> None:
    """Refuses treatments whose rules do not fit the network: no rules, a tied head, a fixed d_ff.

    Whether they do depends on the architecture alone, so that one shape of each treatment is made, on the meta device.
    The sizes are the recipe's part `shape`.
    """
    scaled = {trial.treatment: trial for trial in reversed(trials) if trial.training.parametrization != "standard"}
    for treatment, trial in scaled.items():
        require_scaled_sizes(sizes, treatment=treatment)
        try:
            parameter_factors(build_model(trial.make_shape(), device="meta"), trial.training)
        except InterlawError as error:
            raise InterlawError(f"treatment {treatment} with {trial.family}: {error}") from error


def require_scaled_sizes(sizes: Mapping[str, object], *, treatment: str) -> None:
    """Refuses a d_ff that stays while the width grows: the rules take every fan-in to grow with the width."""
    if "d_ff" in sizes:
        raise InterlawError(
            f"expected d_ff in proportion to the width under {treatment}, found d_ff = {sizes['d_ff']} for all; remove "
            "it, set d_ff_ratio where the family has one, or use treatment = 'fixed' or 'search'"
        )


def require_smallest_fits(trials: Sequence[TrialSpec], *, limit_bytes: int) -> None:
    """Refuses a memory limit under which not even the smallest shape can train, one sample at a time.

    Raises:
        InterlawError: It does not fit.
    """
    smallest = min(trials, key=lambda trial: trial.make_shape().params)
    shape = smallest.make_shape()
    try:
        require_room(params=shape.params, limit_bytes=limit_bytes)
        model = build_model(shape, seed=smallest.training.seed)
        scale_initial_weights(model, smallest.training)
        needed = footprint(model, smallest.task.open(), settings=smallest.training)
        needed.micro_batch(batch_size=1, limit_bytes=limit_bytes)
    except InterlawError as error:
        raise InterlawError(f"the smallest shape, {shape.depth}x{shape.width}, does not fit: {error}") from error
