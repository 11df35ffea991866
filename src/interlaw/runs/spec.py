"""What a trial is: every number that decides its result, in one document whose digest is the trial's name."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, field_validator

from interlaw.runs.document import Document
from interlaw.shapes import Shape, make_shape
from interlaw.tasks import AnyTaskSpec, Strict
from interlaw.training import TrainSettings, parametrization_of


def _known(treatment: str) -> str:
    """The treatment's name, which must be that of one."""
    parametrization_of(treatment)
    return treatment


Treatment = Annotated[str, AfterValidator(_known)]
# `tokens_per_param` holds the parameters equal too: its amounts are tokens for each of them
RecipeBudgetKind = Literal["params", "params_non_embedding", "flops_per_token", "train_flops", "tokens_per_param"]


class BudgetSpec(Strict):
    """What this trial's shape was matched to.

    Attributes:
        kind: Which count is held equal.
        amount: The nominal budget.
    """

    kind: RecipeBudgetKind
    amount: int | float = Field(gt=0)


class MeasureSpec(Strict):
    """Interaction measured at the end of training.

    Attributes:
        view: A view's name.
        samples: Clusters (sequences).
        seed: Seed of the probes.
    """

    view: str
    samples: int = Field(default=256, ge=2)  # as many as `interlaw measure` reads; an interval needs two
    seed: int = 0


class TrialSpec(Document, Strict):
    """One trial, whole. Equal specs give equal results on equal machines.

    Attributes:
        schema_version: Version of this document.
        family: Shape family.
        shape: The shape's defining sizes, depth and width among them.
        budget: What the shape was matched to.
        task: Data and loss.
        treatment: How learning rate and initial weights follow the shape: not at all (`fixed`), by a search of each
            shape's own rate (`search`), by width (`mup`), by width and depth (`completep`).
        stage: `search`: tries a rate, and counts only for choosing it; `final`: counts for the law.
        training: Every number of the optimizer and schedule; its seed is the trial's.
        measure: Views measured at the end.
    """

    what: ClassVar[str] = "a trial's spec"
    remedy: ClassVar[str] = "remove the folder or use the version that wrote it"

    schema_version: Literal[1] = 1
    family: str
    shape: dict[str, int | bool]
    budget: BudgetSpec
    task: AnyTaskSpec
    treatment: Treatment = "fixed"
    stage: Literal["search", "final"] = "final"
    training: TrainSettings
    measure: tuple[MeasureSpec, ...] = ()

    @field_validator("shape")
    @classmethod
    def _has_depth_and_width(cls, shape: dict[str, int | bool]) -> dict[str, int | bool]:
        missing = [name for name in ("depth", "width") if name not in shape]
        if missing:
            raise ValueError(f"{' and '.join(missing)} missing")
        return shape

    def canonical(self) -> str:
        """The document as JSON with sorted keys: the content of spec.json.

        An option that came later is written only where it is used, so that the trials of older runs keep their names.
        """
        document = self.model_dump(mode="json")
        for name in ("precision", "intervention", "strength", "decays", "keeps"):
            if getattr(self.training, name) == TrainSettings.model_fields[name].default:
                del document["training"][name]
        return json.dumps(document, sort_keys=True, indent=1) + "\n"

    @property
    def key(self) -> str:
        """The trial's name: the first 16 hexadecimal digits of the SHA-256 of `canonical()`."""
        # 64 bits: among a million trials two alike have a chance below 1e-7
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:16]

    @property
    def units(self) -> int:
        """Tokens (or samples) that it trains on."""
        return self.training.steps * self.training.batch_size * self.task.units_per_sample

    def make_shape(self) -> Shape:
        """The shape as a value with its counts."""
        return make_shape(self.family, **self.shape)
