"""Time and peak extra memory of one measurement, in a process of its own."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from interlaw.interaction import agop, measure
from interlaw.models import GPT
from interlaw.shapes import GPTShape

SAMPLES = 512  # as in docs/benchmarks.md
INPUTS, HIDDEN = 64, 256  # of the network: its matrix is small, what differentiates it is not
QUICK_TIMES = 20  # of a network of one output, which takes milliseconds


def mlp(num_outputs: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(INPUTS, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, num_outputs)
    )


def vectors() -> Tensor:
    return torch.randn(SAMPLES, INPUTS, generator=torch.Generator().manual_seed(0))


def ours(num_outputs: int) -> None:
    measure(mlp(num_outputs), vectors(), view="input")


def ours_exact(num_outputs: int) -> None:
    measure(mlp(num_outputs), vectors(), view="input", probes="exact")


def our_matrix(num_outputs: int) -> None:
    agop(mlp(num_outputs), vectors())


def vmap_jacrev(num_outputs: int) -> None:
    model, x = mlp(num_outputs), vectors()
    J = torch.func.vmap(torch.func.jacrev(model))(x).detach()
    torch.einsum("nci,ncj->ij", J, J) / len(x)


def token_view(context: int) -> None:
    model = GPT(GPTShape(depth=4, width=64, context=context, vocab_size=256, head_dim=16))
    measure(model, torch.randint(0, 256, (SAMPLES, context)), view="token")


WORK: dict[str, Callable[[int], None]] = {
    "ours": ours,
    "ours, exact": ours_exact,
    "ours, matrix": our_matrix,
    "vmap(jacrev)": vmap_jacrev,
    "token": token_view,
}


def peak(name: str, size: int, *, timed: bool = True) -> tuple[float, float]:
    """Mean processor seconds of later runs (0 when not timed) and peak extra MB of a first one, in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measured, (name, size), {"timed": timed})


def _measured(name: str, size: int, *, timed: bool) -> tuple[float, float]:
    torch.set_num_threads(1)
    # Libraries load their own memory on first use; that is not the work's.
    warm = nn.Linear(8, 8)
    measure(warm, torch.randn(8, 8))
    torch.func.vmap(torch.func.jacrev(warm))(torch.randn(8, 8))
    # The kernel forgets the peak so far; the one of getrusage would be the parent's, which a child takes over.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    WORK[name](size)
    extra = (_status("VmHWM") - before) / 1024
    if not timed:
        return 0.0, extra
    repeats = QUICK_TIMES if size == 1 else 1
    start = time.process_time()
    for _ in range(repeats):
        WORK[name](size)
    return (time.process_time() - start) / repeats, extra


def _status(name: str) -> int:
    """A number of kB from /proc/self/status."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])
