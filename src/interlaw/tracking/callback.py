"""The interaction of a network beside the loss that transformers' Trainer logs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Unpack

from interlaw import models
from interlaw.errors import InterlawError, brought_by
from interlaw.interaction import CHEAPEST, MeasureOptions
from interlaw.subject import Subject, read_inputs, require_sizes
from interlaw.tracking.tracker import EVERY, Tracker, track

# Sequences of one measurement: few enough that it costs about as much as a few steps of training.
SAMPLES = 64


@cache
def _with_base(own: type) -> type:
    """The class as a callback of the library, which is imported only here."""
    with brought_by("hf", "InteractionCallback"):
        from transformers import TrainerCallback
    return type(own.__name__, (own, TrainerCallback), {"__module__": own.__module__, "__doc__": own.__doc__})


class InteractionCallback:
    """Logs interaction, its level by chance and its excess through transformers' Trainer, beside its loss.

    It measures before the first step and then every so many, on the process that logs. Training ends in the same bits
    as without it. TensorBoard and every other tracker of the Trainer show `loss_view/interaction`, `loss_view/null` and
    `loss_view/excess`. Weights that are spread over devices (FSDP, ZeRO-3) cannot be measured this way.

    Args:
        views: Which matrices are meant, one or several; see `interlaw.interaction.measure`.
        every: Optimizer steps between measurements.
        text: What the network reads: a text file or a folder of them, in the tokens of the Trainer's processing_class.
        inputs: Or what it reads as a tensor, or an iterable of batches.
        samples: Of a text, at most so many sequences.
        context: Of a text, tokens a sequence.
        **options: Options of `interlaw.interaction.measure`, such as layer= and probes=; seed= also chooses which
            sequences of a text are read.

    Attributes:
        tracker: What was measured, as a table and a chart; None before training.

    Raises:
        InterlawError: Not exactly one of `text` and `inputs` was given.
        MissingExtraError: transformers is not installed.

    Example:
        >>> import torch
        >>> callback = InteractionCallback(views=("loss",), every=100, inputs=torch.zeros(8, 9, dtype=torch.long))
        >>> callback.tracker is None  # it goes into Trainer(..., callbacks=[callback])
        True
    """

    def __new__(cls, *_: Any, **__: Any) -> InteractionCallback:
        """Adds the library's class as a base, so that the Trainer finds all that it calls."""
        own: Any = cls
        made: InteractionCallback = object.__new__(_with_base(own))
        return made

    def __init__(
        self,
        *,
        views: str | Sequence[str] = CHEAPEST,
        every: int = EVERY,
        text: str | Path | None = None,
        inputs: object = None,
        samples: int = SAMPLES,
        context: int | None = None,
        **options: Unpack[MeasureOptions],
    ) -> None:
        if (text is None) == (inputs is None):
            raise InterlawError(f"expected text= or inputs=, found {'both' if text else 'neither'}; give one of them")
        require_sizes(samples, context)
        self._views = (views,) if isinstance(views, str) else tuple(views)
        self._every, self._text, self._inputs = every, text, inputs
        self._samples, self._context = samples, context
        self._options: MeasureOptions = options
        self._trainer: Any = None
        self.tracker: Tracker | None = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **beside: Any) -> None:
        """Reads the text, and measures before the first step."""
        if not state.is_world_process_zero:
            return
        self._trainer = _trainer_of(self)
        if self.tracker is None:
            self.tracker = self._new_tracker(beside["model"], beside.get("processing_class"))
        self._measure(state.global_step, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **beside: Any) -> None:
        """Measures where the step is due."""
        self._measure(state.global_step, control)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **beside: Any) -> None:
        """Keeps the Trainer's loss for the table."""
        if self.tracker is not None and "loss" in (logs or {}):
            self.tracker.keep_loss(state.global_step, float(logs["loss"]))

    def on_train_end(self, args: Any, state: Any, control: Any, **beside: Any) -> None:
        """Lets go of the Trainer."""
        self._trainer = None

    def _measure(self, step: int, control: Any) -> None:
        if self.tracker is None or self._trainer is None:
            return
        figures = {
            f"{point.view}_view/{name}": getattr(point, name)
            for point in self.tracker(step)
            if not point.reason
            for name in ("interaction", "null", "excess")
        }
        if figures:
            logs_next = control.should_log
            self._trainer.log(figures)
            control.should_log = logs_next  # logging resets it, and the Trainer's own loss would be left out

    def _new_tracker(self, model: Any, tokenizer: Any) -> Tracker:
        if self._text is None:
            return track(model, self._inputs, views=self._views, every=self._every, **self._options)
        subject = Subject(model=model, pretrained=models.pretrained_of(model, tokenizer))
        seed = self._options.get("seed", 0)
        given = {
            view: read_inputs(subject, view=view, text=self._text, most=self._samples, context=self._context, seed=seed)
            for view in self._views
        }
        return Tracker(model, given, every=self._every, options=self._options)


def _trainer_of(callback: InteractionCallback) -> Any:
    """The Trainer that calls, which the library does not hand over: only its `log` reaches every tracker."""
    from transformers import Trainer

    frame = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, Trainer) and callback in caller.callback_handler.callbacks:
            return caller
        frame = frame.f_back  # type: ignore[assignment]
    raise InterlawError("expected a transformers.Trainer that calls InteractionCallback, found none; use il.track")
