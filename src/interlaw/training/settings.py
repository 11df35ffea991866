"""How a model is trained: every number that changes the result, and nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from interlaw.errors import InterlawError
from interlaw.training.rules import STANDARD, require_rule

Precision = Literal["float32", "tfloat32", "bfloat16"]
Intervention = Literal["none", "interaction", "trace"]


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
        blow_up: A batch loss above this many times the first one means that the run has left for good.
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

    steps: int
    batch_size: int
    learning_rate: float
    warmup_steps: int = 0
    final_fraction: float = 0.1
    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.95
    clip: float = 1.0
    evaluations: int = 5
    evaluation_samples: int = 64
    test_samples: int = 512
    patience: int = 0
    blow_up: float = 2.0
    parametrization: str = STANDARD
    base_width: int = 64
    base_depth: int = 2
    precision: Precision = "float32"
    intervention: Intervention = "none"
    strength: float = 0.0
    decays: Literal["matrices", "all"] = "matrices"
    keeps: Literal["last", "best"] = "last"
    seed: int = 0

    def __post_init__(self) -> None:
        """Checks the ranges."""
        require_rule(self.parametrization)
        for name in (
            "steps",
            "batch_size",
            "evaluations",
            "evaluation_samples",
            "test_samples",
            "base_width",
            "base_depth",
        ):
            if getattr(self, name) < 1:
                raise InterlawError(
                    f"expected {name} to be at least 1, found {getattr(self, name)}; choose a positive one"
                )
        for name in ("learning_rate", "weight_decay", "clip"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InterlawError(
                    f"expected {name} to be finite and not negative, found {getattr(self, name)}; correct it"
                )
        if self.patience < 0:
            raise InterlawError(f"expected patience of at least 0, found {self.patience}; 0 turns it off")
        if not self.blow_up > 1:
            raise InterlawError(f"expected blow_up above 1, found {self.blow_up}; correct it")
        if not 0 <= self.warmup_steps <= self.steps:
            raise InterlawError(
                f"expected warmup_steps from 0 to steps ({self.steps}), found {self.warmup_steps}; shorten it"
            )
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise InterlawError(f"expected {name} from 0 to below 1, found {getattr(self, name)}; correct it")
        if not 0 <= self.seed < 2**64:
            raise InterlawError(f"expected a seed from 0 to 2^64 - 1, found {self.seed}; choose another")
        if not math.isfinite(self.strength) or (self.intervention == "none") != (self.strength == 0):
            raise InterlawError(
                f"expected a finite strength, 0 without an intervention and not 0 with one, found {self.strength} with "
                f"{self.intervention}; correct it"
            )
        if not 0 <= self.final_fraction <= 1:
            raise InterlawError(f"expected final_fraction from 0 to 1, found {self.final_fraction}; correct it")
