"""A sweep as a person writes it: TOML, checked key by key before anything runs."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from interlaw.errors import InterlawError, did_you_mean, near_path
from interlaw.interaction import OF_NEXT_TOKENS, VIEWS
from interlaw.models import network_of
from interlaw.runs import MeasureSpec, RecipeBudgetKind, Treatment
from interlaw.shapes import MatchRule, require_family
from interlaw.size import parse_depths, parse_size
from interlaw.sweep.affordable import judged_samples, measured_samples
from interlaw.tasks import TASKS, AnyTaskPart, Strict, TextTaskPart
from interlaw.training import Count, Moved, Natural, Optimization, Part, Seed, TrainSettings, treatment_keys

MOST = 10**12  # of steps, samples a step, tokens a parameter: beyond it is a slip of the hand
GRID_TOLERANCE = 1.2  # of the largest ratio of neighbours over the least: 1e-3, 3e-3, 1e-2 passes

Rate = Annotated[float, Field(gt=0)]


def _in_words(parse: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The same reader; pydantic gathers its complaint with the others instead of ending at it."""

    def parsed(value: Any) -> Any:
        try:
            return parse(value)
        except InterlawError as error:
            raise PydanticCustomError("in_words", "{words}", {"words": str(error)}) from error

    return parsed


Size = Annotated[int, BeforeValidator(_in_words(parse_size))]


def _amount(value: Any) -> Any:
    """A size, or a number that is not whole: 0.5 tokens for each parameter, say."""
    is_part = isinstance(value, float) and math.isfinite(value) and value > 0 and value != int(value)
    return value if is_part else parse_size(value)


Amount = Annotated[int | float, BeforeValidator(_in_words(_amount))]
OneOrMore = BeforeValidator(lambda value: (value,) if isinstance(value, str) else value)  # one name: a list of one


def _family(value: str) -> str:
    """The name of a family that has a network."""
    network_of(require_family(value))
    return value


def _depths(value: Any) -> Any:
    """A list of depths, or the text form of one."""
    return tuple(parse_depths(value)) if isinstance(value, str) else value


class BudgetPart(Strict):
    """What is held equal: `amounts = ["30k", "60k"]` of parameters, or of another count.

    Attributes:
        kind: Which count is held equal; `tokens_per_param`: all shapes have `params` parameters, and each amount is so
            many tokens for each of them, the length of training.
        amounts: The budgets, as numbers or sizes; whole ones, but for tokens for each parameter.
        params: Parameters of every shape under `tokens_per_param`.
        rule: `largest` stays within the budget, `nearest` misses it least.
        multiple_of: Widths are multiples of this, beside head_dim.
    """

    kind: RecipeBudgetKind = "params"
    amounts: tuple[Amount, ...] = Field(min_length=1)
    params: Size | None = None
    rule: MatchRule = "nearest"
    multiple_of: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _sized(self) -> BudgetPart:
        """Only amounts of tokens leave the size open."""
        if (self.params is not None) != (self.kind == "tokens_per_param"):
            raise ValueError("kind tokens_per_param, and no other, takes params beside its amounts")
        if self.params is None and not all(isinstance(amount, int) for amount in self.amounts):
            raise ValueError(f"amounts of {self.kind} are whole numbers, found {self.amounts}")
        return self


