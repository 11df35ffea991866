"""How trials are run: what changes neither their names nor, but for the last bits, their results."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from interlaw.errors import InterlawError
from interlaw.training import CHECKPOINT_SECONDS, usable_bytes

MOST_IN_FLIGHT = 32  # torch has so many streams a device, and then gives the first of them again


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Where and how a trial runs.

    Attributes:
        device: cpu, or a device of torch such as cuda.
        checkpoint_seconds: Least time between two checkpoints.
        memory_limit: Bytes that a trial may plan with, batches are cut to fit; its share of what is free when None.
        compiled: Train through `torch.compile`.
        in_flight: Most groups of trials that share the device in one process; one when None.

    Raises:
        InterlawError: A number is out of range.
    """

    device: str = "cpu"
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    memory_limit: int | None = None
    compiled: bool = False
    in_flight: int | None = None

    def __post_init__(self) -> None:
        """Checks the ranges."""
        if not self.checkpoint_seconds >= 0 or math.isinf(self.checkpoint_seconds):
            raise InterlawError(
                f"expected seconds between checkpoints of at least 0, found {self.checkpoint_seconds}; "
                f"choose {CHECKPOINT_SECONDS:g}, say"
            )
        if self.in_flight is not None and not 1 <= self.in_flight <= MOST_IN_FLIGHT:
            raise InterlawError(
                f"expected 1 to {MOST_IN_FLIGHT} groups in flight, found {self.in_flight}; choose 8, say"
            )
        if self.memory_limit is not None and self.memory_limit < 1:
            raise InterlawError(f"expected a memory limit of at least 1 byte, found {self.memory_limit}; raise it")

    def limit_bytes(self, num_trials: int = 1) -> int:
        """What one of the trials on the device may plan with: its share of what is free now where no limit is set."""
        return self.memory_limit or max(1, usable_bytes(self.device) // num_trials)

    def shared(self, num_trials: int) -> Conditions:
        """The same with that limit set."""
        return replace(self, memory_limit=self.limit_bytes(num_trials))
