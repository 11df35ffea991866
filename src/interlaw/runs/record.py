"""What a trial left behind: its figures, or how it failed; and what produced them: versions, device, threads."""

from __future__ import annotations

import platform
import reprlib
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import ConfigDict, Field, field_validator

from interlaw.plain import Json
from interlaw.runs.document import Document

if TYPE_CHECKING:
    import torch

COUNTS = 2**63  # beyond every count, within every float


class Record(Document):
    """The content of record.json; the file appears when the trial has ended, well or badly.

    Attributes:
        schema_version: Version of this document.
        key: The trial's name.
        status: `done`; `diverged` (the loss stayed high); `failed` (an error, see `reason` and `traceback`).
        shape: The shape with its counts.
        loss: Test loss, nats per unit; None unless done.
        val_loss: Last validation loss; None when there was none.
        min_val_loss: Lowest validation loss; None when there was none, and in records of older versions.
        figures: Further figures of the task, e.g. bits_per_byte; None for one that is not a finite number.
        units: Tokens (or samples) trained on.
        train_flops: Training FLOPs spent: units x flops_per_token.
        seconds: Training time over all attempts, evaluation included.
        evaluation_seconds: The part of it that went into evaluation.
        measure_seconds: Time of the measurements.
        measurements: View name to a measurement's dictionary.
        unmeasured: View name to why it could not be measured, one line; the loss stands all the same.
        provenance: Versions, device, threads, times.
        reason: What went wrong, one line.
        traceback: Where it went wrong.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    what: ClassVar[str] = "a trial's record"
    remedy: ClassVar[str] = "delete the file to run the trial again"

    schema_version: Literal[1] = 1
    key: str
    status: Literal["done", "diverged", "failed"]
    shape: Json
    loss: float | None = None
    val_loss: float | None = None
    min_val_loss: float | None = None
    figures: dict[str, float | None] = Field(default_factory=dict)
    units: int = Field(default=0, ge=0, lt=COUNTS)
    train_flops: float = 0.0
    seconds: float = 0.0
    evaluation_seconds: float = 0.0
    measure_seconds: float = 0.0
    measurements: dict[str, Json] = Field(default_factory=dict)
    unmeasured: dict[str, str] = Field(default_factory=dict)
    provenance: Json = Field(default_factory=dict)
    reason: str = ""
    traceback: str = ""

    @field_validator("shape")
    @classmethod
    def _plain(cls, shape: Json) -> Json:
        """Counts are numbers: a table sorts by them and divides."""
        for name, value in shape.items():
            is_count = isinstance(value, float | None) or (isinstance(value, int) and abs(value) < COUNTS)
            if name != "family" and not is_count:
                raise ValueError(f"expected a number for {name}, found {reprlib.repr(str(value))}")
        return shape


def provenance(device: torch.device | str = "cpu") -> Json:
    """Versions and machine, as plain values for a record."""
    import torch  # what only reads records does without

    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else _cpu_name()
    return {
        "interlaw": version("interlaw"),
        "torch": torch.__version__,
        "numpy": version("numpy"),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": str(device),
        "device_name": name,
        "threads": torch.get_num_threads(),
    }


def _cpu_name() -> str:
    """The processor's model name where the system has it."""
    with suppress(OSError), Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
