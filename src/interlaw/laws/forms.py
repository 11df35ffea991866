"""The forms of the law, each linear in some parameters once the others are fixed.

Letters: N parameters, D training tokens, w width, l depth, R = l / w; every size is divided by a reference (its
geometric mean over the table) so that exponents and levels do not depend on units. q nonlinear, k linear parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from interlaw.laws.rows import FloatArray

Features = Mapping[str, FloatArray]
OWN_TOKENS = 0.05  # spread of log D given log N above which tokens vary on their own: rounding stays below


@dataclass(frozen=True)
class Free:
    """A nonlinear parameter: the values that the multi-start combines, and (low, high)."""

    starts: tuple[float, ...]
    bounds: tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Form:
    """L = sum_k linear_k * basis_k(nonlinear, features).

    Attributes:
        nonlinear: The nonlinear parameters by name.
        linear: The linear parameters by name, each with whether it must not be negative.
        basis: (..., q) and features of n shapes -> (..., n, k).
    """

    name: str
    formula: str
    nonlinear: Mapping[str, Free]
    linear: Mapping[str, bool]
    basis: Callable[[FloatArray, Features], FloatArray]

    @property
    def names(self) -> tuple[str, ...]:
        """Every parameter, nonlinear first."""
        return (*self.nonlinear, *self.linear)

    @property
    def num_parameters(self) -> int:
        """Nonlinear and linear together."""
        return len(self.names)

    @property
    def limits(self) -> tuple[FloatArray, FloatArray]:
        """The lowest and the highest value of every parameter, (q + k,) each."""
        linear = ((0.0 if positive else -np.inf, np.inf) for positive in self.linear.values())
        low, high = np.array([*(free.bounds for free in self.nonlinear.values()), *linear]).T
        return low, high

    def columns(self, theta: FloatArray, *names: str) -> FloatArray:
        """These parameters of (..., q + k), in this order: (..., len(names))."""
        return theta[..., [self.names.index(name) for name in names]]

    def predict(self, theta: FloatArray, features: Features) -> FloatArray:
        """Loss at (..., q + k) parameters, nonlinear first: (..., n)."""
        q = len(self.nonlinear)
        return np.asarray((self.basis(theta[..., :q], features) @ theta[..., q:, None])[..., 0], dtype=np.float64)


def features_of(
    *, params: FloatArray, depth: FloatArray, width: FloatArray, tokens: FloatArray | None = None
) -> dict[str, FloatArray]:
    """Log sizes relative to their means, and log ratio as it is; `tokens` only where they say more than N does."""
    size = np.log(params)
    features = {
        "size": size - size.mean(),
        "ratio": np.log(depth / width),
        "shape": np.log(depth / width) - np.log(depth / width).mean(),
        "depth": np.log(depth) - np.log(depth).mean(),
        "width": np.log(width) - np.log(width).mean(),
    }
    if tokens is not None and own_tokens(size, np.log(tokens)) is not None:
        features["tokens"] = np.log(tokens) - np.log(tokens).mean()
    return features


def own_tokens(size: FloatArray, tokens: FloatArray) -> FloatArray | None:
    """What log D has beyond its straight line in log N, (n,); None where that is no more than rounding."""
    line = np.polyfit(size, tokens, 1) if np.ptp(size) > OWN_TOKENS else [tokens.mean()]
    rest = tokens - np.polyval(line, size)
    return rest if rest.std() > OWN_TOKENS else None


# Published exponents of N lie between 0.05 and 0.5 (Kaplan 2020: 0.076; Hoffmann 2022: 0.34); the bounds only keep
# the search from running away, and a parameter that ends on one is named in the warnings.
_EXPONENT = Free(starts=(0.1, 0.4), bounds=(0.01, 3.0))


def _stack(*columns: FloatArray) -> FloatArray:
    return np.stack(np.broadcast_arrays(*columns), axis=-1)


def _power(exponent: FloatArray, log_size: FloatArray) -> FloatArray:
    return np.exp(-exponent[..., None] * log_size)


def size_only() -> Form:
    """L = E + A N^-alpha: shape does not matter."""
    return Form(
        name="size only",
        formula="E + A N^-alpha",
        nonlinear={"alpha": _EXPONENT},
        linear={"E": True, "A": True},
        basis=lambda theta, f: _stack(np.ones_like(f["size"]), _power(theta[..., 0], f["size"])),
    )


def joint(features: Features, *, gamma: bool = True, skew: bool = True, scaled: bool = False) -> Form:
    """L = E + A N^-alpha + kappa z^2 + skew z^3, z = log R - log R*(N), R*(N) = c N^gamma.

    `gamma=False` fixes gamma at 0, `skew=False` gives the symmetric law. `scaled=True` lets curvature and skew shrink
    with the reducible loss: L = E + N^-alpha (A + kappa z^2 + skew z^3). kappa > 0 always, or a cubic's maximum
    would do as well as its minimum.
    """
    ratio = features["ratio"]
    low, high = float(ratio.min()), float(ratio.max())
    length = max(high - low, 1.0)  # a factor e of R at least: a narrower grid may have its optimum as far outside
    # gamma starts on both sides of none; published slopes lie far inside +-3, and a bound that is met becomes a warning
    free = {
        "alpha": _EXPONENT,
        "log_ratio": Free((low + length / 4, low + length / 2, high - length / 4), (low - length, high + length)),
        **({"gamma": Free((-0.2, 0.0, 0.2), (-3.0, 3.0))} if gamma else {}),
    }

    def basis(theta: FloatArray, f: Features) -> FloatArray:
        slope = theta[..., 2, None] if gamma else 0.0
        away = f["ratio"] - theta[..., 1, None] - slope * f["size"]
        power = _power(theta[..., 0], f["size"])
        factor = power if scaled else np.ones_like(power)
        square = factor * away * away  # a product: a power of an array takes five times as long
        return _stack(np.ones_like(f["size"]), power, square, *((square * away,) if skew else ()))

    well = f"kappa z^2{' + skew z^3' if skew else ''}"
    return Form(
        name="joint" + ", scaled" * scaled + ", gamma = 0" * (not gamma) + ", symmetric" * (not skew),
        formula=(f"E + N^-alpha (A + {well})" if scaled else f"E + A N^-alpha + {well}")
        + f", z = log R - log({'c N^gamma' if gamma else 'c'})",
        nonlinear=free,
        linear={"E": True, "A": True, "kappa": True, **({"skew": False} if skew else {})},
        basis=basis,
    )


def joint_levels(features: Features) -> Form:
    """Each budget its own curve, bound together by R*(N) = c N^gamma alone: for two or three budgets.

    L = level_i + kappa_i z^2 + skew_i z^3 in budget i; too few budgets separate E, A and alpha, and a curvature
    that wrongly stays the same over budgets moves R* by tens of per cent. `features["level"]` numbers the budgets.
    """
    levels = np.unique(features["level"]).astype(int)

    def basis(theta: FloatArray, f: Features) -> FloatArray:
        away = f["ratio"] - theta[..., 0, None] - theta[..., 1, None] * f["size"]
        own = [(f["level"] == level).astype(np.float64) for level in levels]
        square = away * away
        return _stack(*own, *(one * square for one in own), *(one * square * away for one in own))

    return Form(
        name="joint, free levels",
        formula="level + kappa z^2 + skew z^3 of each budget, z = log R - log(c N^gamma)",
        nonlinear={name: free for name, free in joint(features).nonlinear.items() if name != "alpha"},
        linear={f"{name}_{level}": name != "skew" for name in ("level", "kappa", "skew") for level in levels},
        basis=basis,
    )


def additive(features: Features) -> Form:
    """L = E + A w^-a + B l^-b (+ C D^-c where tokens vary on their own): width and depth pay separately."""
    names = ("width", "depth", "tokens") if "tokens" in features else ("width", "depth")

    def basis(theta: FloatArray, f: Features) -> FloatArray:
        return _stack(np.ones_like(f["size"]), *(_power(theta[..., i], f[name]) for i, name in enumerate(names)))

    return Form(
        name="additive",
        formula="E + A w^-a + B l^-b" + (" + C D^-c" if len(names) == 3 else ""),
        # width and depth grow as N^(1/3) at one ratio: three times the exponents of N
        nonlinear=dict.fromkeys("abc"[: len(names)], Free((0.3, 1.0), _EXPONENT.bounds)),
        linear=dict.fromkeys("EABC"[: len(names) + 1], True),
        basis=basis,
    )


def aspect(features: Features) -> Form:
    """L = (E + A N^-alpha + B D^-beta) (1 + eps R'^gamma), R' = w / l, as in Bian et al. 2025 (arXiv 2501.18107).

    R' is divided by its mean, so eps is the relative cost at the mean shape. One power of R' has no minimum inside:
    the form says which side is better, never where the best shape lies.
    """
    tokens = "tokens" in features

    def basis(theta: FloatArray, f: Features) -> FloatArray:
        factor = 1 + theta[..., -2, None] * np.exp(-theta[..., -1, None] * f["shape"])
        columns = [np.ones_like(f["size"]), _power(theta[..., 0], f["size"])]
        if tokens:
            columns.append(_power(theta[..., 1], f["tokens"]))
        return _stack(*(column * factor for column in columns))

    return Form(
        name="aspect",
        formula=f"(E + A N^-alpha{' + B D^-beta' if tokens else ''}) (1 + eps (w/l)^gamma)",
        nonlinear={
            **dict.fromkeys(("alpha", "beta") if tokens else ("alpha",), _EXPONENT),
            "eps": Free((0.01, 0.1), (0.0, 10.0)),  # a shape costs 1 to 10% of the loss, and not ten times the loss
            "gamma": Free((-1.0, 1.0), (-3.0, 3.0)),  # of either sign; the bounds only keep the search near
        },
        linear=dict.fromkeys("EAB" if tokens else "EA", True),
        basis=basis,
    )
