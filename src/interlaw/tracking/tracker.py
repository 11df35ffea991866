"""The interaction of a network every so many steps of its training, for a training loop that the user wrote."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Unpack

import numpy as np
import torch
from torch import Tensor, nn

from interlaw.charted import Charted
from interlaw.errors import InterlawError
from interlaw.interaction import CHEAPEST, MeasureOptions, measure, options_from
from interlaw.subject import Given, Subject

if TYPE_CHECKING:
    import pandas as pd

# Steps between measurements: at 500 a measurement of a second costs little of a training of minutes.
EVERY = 500
LINES = 10  # of the table, in print: with the heading and two sentences no result prints more than 15
NAN = math.nan


@dataclass(frozen=True, kw_only=True)
class TrackedPoint:
    """One measurement during training.

    Attributes:
        step: Optimizer steps done before it.
        view: Which matrix was meant.
        interaction: The AOFE-ratio; NaN where it could not be measured.
        low: Lower end of its interval.
        high: Upper end.
        null: The AOFE-ratio by chance.
        excess: interaction - null.
        excess_low: Lower end of its interval.
        excess_high: Upper end.
        reason: Why it could not be measured; empty where it was.
    """

    step: int
    view: str
    interaction: float = NAN
    low: float = NAN
    high: float = NAN
    null: float = NAN
    excess: float = NAN
    excess_low: float = NAN
    excess_high: float = NAN
    reason: str = ""


class Tracker(Charted):
    """Measures when a step is due, and keeps what it measured; made by `track`.

    Attributes:
        points: What was measured, in the order of steps.
        losses: The training loss by step, where it is known.
    """

    def __init__(
        self, model: nn.Module, given: Mapping[str, Given], *, every: int, options: MeasureOptions | None = None
    ) -> None:
        """Use `track`; here each view has inputs of its own, and the options hold for every view.

        Raises:
            InterlawError: There is no view, no such view or option, or `every` is no positive whole number.
        """
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise InterlawError(
                f"expected every as a positive whole number of steps, found {every!r}; give {EVERY}, say"
            )
        if not given:
            raise InterlawError('expected at least one view, found none; give views=("loss",), say')
        self._options: MeasureOptions = options or {}
        for view, own in given.items():
            options_from({**self._options, "view": view, "groups": own.groups})
        self._model, self._given, self._every = model, given, every
        self.points: list[TrackedPoint] = []
        self.losses: dict[int, float] = {}

    def __call__(self, step: int, *, loss: float | Tensor | None = None) -> tuple[TrackedPoint, ...]:
        """Measures every view where the step is due, as training finds the network at this step.

        Args:
            step: Optimizer steps done.
            loss: The training loss, which stands beside the measurement; read only where the step is due.

        Returns:
            One point a view; none where the step is not due, or was measured already.

        Raises:
            InterlawError: The first measurement is not possible. A later one that fails is a point with its reason, so
                that no training ends by it.
        """
        if step % self._every or any(point.step == step for point in self.points):
            return ()
        if loss is not None:
            self.keep_loss(step, loss.item() if isinstance(loss, Tensor) else loss)
        first = not self.points
        with undisturbed(self._model):
            points = tuple(self._point(step, view, may_fail=not first) for view in self._given)
        self.points += points
        return points

    def keep_loss(self, step: int, loss: float) -> None:
        """Keeps a training loss for the table and the chart."""
        self.losses[step] = loss

    def _point(self, step: int, view: str, *, may_fail: bool) -> TrackedPoint:
        own = self._given[view]
        how: MeasureOptions = {**self._options, "view": view, "groups": own.groups}
        try:
            result = measure(self._model, own.inputs, **how)
        except (InterlawError, RuntimeError) as error:  # torch's own errors, such as those of memory, are RuntimeErrors
            if not may_fail:
                raise
            return TrackedPoint(step=step, view=view, reason=f"{type(error).__name__}: {error}")
        ratio, excess = result.aofe_ratio, result.excess
        return TrackedPoint(
            step=step,
            view=result.view,
            interaction=ratio.value,
            low=ratio.low,
            high=ratio.high,
            null=result.null.value,
            excess=excess.value,
            excess_low=excess.low,
            excess_high=excess.high,
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a step and view: interaction, null and excess with their intervals, and the loss where it is known.

        Returns:
            Columns as the fields of `TrackedPoint`, and `loss`.
        """
        import pandas as pd

        columns = list(TrackedPoint.__dataclass_fields__)
        frame = pd.DataFrame([asdict(point) for point in self.points], columns=columns)
        return frame.assign(loss=[self.losses.get(point.step, NAN) for point in self.points])

    def _shown(self) -> pd.DataFrame:
        """The last rows, without columns that say nothing; the excess, which is judged by, has the interval."""
        frame = self.to_frame().drop(columns=["low", "high"])
        empty = [name for name in ("reason", "loss") if not (frame[name].astype(bool) & frame[name].notna()).any()]
        return frame.drop(columns=empty).tail(LINES)

    def __repr__(self) -> str:
        said = f"{len(self.points)} measurements, one every {self._every} steps"
        if not self.points:
            return said
        hidden = f", the last {LINES}" if len(self.points) > LINES else ""
        return f"{said}{hidden}\n{self._shown().to_string(index=False, float_format='{:.4g}'.format)}"

    def _repr_html_(self) -> str:
        return self._shown().to_html(index=False, float_format="{:.4g}".format)


