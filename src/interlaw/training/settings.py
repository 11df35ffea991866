"""How a model is trained: every number that changes the result, and nothing else."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field, ModelWrapValidatorHandler, ValidationError, model_validator

from interlaw.errors import InterlawError, first_problem
from interlaw.tasks import Strict
from interlaw.training.rules import STANDARD, require_rule

Precision = Literal["float32", "tfloat32", "bfloat16"]
Moved = Literal["interaction", "trace"]
Intervention = Literal["none"] | Moved

Count = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Seed = Annotated[int, Field(ge=0, lt=2**64)]  # what torch.Generator.manual_seed takes
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1)]
Memory = Annotated[float, Field(ge=0, lt=1)]

# Held-out samples a time. Judgement: the error falls only with the root of their number; half or twice as many do too.
VALIDATION_SAMPLES, TEST_SAMPLES = 64, 512


class Optimization(Strict):
    """What a recipe and a trial say alike of AdamW, its schedule, and when a run is judged.

    Attributes:
        final_fraction: Rate at the end as a fraction of the peak, reached along a cosine.
        weight_decay: Decoupled decay of what `decays` names.
        decays: `matrices`, or `all`: vectors (norms, biases) too.
        keeps: Which weights are tested and measured: the `last` ones, or those of the `best` validation.
        beta1: Decay of AdamW's first moment.
        beta2: Decay of AdamW's second moment.
        clip: Largest norm of all gradients together; 0 for none.
        evaluations: Validations during a run, evenly spread, the last one at its end.
        patience: Validations without a new lowest loss before training stops; 0: never.
        precision: Of matrix products: `float32`; `tfloat32`, on CUDA devices alone; or `bfloat16` under autocast.
            Weights, gradients and optimizer stay in float32.
        blow_up: A batch loss above this many times the first one counts as divergence; heavy-tailed targets need more.
    """

    final_fraction: Part = 0.1  # as Hoffmann et al. 2022 (arXiv 2203.15556) and Brown et al. 2020 (2005.14165)
    weight_decay: NotNegative = 0.01  # that of torch.optim.AdamW
    decays: Literal["matrices", "all"] = "matrices"
    keeps: Literal["last", "best"] = "last"
    beta1: Memory = 0.9  # this, the next and clip: as Brown et al. 2020, appendix B
    beta2: Memory = 0.95
    clip: NotNegative = 1.0
    evaluations: Count = 5  # judgement: a curve that shows its bend; 3 to 20 do
    patience: Natural = 0
    precision: Precision = "float32"
    blow_up: Annotated[float, Field(gt=1)] = (
        2.0  # judgement: batches of one network scatter by far less than its first loss
    )


class TrainSettings(Optimization):
    """AdamW with linear warm-up, a schedule down to a fraction of the peak rate, and gradient clipping.

    Attributes:
        steps: Optimizer steps.
        batch_size: Samples (sequences) a step.
        learning_rate: Peak rate.
        warmup_steps: Steps of linear rise from 0.
        evaluation_samples: Validation samples each time.
        test_samples: Test samples at the end.
        parametrization: A key of `RULES`: how initial weights and AdamW's numbers follow width (`mup`) or width and
            depth (`completep`).
        base_width: Width at which `mup` and `completep` are the standard parametrization.
        base_depth: Depth at which `completep` is the standard parametrization.
        intervention: What a term beside the loss is made of: `interaction`, or `trace` for control.
        strength: What that term is multiplied by; below 0 it raises what it is made of.
        seed: Seed of initial weights and batches.

    Raises:
        InterlawError: When a number is out of range.
    """

    steps: Count
    batch_size: Count
    learning_rate: NotNegative
    warmup_steps: Natural = 0
    evaluation_samples: Count = VALIDATION_SAMPLES
    test_samples: Count = TEST_SAMPLES
    parametrization: str = STANDARD
    # of no effect unless the rule follows the axis; a recipe must say the base size where it does
    base_width: Count = 64
    base_depth: Count = 2
    intervention: Intervention = "none"
    strength: Annotated[float, Field(allow_inf_nan=True)] = 0.0
    seed: Seed = 0

    @model_validator(mode="wrap")
    @classmethod
    def _in_range(cls, values: Any, check: ModelWrapValidatorHandler[TrainSettings]) -> TrainSettings:
        try:
            settings = check(values)
        except ValidationError as error:
            raise InterlawError(_out_of_range(error)) from error
        require_rule(settings.parametrization)
        if settings.warmup_steps > settings.steps:
            raise InterlawError(
                f"expected warmup_steps from 0 to steps ({settings.steps}), found {settings.warmup_steps}; shorten it"
            )
        if not math.isfinite(settings.strength) or (settings.intervention == "none") != (settings.strength == 0):
            raise InterlawError(
                f"expected a finite strength, 0 without an intervention and not 0 with one, found {settings.strength} "
                f"with {settings.intervention}; set both or neither"
            )
        return settings


def _out_of_range(error: ValidationError) -> str:
    """The first problem, with the value given and the default."""
    first = error.errors(include_url=False)[0]
    asked = first["msg"].removeprefix("Input should ")
    # one is missing, there is none of that name, or these are no settings
    if asked == first["msg"] or not first["loc"]:
        return f"expected the settings of a training, found {first_problem(error)}; change that"
    name = str(first["loc"][0])
    field = TrainSettings.model_fields[name]
    remedy = "" if field.is_required() else f", or leave it out for {field.default}"
    return f"expected {name} to {asked}, found {first['input']}; give such a value{remedy}"
