"""Families, budgets, and equal-budget shapes: for each depth, the width whose count meets the budget under a rule."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, get_args

from interlaw.errors import InterlawError, did_you_mean, require_among
from interlaw.registry import Registry
from interlaw.shapes.decoders import GPTShape, LlamaShape, Qwen2Shape
from interlaw.shapes.networks import BottleneckShape, CNNShape, GRUShape, MLPShape
from interlaw.shapes.shape import Shape
from interlaw.size import format_size, parse_size

FAMILIES: Registry[type[Shape]] = Registry(
    "interlaw.families",
    {
        "gpt": GPTShape,
        "llama": LlamaShape,
        "qwen2": Qwen2Shape,
        "mlp": MLPShape,
        "cnn": CNNShape,
        "gru": GRUShape,
        "bottleneck": BottleneckShape,
    },
)

# families of this package that `recommend` sizes by vocabulary, context and heads: known without loading another
DECODERS = tuple(name for name, shape_class in FAMILIES.items() if shape_class.decoder)

MatchRule = Literal["largest", "nearest"]
Count = Literal["total", "non-embedding"]
NEAREST_TOLERANCE = 0.5  # the nearest width of a deep network may miss a small budget by so much, not by more
PREFIX = "hf"  # of the families that the Hugging Face library builds
CHINCHILLA_TOKENS_PER_PARAM = 20.0  # Hoffmann et al. 2022, arXiv 2203.15556

BudgetKind = Literal["params", "params_non_embedding", "flops_per_token", "train_flops"]
UNITS = {
    "params": "parameters",
    "params_non_embedding": "non-embedding parameters",
    "flops_per_token": "FLOPs a token",
    "train_flops": "training FLOPs",
}


@dataclass(frozen=True, kw_only=True)
class Budget:
    """An amount that every shape of a sweep spends.

    Attributes:
        kind: `params` (total), `params_non_embedding`, `flops_per_token` (training), or `train_flops` (the whole run).
        amount: The number to be met.
        tokens_per_param: Tokens seen per total parameter; only `train_flops` depends on it.

    Example:
        >>> Budget(kind="params", amount=1_000_000).spent(GPTShape(depth=5, width=120, head_dim=4))
        958800
    """

    kind: BudgetKind
    amount: int
    tokens_per_param: float = CHINCHILLA_TOKENS_PER_PARAM

    def __post_init__(self) -> None:
        require_among("a budget kind", self.kind, known=UNITS)
        if self.amount < 1:
            raise InterlawError(f"expected a budget of at least 1, found {self.amount}; choose a positive one")
        if self.kind == "train_flops" and not 0 < self.tokens_per_param < math.inf:
            raise InterlawError(
                f"a budget in training FLOPs needs positive tokens per parameter, found {self.tokens_per_param}; "
                "give them, 20 for example"
            )

    def __str__(self) -> str:
        return f"{format_size(self.amount)} {UNITS[self.kind]}"

    def spent(self, shape: Shape) -> int:
        """What a shape spends of this kind of budget."""
        if self.kind == "train_flops":
            return round(shape.flops_per_token * shape.params * self.tokens_per_param)
        return int(getattr(shape, self.kind))

    def error(self, shape: Shape) -> float:
        """Relative miss of the budget: spent / amount - 1."""
        return self.spent(shape) / self.amount - 1.0


def require_family(family: str) -> type[Shape]:
    """The shape class of a family, or an error that lists them.

    A name with a prefix, such as `hf:llama`, is that of a function from the rest of the name to a shape class.
    """
    prefix, _, name = family.partition(":")
    if prefix in FAMILIES:
        entry: Any = FAMILIES[prefix]
        if isinstance(entry, type) != bool(name):
            shape_class: type[Shape] = entry(name) if name else entry
            return shape_class
    known = [name for name in FAMILIES.names() if name != PREFIX]
    raise InterlawError(
        f"expected a family of {', '.join(known)} or {PREFIX}:NAME, found {family!r}; choose one of them"
        f"{near_family(family, known)}"
    )


def is_decoder(family: str) -> bool:
    """Whether `recommend` sizes the family; one that is not known is none.

    Example:
        >>> is_decoder("llama"), is_decoder("mlp"), is_decoder("hf")
        (True, False, False)
    """
    with suppress(InterlawError):
        return require_family(family).decoder
    return False


def near_family(family: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown family: `hf:` before a name of the Hugging Face library, else a like one.

    Args:
        family: What was asked for.
        known: The families that would do.
    """
    if ":" not in family and family not in FAMILIES and PREFIX in FAMILIES:
        with suppress(InterlawError):  # the library is not installed, or has no such model
            require_family(f"{PREFIX}:{family}")
            return f"; did you mean '{PREFIX}:{family}'?"
    return did_you_mean(family, known)


def make_shape(family: str, *, depth: int, width: int, **settings: Any) -> Shape:
    """A shape of a family from its sizes.

    Raises:
        InterlawError: When the family or a setting is unknown, or the sizes do not fit together.
    """
    shape_class = require_family(family)
    allowed = [name for name in inspect.signature(shape_class).parameters if name not in ("depth", "width")]
    for name in settings:
        require_among(f"settings of {family}", name, known=allowed, advice="remove or rename it")
    return shape_class(depth=depth, width=width, **settings)