def track(
    model: nn.Module,
    inputs: object,
    *,
    views: str | Sequence[str] | None = None,
    every: int = EVERY,
    **options: Unpack[MeasureOptions],
) -> Tracker:
    """Measures a network every so many steps of its training, which ends in the same bits as without.

    Modes of modules and states of random numbers are as before after each measurement.

    Args:
        model: The network that is trained.
        inputs: What it reads at each measurement: a tensor, or an iterable of batches, which is read once and kept. The
            "loss" view needs one token more a sequence, or labels.
        views: Which matrices are meant, one or several; see `interlaw.interaction.measure`. When None, "loss" for a
            network that reads tokens, "input" for any other.
        every: Steps between measurements.
        **options: Options of `interlaw.interaction.measure` for every view, such as layer=, probes= and seed=.

    Returns:
        Call it with the number of steps done, and the loss where it should stand beside; it keeps a table.

    Raises:
        InterlawError: There is no such view or option, or `every` is no positive whole number.

    Example:
        >>> import torch
        >>> model, x = nn.Linear(3, 2), torch.randn(8, 3)
        >>> optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        >>> tracker = track(model, x, views=("input",), every=2)
        >>> for step in range(5):
        ...     loss = model(x).square().mean()
        ...     points = tracker(step, loss=loss)
        ...     loss.backward()
        ...     optimizer.step()
        ...     optimizer.zero_grad()
        >>> tracker.to_frame()["step"].tolist()
        [0, 2, 4]
    """
    kept = inputs
    if isinstance(inputs, Iterable) and not isinstance(inputs, Tensor | Mapping | str):
        with undisturbed(model):  # a loader may shuffle
            kept = list(inputs)
    if views is None:
        views = _default_view(model, kept)
    chosen = (views,) if isinstance(views, str) else views
    given = Given(inputs=kept, groups=options.pop("groups", None))
    return Tracker(model, dict.fromkeys(chosen, given), every=every, options=options)


def _default_view(model: nn.Module, inputs: object) -> str:
    """That of a named model; whole numbers are tokens, whatever the network says of itself."""
    first = next(iter(inputs), None) if isinstance(inputs, list) else inputs
    if isinstance(first, Tensor) and not first.is_floating_point():
        return CHEAPEST
    return Subject(model=model).default_view


@contextmanager
def undisturbed(model: nn.Module) -> Iterator[None]:
    """The network in eval mode inside; afterwards each module's mode and every random state is as it was.

    Random states are those of Python, of NumPy's global generator, of torch on the CPU and on each CUDA device.

    Example:
        >>> model = nn.Dropout(0.5)
        >>> before = torch.get_rng_state()
        >>> with undisturbed(model):
        ...     model.training, torch.rand(3).shape
        (False, torch.Size([3]))
        >>> model.training, torch.equal(before, torch.get_rng_state())
        (True, True)
    """
    modes = [(module, module.training) for module in model.modules()]
    of_python, of_numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()  # type: ignore[no-untyped-call]
    model.eval()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        for module, training in modes:
            module.training = training
        random.setstate(of_python)
        np.random.set_state(of_numpy)
