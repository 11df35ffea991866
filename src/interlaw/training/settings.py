"""How a model is trained: every number that changes the result, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import Field, TypeAdapter, ValidationError

from interlaw.errors import InterlawError
from interlaw.training.rules import STANDARD, require_rule

Precision = Literal["float32", "tfloat32", "bfloat16"]
Moved = Literal["interaction", "trace"]
Intervention = Literal["none"] | Moved

# the ranges of settings, a recipe's too
Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]
Memory = Annotated[float, Field(ge=0, lt=1)]
BlowUp = Annotated[float, Field(gt=1)]


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """AdamW with linear warm-up, a schedule down to a fraction of the peak rate, and gradient clipping.

    Attributes:
        steps: Optimizer steps.
        batch_size: Samples (sequences) a step.
        learning_rate: Peak rate.
        warmup_steps: Steps of linear rise from 0.
        final_fraction: Rate at the end as a fraction of the peak, reached along a cosine.
        weight_decay: Decoupled decay of what `decays` names.
        beta1: Decay of AdamW's first moment.
        beta2: Decay of AdamW's second moment.
        clip: Largest global gradient norm; 0 turns clipping off.
        evaluations: Validations during the run, evenly spread, the last one at the end.
        evaluation_samples: Validation samples each time.
        test_samples: Test samples at the end.
        patience: Validations without a new lowest loss after which training stops; 0: it never stops early.
        blow_up: A batch loss above this many times the first one means that the run has diverged.
        parametrization: A key of `RULES`: how initial weights and AdamW's numbers follow width (`mup`) or width and
            depth (`completep`).
        base_width: Width at which `mup` and `completep` are the standard parametrization.
        base_depth: Depth at which `completep` is the standard parametrization.
        precision: Of matrix products: `bfloat16` under autocast in the forward pass; `tfloat32` on CUDA devices, whole
            float32 elsewhere; weights, gradients and optimizer stay in float32.
        intervention: What a term beside the loss is made of: `interaction`, or `trace` for control.
        strength: What that term is multiplied by; below 0 it raises what it is made of.
        decays: What decays: `matrices`, or `all`, vectors (norms, biases) included.
        keeps: Which weights are tested and measured: the `last` ones, or those of the `best` validation.
        seed: Seed of initial weights and batches.

    Raises:
        InterlawError: When a number is out of range.
    """

    steps: Count
    batch_size: Count
    learning_rate: NotNegative
    warmup_steps: Natural = 0
    final_fraction: Part = 0.1
    weight_decay: NotNegative = 0.01
    beta1: Memory = 0.9
    beta2: Memory = 0.95
    clip: NotNegative = 1.0
    evaluations: Count = 5
    evaluation_samples: Count = 64
    test_samples: Count = 512
    patience: Natural = 0
    blow_up: BlowUp = 2.0
    parametrization: str = STANDARD
    base_width: Count = 64
    base_depth: Count = 2
    precision: Precision = "float32"
    intervention: Intervention = "none"
    strength: float = 0.0
    decays: Literal["matrices", "all"] = "matrices"
    keeps: Literal["last", "best"] = "last"
    seed: Seed = 0

    def __post_init__(self) -> None:
        """Checks the ranges."""
        require_rule(self.parametrization)
        for name, kind in _kinds().items():
            try:
                kind.validate_python(getattr(self, name))
            except ValidationError as error:
                expected = error.errors()[0]["msg"].removeprefix("Input should ")
                remedy = f", or leave it out for {getattr(TrainSettings, name)}" if hasattr(TrainSettings, name) else ""
                raise InterlawError(
                    f"expected {name} to {expected}, found {getattr(self, name)}; give such a value{remedy}"
                ) from error
        if self.warmup_steps > self.steps:
            raise InterlawError(
                f"expected warmup_steps from 0 to steps ({self.steps}), found {self.warmup_steps}; shorten it"
            )
        if not math.isfinite(self.strength) or (self.intervention == "none") != (self.strength == 0):
            raise InterlawError(
                f"expected a finite strength, 0 without an intervention and not 0 with one, found {self.strength} with "
                f"{self.intervention}; set both or neither"
            )


@cache
def _kinds() -> dict[str, TypeAdapter[Any]]:
    """What checks each setting."""
    return {name: TypeAdapter(kind) for name, kind in get_type_hints(TrainSettings, include_extras=True).items()}