class TrainingPart(Optimization):
    """How each trial is trained; `steps` or `tokens_per_param` sets the length, unless the budget does.

    Attributes:
        batch_size: Samples a step; of text, sequences.
        steps: Optimizer steps, the same for every trial.
        tokens_per_param: Tokens as a multiple of the nominal budget, so that all shapes of a budget see the same data.
        treatment: `fixed`: one rate for every shape; `mup`: rate and initial weights follow the width; `completep`:
            width and depth; `search`: each shape's own rate, chosen on validation loss.
            A list runs the whole sweep once under each, to be compared.
        base_width: Width at which `mup` and `completep` are the standard parametrization; needed by both.
        base_depth: Depth at which `completep` is; needed by it.
        learning_rate: The peak rate; that of the base shape under `mup` and `completep`; not with `search`.
        learning_rates: The rates that `search` begins with: at least three at equal ratios.
        search_seeds: Seeds, the first ones, on which `search` tries each rate; it takes the lowest mean of their
            validation losses.
        warmup_fraction: Part of the steps in which the rate rises.
        warmup_steps: The same as a number of steps, at most all of them; it takes the place of the part.
        evaluation_samples: Validation samples each time; as many as a few per cent of the training pay for, up to a
            limit, when None.
        test_samples: Test samples at the end, likewise.
    """

    batch_size: Annotated[Count, Field(le=MOST)] = 16  # judgement: 8 to 64 suit networks of 0.1M to 10M parameters
    steps: Annotated[Count, Field(le=MOST)] | None = None
    tokens_per_param: float | None = Field(default=None, gt=0, le=MOST)
    treatment: Annotated[tuple[Treatment, ...], OneOrMore] = Field(default=("fixed",), min_length=1)
    base_width: Count | None = None
    base_depth: Count | None = None
    learning_rate: Rate | None = None
    learning_rates: tuple[Rate, ...] | None = Field(default=None, min_length=3)  # for a parabola
    search_seeds: Count = 1
    warmup_fraction: Part = 0.05  # judgement: 0.01 to 0.1 are usual
    warmup_steps: Natural | None = None
    evaluation_samples: Count | None = None
    test_samples: Count | None = None

    @model_validator(mode="after")
    def _as_treated(self) -> TrainingPart:
        """The rates and the base shape that the treatments ask for, and no others."""
        if len(set(self.treatment)) != len(self.treatment):
            raise ValueError("treatment names a value twice")
        wanted = frozenset().union(*(treatment_keys(treatment) for treatment in self.treatment))
        names = ("learning_rate", "learning_rates", "base_width", "base_depth")
        given = {name for name in names if getattr(self, name) is not None}
        if given != wanted:
            keys = " and ".join(sorted(given)) or "none of them"
            treatments = " and ".join(self.treatment)
            raise ValueError(f"treatment {treatments} takes {' and '.join(sorted(wanted))}, not {keys}")
        ratios = [after / before for before, after in pairwise(self.learning_rates or ())]
        if ratios and (min(ratios) <= 1 or max(ratios) / min(ratios) > GRID_TOLERANCE):  # a search extends them by it
            raise ValueError("learning_rates must grow at equal ratios, such as [1e-3, 2e-3, 4e-3]")
        return self

    def settings(self, *, steps: int, learning_rate: float, **others: Any) -> TrainSettings:
        """The settings of a training of that length and peak rate.

        Others replace the recipe's, or are what a treatment decides, such as the base shape.
        """
        validation, test = judged_samples(self.evaluations, trained_samples=steps * self.batch_size)
        warmup = round(self.warmup_fraction * steps) if self.warmup_steps is None else min(self.warmup_steps, steps)
        return TrainSettings(
            **{
                **self.model_dump(include=set(Optimization.model_fields)),
                "batch_size": self.batch_size,
                "steps": steps,
                "learning_rate": learning_rate,
                "warmup_steps": warmup,
                "evaluation_samples": self.evaluation_samples or validation,
                "test_samples": self.test_samples or test,
                **others,
            }
        )


class InterventionPart(Strict):
    """A term beside the loss that moves interaction, to see what the loss does.

    Attributes:
        on: `interaction`: the scale-free AOFE at the input; `trace`: the size of its gradients, for control.
        strength: What the term is multiplied by; below 0 it raises what it is made of.
    """

    on: Moved
    strength: float


class MeasurePart(Strict):
    """Interaction at the end of each trial.

    Attributes:
        views: View names; an empty list measures nothing.
        samples: Samples a view; as many as a few per cent of the training pay for, up to a limit, when None.
        seed: Seed of the probes.
    """

    views: tuple[str, ...] = OF_NEXT_TOKENS
    samples: int | None = Field(default=None, ge=2)
    seed: int = 0

    def specs(self, *, trained_samples: int) -> tuple[MeasureSpec, ...]:
        """One measurement a view, of a trial of that length."""
        samples = self.samples or measured_samples(self.views, trained_samples=trained_samples)
        return tuple(MeasureSpec(view=view, samples=samples, seed=self.seed) for view in self.views)


class Recipe(Strict):
    """A whole sweep.

    Attributes:
        name: Shown in reports.
        family: Shape family; `hf:llama` and its like take an architecture of the Hugging Face library.
        depths: Depths of every budget, a list or text such as "1-8".
        seeds: Seeds of initial weights and data order, paired across shapes.
        shape: The family's other sizes: context, head_dim, tied, d_ff_ratio...
        budget: What is held equal.
        task: Data and loss; `kind` chooses among the tasks, text when not given.
        training: How each trial is trained.
        measure: What is measured at the end.
        intervention: A term beside the loss, where there is one.
    """

    name: str = Field(min_length=1, max_length=200)  # a heading of reports, not a text
    family: Annotated[str, AfterValidator(_in_words(_family))] = "gpt"
    depths: Annotated[tuple[int, ...], BeforeValidator(_in_words(_depths))] = Field(min_length=1)
    seeds: tuple[Seed, ...] = Field(default=(0,), min_length=1)
    shape: dict[str, int | bool | float] = Field(default_factory=dict)
    budget: BudgetPart
    task: AnyTaskPart = TextTaskPart()
    training: TrainingPart
    measure: MeasurePart = MeasurePart()
    intervention: InterventionPart | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Recipe:
        """What no single key can know."""
        for view in self.measure.views:
            if view not in VIEWS:
                known = VIEWS.names()
                near = did_you_mean(view, known)
                raise ValueError(f"measure.views names {view!r}; choose among {', '.join(known)}{near}")
        for size, source in self.task.decides.items():
            if size in self.shape:
                raise ValueError(f"shape.{size} follows from {source}; remove it")
        lengths = [self.training.steps, self.training.tokens_per_param, self.budget.params]
        if sum(length is not None for length in lengths) != 1:
            other = ", none under a budget in tokens_per_param" if self.budget.params else ""
            raise ValueError(f"training: give exactly one of steps and tokens_per_param{other}")
        if self.budget.kind == "train_flops" and self.training.tokens_per_param is None:
            raise ValueError("a budget in train_flops needs training.tokens_per_param")
        asked, given = self.training.search_seeds, len(self.seeds)
        if asked > given:
            raise ValueError(f"training.search_seeds asks for {asked} of {given} seeds; give more seeds")
        lists: dict[str, tuple[int | float | str, ...]] = {
            "depths": self.depths,
            "seeds": self.seeds,
            "budget.amounts": self.budget.amounts,
            "measure.views": self.measure.views,
        }
        for name, values in lists.items():
            if len(set(values)) != len(values):
                raise ValueError(f"{name} names a value twice")
        return self


