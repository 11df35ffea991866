"""How many clusters fit at once: what one sample keeps for its derivative, against the memory that is free."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import torch
from torch import Tensor, nn

from interlaw.interaction.batches import Batch, batch_length, take
from interlaw.interaction.readout import output_tensor
from interlaw.interaction.site import Site, device_of, watch

SHARE_OF_FREE = 0.25
CACHED_BYTES = 2**25  # on a processor, activations beyond its caches are slower than small pieces are
LEAST_PIECE = 16
MOST_COLUMNS = 64
UNKNOWN_FREE_BYTES = 4 * 2**30


def clusters_at_once(model: nn.Module, batch: Batch, *, site: Site, limit_bytes: int | None = None) -> int:
    """The micro-batch size: a share of the free memory, or of a limit below it, over what one cluster needs.

    One cluster is run forward, and every tensor that autograd saves is counted, the output three times (itself, its
    gradient, and a probe), and twice the contribution (its columns and their product).
    """
    saved: dict[int, int] = {}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    seen: list[Tensor] = []
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        output = output_tensor(site.run(model, take(batch, 0, 1), watch(seen)))
    activations = sum(size for pointer, size in saved.items() if pointer not in weights)
    activations += 3 * output.numel() * output.element_size()
    h, device = seen[0], device_of(model)
    dim = h.shape[-1] if h.dim() == 3 else h.numel()
    contribution = 2 * h.element_size() * dim * min(dim, MOST_COLUMNS * h.numel() // dim)
    room = free_bytes(device) if limit_bytes is None else min(free_bytes(device), limit_bytes)
    fits = int(SHARE_OF_FREE * room / max(activations + contribution, 1))
    if device.type == "cpu":
        fits = min(fits, max(LEAST_PIECE, CACHED_BYTES // max(activations, 1)))
    return max(1, min(batch_length(batch), fits))


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken on a device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    with contextlib.suppress(OSError, StopIteration, ValueError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        available = next(line for line in lines if line.startswith("MemAvailable"))
        return int(available.split()[1]) * 1024
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    return UNKNOWN_FREE_BYTES
