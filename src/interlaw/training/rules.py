"""The rules by which learning rate and initial weights may follow the shape; a new one is a line in `RULES`.

A rule gives each role of a parameter the factors on its standard numbers, with m = width / base_width and
l = depth / base_depth. The table of `mup` and `completep`, and why it may be written as factors, stand in
`parametrization`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from interlaw.errors import did_you_mean, require_among
from interlaw.registry import Registry

if TYPE_CHECKING:
    from interlaw.models import Role

Axis = Literal["width", "depth"]
STANDARD = "standard"


@dataclass(frozen=True, kw_only=True)
class Factors:
    """What multiplies a weight's standard numbers.

    Attributes:
        std: Initial standard deviation.
        rate: Learning rate.
        epsilon: AdamW's epsilon.
        decay: Weight decay (which AdamW multiplies by the rate).
    """

    std: float = 1.0
    rate: float = 1.0
    epsilon: float = 1.0
    decay: float = 1.0

    def through(self, multiplier: float) -> Factors:
        """The factors of the product of this weight and a forward multiplier."""
        return Factors(
            std=self.std * multiplier,
            rate=self.rate * multiplier,
            epsilon=self.epsilon / multiplier,
            decay=self.decay / multiplier,
        )


def scaled(role: Role, m: float, deep: float) -> Factors:
    """The row of a role in the table of `mup` (deep = 1) and `completep`, for plain initial weights."""
    vector = Factors(epsilon=1 / (m * deep))
    hidden = Factors(std=m**-0.5, rate=1 / m, epsilon=1 / (m * deep), decay=m)
    return {
        "input": Factors(epsilon=1 / m),
        "hidden": hidden,
        "writer": hidden.through(1 / deep),
        "vector": vector,
        "writer_vector": vector.through(1 / deep),
        "output": Factors(epsilon=1 / m).through(1 / m),
    }[role]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """How a parametrization's factors follow the shape.

    Attributes:
        axes: What they follow: one rate then serves every size along these axes. A recipe must name the base size of
            each: `base_width`, `base_depth`.
        factors: Factors of a role at m and l; an axis that is not followed counts as 1.
    """

    axes: tuple[Axis, ...]
    factors: Callable[[Role, float, float], Factors]


RULES: Registry[Rule] = Registry(
    "interlaw.treatments",
    {
        STANDARD: Rule(axes=(), factors=lambda role, m, deep: Factors()),
        "mup": Rule(axes=("width",), factors=scaled),
        "completep": Rule(axes=("width", "depth"), factors=scaled),
    },
)

# with the standard rule: one rate for every shape, or each shape's own, chosen by a search
_STANDARD_TREATMENTS = {"fixed": "learning_rate", "search": "learning_rates"}


def require_rule(name: str) -> Rule:
    """The rule of a parametrization."""
    require_among("a parametrization", name, known=RULES.names())
    return RULES[name]


def parametrization_of(treatment: str) -> str:
    """The parametrization of a treatment; a rule's treatment has its name.

    Raises:
        ValueError: No such treatment.

    Example:
        >>> parametrization_of("search"), parametrization_of("mup")
        ('standard', 'mup')
    """
    if treatment in _STANDARD_TREATMENTS:
        return STANDARD
    if treatment == STANDARD or treatment not in RULES:
        known = [*_STANDARD_TREATMENTS, *(name for name in RULES if name != STANDARD)]
        raise ValueError(f"expected a treatment of {', '.join(known)}{did_you_mean(treatment, known)}")
    return treatment


def treatment_keys(treatment: str) -> frozenset[str]:
    """What a recipe must say of a treatment, beside what all share.

    Example:
        >>> sorted(treatment_keys("mup")), sorted(treatment_keys("search"))
        (['base_width', 'learning_rate'], ['learning_rates'])
    """
    rate = _STANDARD_TREATMENTS.get(treatment, "learning_rate")
    return frozenset({rate, *(f"base_{axis}" for axis in RULES[parametrization_of(treatment)].axes)})
