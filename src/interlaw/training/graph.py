"""One step of training as a CUDA graph: launched whole, so that the device never waits for Python.

A step is a function of a batch that works on tensors alone: what changes from step to step (rates, AdamW's corrections)
lies in tensors that are set before it, and every batch is copied into the same memory. Its first runs are steps of the
training like any other, on the stream that captures, as a capture asks (kernels are chosen and compiled, workspaces are
made). Then it is captured once, and replayed. The bits are those of the step run by itself.

Source: torch.cuda.graphs, "whole-network capture"; for AdamW `capturable=True` with rates in tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor

from interlaw.errors import one_line
from interlaw.training.checkpoint import is_divided

Batch = tuple[Tensor, ...]
Step = Callable[[Batch], Tensor]

WARM_UP = 3  # runs before a capture, as in the documentation of torch.cuda.graphs
CAPTURED = "captured"


def is_capturable(parameter: Tensor) -> bool:
    """Whether steps on a weight may be captured: on CUDA devices, where no other process must meet in each step."""
    return parameter.device.type == "cuda" and not is_divided(parameter)


def stepper(step: Step, parameter: Tensor) -> Step | Captured:
    """The step as it is run where its weights lie."""
    return Captured(step, parameter.device) if is_capturable(parameter) else step


def fate(step: Step | Captured) -> str:
    """`captured`, why not where the device could not, or nothing on other devices."""
    return step.fate if isinstance(step, Captured) else ""


class Captured:
    """A step that is captured after its first runs; where that fails it runs as it is.

    Args:
        step: Gives the losses of a batch before its step; all batches have one shape.
        device: Where it runs.

    Attributes:
        fate: `captured`, or why it was not; empty before that is known.
    """

    def __init__(self, step: Step, device: torch.device) -> None:
        self.fate = ""
        self._step, self._runs, self._stream = step, 0, stream_of_graph(device)
        self._inputs: Batch = ()
        self._replay: Callable[[], None] = lambda: None
        self._losses = torch.empty(0)

    def __call__(self, batch: Batch) -> Tensor:
        """Takes the step; the losses are a tensor of their own."""
        if not self._inputs:
            self._inputs = tuple(torch.empty_like(tensor) for tensor in batch)
        for kept, new in zip(self._inputs, batch, strict=True):
            kept.copy_(new)
        if not self.fate and self._runs == WARM_UP:
            self._capture()
        self._runs += 1
        if not self.fate:
            return run_aside(lambda: self._step(self._inputs), self._stream)
        if self.fate != CAPTURED:
            return self._step(self._inputs)
        self._replay()
        return self._losses.clone()

    def _capture(self) -> None:
        """Captures the step, which does not run it."""
        try:
            self._replay, self._losses = record(lambda: self._step(self._inputs), self._stream)
            self.fate = CAPTURED
        except RuntimeError as error:  # an operation that waits for the host, or memory that does not suffice
            self.fate = f"no CUDA graph of the step ({one_line(error)}); it runs as it is"
            # a failed capture leaves the device's generator as if within it (torch 2.11); one that succeeds does not
            with suppress(RuntimeError):  # a device in such a state fails in the step itself
                record(lambda: torch.zeros(1, device=self._inputs[0].device), self._stream)


def stream_of_graph(device: torch.device) -> torch.cuda.Stream:
    """A stream that no other living graph was captured on: the current one, or a new one beside the device's default.

    torch would capture all graphs on one stream. There they share a cuBLAS workspace, which the end of any of them
    frees (github.com/pytorch/pytorch/issues/193402), and into which those that are replayed at a time all write. The
    default stream cannot be captured; trainings in flight have a current stream each.
    """
    current = torch.cuda.current_stream(device)
    is_default = current == torch.cuda.default_stream(device)
    return torch.cuda.Stream(device) if is_default else current  # type: ignore[no-untyped-call]


def run_aside(work: Callable[[], Tensor], stream: torch.cuda.Stream) -> Tensor:
    """Runs work on a stream, in its turn."""
    current = torch.cuda.current_stream(stream.device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        losses = work()
    current.wait_stream(stream)
    return losses


def record(work: Callable[[], Tensor], stream: torch.cuda.Stream) -> tuple[Callable[[], None], Tensor]:
    """Captures work: what replays it, and the tensor that each replay writes."""
    graph, before = torch.cuda.CUDAGraph(), torch.cuda.current_stream(stream.device)
    # other threads may wait for work of their own meanwhile
    try:
        with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
            losses = work()
    except RuntimeError:
        torch.cuda.set_stream(before)  # torch stays on the other one (2.13)
        raise
    return graph.replay, losses
