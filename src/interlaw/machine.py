"""What this process may use of the machine it runs on; no torch."""

from __future__ import annotations

import os


def num_cores() -> int:
    """Cores that this process may run on: fewer than the machine's under taskset, Slurm or a container's cpuset."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1