def choose_budget(
    *,
    params: str | float | None = None,
    count: Count = "total",
    flops_per_token: str | float | None = None,
    flops: str | float | None = None,
    tokens_per_param: float = CHINCHILLA_TOKENS_PER_PARAM,
) -> Budget:
    """The one budget that the arguments name.

    Args:
        params: Parameters, counted as `count` says.
        count: `total`, or `non-embedding`: without token table, learned positions and output head.
        flops_per_token: Training FLOPs per token.
        flops: Training FLOPs of a whole run of `tokens_per_param` x total parameters tokens.
        tokens_per_param: Tokens per total parameter, for `flops`.

    Raises:
        InterlawError: When not exactly one amount is given.
    """
    require_among("a count", count, known=get_args(Count))
    counted: BudgetKind = "params" if count == "total" else "params_non_embedding"
    amounts: dict[BudgetKind, str | float | None] = {
        counted: params,
        "flops_per_token": flops_per_token,
        "train_flops": flops,
    }
    given = {kind: amount for kind, amount in amounts.items() if amount is not None}
    if len(given) != 1:
        raise InterlawError(
            "expected exactly one budget (params=, flops_per_token= or flops=), found "
            f"{', '.join(given) or 'none'}; give one"
        )
    ((kind, amount),) = given.items()
    return Budget(kind=kind, amount=parse_size(amount), tokens_per_param=tokens_per_param)


def match_width(shape_at: Callable[[int], Shape], budget: Budget, *, step: int, rule: MatchRule = "largest") -> Shape:
    """The width, a multiple of `step`, whose shape meets the budget.

    Args:
        shape_at: The shape of a given width; what it spends grows with the width.
        budget: The budget to meet.
        step: Widths are its multiples.
        rule: `largest` takes the widest shape that stays within the budget, `nearest` the one that misses it least.

    Raises:
        InterlawError: When even the narrowest shape does not fit; the message names the nearest budget that does.
    """
    require_among("a rule", rule, known=get_args(MatchRule))
    narrowest = shape_at(step)
    smallest = budget.spent(narrowest)
    limit = budget.amount * (1 + NEAREST_TOLERANCE) if rule == "nearest" else budget.amount
    if smallest > limit:
        raise InterlawError(
            f"no {narrowest.family} of depth {narrowest.depth} spends {budget}: "
            f"the narrowest (width {step}) already spends {smallest:,}; "
            "raise the budget to that, or lower depth, head_dim or multiple_of"
        )
    low, high = 1, 2
    while budget.spent(shape_at(high * step)) <= budget.amount:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if budget.spent(shape_at(middle * step)) <= budget.amount else (low, middle)
    below, above = shape_at(low * step), shape_at(high * step)
    if rule == "nearest" and abs(budget.error(above)) < abs(budget.error(below)):
        return above
    return below


def match_shapes(
    *,
    family: str = "gpt",
    depths: Iterable[int],
    params: str | float | None = None,
    count: Count = "total",
    flops_per_token: str | float | None = None,
    flops: str | float | None = None,
    tokens_per_param: float = CHINCHILLA_TOKENS_PER_PARAM,
    rule: MatchRule = "largest",
    multiple_of: int = 1,
    **settings: Any,
) -> list[Shape]:
    """Shapes of equal budget, one a depth (the matching rules of arXiv 2605.27989).

    Args:
        family: A key of `FAMILIES`, or `hf:NAME` for a causal language model of the Hugging Face library.
        depths: Depths to match, each at least 1.
        params: Parameter budget as a number or a size such as "3M"; or give `flops_per_token` or `flops`.
        count: Which parameters the budget counts: `total` or `non-embedding`.
        flops_per_token: Budget in training FLOPs per token.
        flops: Budget in training FLOPs of a run of `tokens_per_param` tokens per total parameter.
        tokens_per_param: Tokens per total parameter, for `flops`.
        rule: `largest` (widest within the budget) or `nearest`.
        multiple_of: The width is a multiple of this, beside the family's own constraint (head_dim).
        **settings: The family's other sizes, e.g. vocab_size, context, head_dim, tied.

    Returns:
        One `Shape` a depth, in the order given.

    Raises:
        InterlawError: When a depth has no width that meets the budget, or an argument is out of range.

    Example:
        >>> shapes = match_shapes(family="gpt", params="1M", depths=[2, 5], head_dim=4)
        >>> [(shape.depth, shape.width, shape.params) for shape in shapes]
        [(2, 188, 994520), (5, 120, 958800)]
    """
    budget = choose_budget(
        params=params, count=count, flops_per_token=flops_per_token, flops=flops, tokens_per_param=tokens_per_param
    )
    if multiple_of < 1:
        raise InterlawError(f"expected multiple_of to be at least 1, found {multiple_of}; choose a positive one")
    depths = list(depths)
    if not depths:
        raise InterlawError("expected at least one depth, found none; give depths such as 1-24")
    step = math.lcm(multiple_of, require_family(family).width_step(settings))
    shapes = []
    for depth in depths:

        def shape_at(width: int, depth: int = depth) -> Shape:
            return make_shape(family, depth=depth, width=width, **settings)

        shape = match_width(shape_at, budget, step=step, rule=rule)
        # counts that were read off networks of other sizes and missed are exact from now on: match again
        shapes.append(shape if shape.is_exact() else match_width(shape_at, budget, step=step, rule=rule))
    return shapes