def parse_recipe(text: str, *, source: str) -> Recipe:
    """Reads a recipe.

    Args:
        text: TOML.
        source: Its name, for messages.

    Raises:
        InterlawError: One line that names the key, the expected value and the given one.
    """
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # not TOML, a number of thousands of digits, brackets without end
        raise InterlawError(f"expected TOML in {source}, found: {error}; fix the file") from error
    try:
        return Recipe.model_validate(document)
    except ValidationError as error:
        raise InterlawError(f"{source}: {_explain(error)}") from error


def read_recipe(path: str | Path) -> tuple[Recipe, str]:
    """A recipe file and its text.

    Raises:
        InterlawError: When the file is missing, unreadable or wrong.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = f"nothing at {str(path)!r}" if isinstance(error, FileNotFoundError) else f"{str(path)!r}: {error}"
        raise InterlawError(
            f"expected a recipe file, found {reason}; give the path of a TOML recipe{near_path(path)}"
        ) from error
    return parse_recipe(text, source=str(path)), text


MOST_PROBLEMS = 8  # in one message: more do not help, and the message stays one line that can be read
SHOWN = 60  # characters of a value: half a line of a terminal


def _explain(error: ValidationError) -> str:
    """All problems in one line, the first `MOST_PROBLEMS` of them in words."""
    places = {_place(problem): problem for problem in reversed(error.errors())}
    lists = {place[:-1] for place in places}  # one whose only item is wrong is "too short" as well
    problems = [problem for place, problem in places.items() if place not in lists or problem["type"] != "too_short"]
    problems.reverse()
    shown = "; ".join(_problem(problem) for problem in problems[:MOST_PROBLEMS])
    return shown + (f" (and {len(problems) - MOST_PROBLEMS} more)" if len(problems) > MOST_PROBLEMS else "")


def _place(problem: ErrorDetails) -> tuple[str, ...]:
    """The key that a problem is about, without what pydantic adds: the type of a size."""
    parts = tuple(str(part) for part in problem["loc"])
    return parts[:2] if parts[:1] == ("shape",) else parts


def _problem(problem: ErrorDetails) -> str:
    """One problem: the key, the expected value, the given one."""
    parts = _place(problem)
    place = ".".join(parts) or "the recipe"
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] == "extra_forbidden":
        near = did_you_mean(parts[-1], _keys(parts[:-1]))
        return f"unknown key {place!r}, remove it or fix its spelling{near}"
    if problem["type"] == "in_words":  # complete as it is
        return f"{place}: {message}"
    if problem["type"] == "missing":
        return f"missing key {place!r}, add it"
    if problem["type"] == "tuple_type":
        given = str(problem["input"])[:SHOWN]
        item = json.dumps(given, ensure_ascii=False) if isinstance(problem["input"], str) else given
        return f"{place}: expected a list, found {given!r}, write a list: [{item}]"
    words, _, remedy = f"{message[0].lower()}{message[1:]}".partition("; ")
    if not isinstance(problem["input"], dict):  # of a part as a whole the message names the keys
        words += f", found {str(problem['input'])[:SHOWN]!r}"
    return f"{place}: {words}; {remedy}" if remedy else f"{place}: {words}, change it"


def _keys(place: tuple[str, ...]) -> list[str]:
    """The keys of a part of a recipe; of a task, those of every kind."""
    parts: dict[str, list[type[Strict]]] = {
        "": [Recipe],
        "budget": [BudgetPart],
        "training": [TrainingPart],
        "measure": [MeasurePart],
        "intervention": [InterventionPart],
        "task": [kind.part for kind in TASKS.values()],
    }
    return [name for part in parts.get(".".join(place), []) for name in part.model_fields]
