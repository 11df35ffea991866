"""What this process may use of the machine it runs on; torch is loaded for its devices alone."""

from __future__ import annotations

import os

import psutil

from interlaw.errors import InterlawError, one_line


def num_cores() -> int:
    """Cores that this process may run on: fewer than the machine's under taskset, Slurm or a container's cpuset."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def total_bytes() -> int:
    """Memory of the machine."""
    return int(psutil.virtual_memory().total)


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that nobody has waited for does not."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def default_device() -> str:
    """Where there is one, a CUDA device."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def require_device(device: str) -> None:
    """Refuses a device that torch cannot use."""
    import torch

    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InterlawError(
            f"expected a device that torch can use, found {device!r}: {one_line(error)}; choose cpu"
        ) from error


def free_bytes(device: str = "cpu") -> int:
    """Memory that is free now, on a CUDA device or on the machine itself."""
    if not device.startswith("cuda"):
        return int(psutil.virtual_memory().available)
    import torch

    return int(torch.cuda.mem_get_info(device)[0])
