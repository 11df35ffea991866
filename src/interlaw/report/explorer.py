"""A self-contained page to choose a shape on: shapes of equal budget, their cost and the evidence, as one types."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from interlaw.laws import SIZE_TOLERANCE, LawFit, PublishedLaw, published_laws
from interlaw.published import chance_ceiling, published_ratio_points
from interlaw.recommendation import assumptions
from interlaw.report.document import document
from interlaw.report.markup import section, text
from interlaw.report.saving import save
from interlaw.shapes import CHINCHILLA_TOKENS_PER_PARAM, FAMILIES, NEAREST_TOLERANCE, Shape

STYLES = ("page.css", "explore.css")
SCRIPTS = (
    "chart.js",
    "tip.js",
    "anchors.js",
    "explore_shapes.js",
    "explore_evidence.js",
    "explore_state.js",
    "explore_panels.js",
    "explore_tables.js",
    "explore.js",
)
NAME = "explorer.html"
# anchor: (title, what to see)
PARTS = {
    "answer": ("Shapes of equal budget", ""),
    "cost": (
        "What a ratio is predicted to cost",
        "Loss above the best shape of the budget: the estimate and its range. Gold: the recommended range of R; dots: "
        "the shapes above, with their layers; ticks: the ratios that published laws name at this size.",
    ),
    "chosen": ("The chosen shape", ""),
    "sizes": (
        "Beside published laws and models",
        "Each law over the sizes that it speaks of; dots are published models, shaded by MMLU-Pro where it was "
        "measured; the gold bar is the recommended range of R at this budget, the diamond the chosen shape.",
    ),
    "scores": (
        "MMLU-Pro of published models",
        "Base models under one protocol. Filled: those of similar size, with which a comparison is fair; below the "
        "dashed line a score cannot be told from guessing.",
    ),
    "laws": ("Published laws at this size", ""),
    "models": ("Published models", ""),
}


def write_explorer(out: str | Path | None = None, *, fit: LawFit | None = None) -> Path:
    """Writes the explorer as one HTML file that needs nothing else.

    Args:
        out: The file; explorer.html when None.
        fit: Your own law: it then gives the interval and the penalties, as in `recommend`.

    Returns:
        The file's path.

    Raises:
        InterlawError: When the file cannot be written.
    """
    path = Path(NAME if out is None else out)
    save(path, explorer(fit=fit).encode())
    return path


def explorer(*, fit: LawFit | None = None) -> str:
    """The page's HTML."""
    words = "This page works out shapes and evidence while you type; it needs JavaScript, but no network."
    about = "Shapes of one budget, what they cost, and what is known about R = depth / width"
    parts = "".join(_part(name, *part) for name, part in PARTS.items())
    return document(
        title="Choose a shape",
        header=f'<h1>Choose a depth and a width</h1><p class="quiet">{text(about)}</p>',
        body=f'<noscript><p>{text(words)}</p></noscript><form id="choices"></form>{parts}',
        data=numbers(fit),
        styles=STYLES,
        scripts=SCRIPTS,
    )


def _part(name: str, title: str, caption: str) -> str:
    if not caption:
        return section(name, title, '<div class="place"></div>')
    return section(name, title, f'<figure><div class="plot"></div><figcaption>{text(caption)}</figcaption></figure>')


def numbers(fit: LawFit | None = None) -> dict[str, Any]:
    """What the page computes from: every family's settings, published laws and models, the fit, and the assumptions."""
    return {
        "families": {name: _settings(shape) for name, shape in FAMILIES.items()},
        "nearest_tolerance": NEAREST_TOLERANCE,
        "tokens_per_param": CHINCHILLA_TOKENS_PER_PARAM,
        "size_tolerance": SIZE_TOLERANCE,
        "laws": [_law(law) for law in published_laws()],
        "models": [asdict(point) for point in published_ratio_points()],
        "chance": chance_ceiling(),
        "fit": None if fit is None else _fit(fit),
        **assumptions(),
    }


def _settings(shape: type[Shape]) -> list[dict[str, Any]]:
    """A family's sizes beside depth and width, with their defaults."""
    return [
        {"name": field.name, "type": field.type, "default": field.default}
        for field in fields(shape)
        if field.name not in ("depth", "width")
    ]


def _law(law: PublishedLaw) -> dict[str, Any]:
    """A published law; a formula's slope depends on the size, so the page works it out."""
    formula = law.kind in ("levine", "depth_scaling")
    return {**asdict(law), "slope": None if formula else law.slope(law.params_low, law.params_high)}


def _fit(fit: LawFit) -> dict[str, Any]:
    """What the interval and the penalty need of a fit."""
    law = fit.law if fit.law is not None and fit.law.status == "optimum" else None
    joint = None if law is None else {
        "reference_params": law.reference_params,
        "ratio_at_reference": law.parameters["ratio_at_reference"].value,
        "gamma": law.parameters["gamma"].value,
        "covariance": law.covariance,
        "z_quantile": law.z_quantile,
        "params_low": law.params_low,
        "params_high": law.params_high,
        "curvatures": [asdict(each) for each in law.curvatures],
    }  # fmt: skip
    budgets = []
    for one in fit.budgets:
        star, curve, near = one.r_star, one.curve, one.loss_interval
        if star.value is not None and near is not None and star.status == "optimum":
            bends = curve is not None and curve.loss_min is not None and curve.curvature > 0
            budgets.append({
                "params": one.params_mean,
                "ratio": star.value,
                "best_low": star.low,
                "best_high": star.high,
                "low": near.low,
                "high": near.high,
                "curvature": curve.curvature / curve.loss_min if bends and curve and curve.loss_min else None,
            })  # fmt: skip
    return {"delta": fit.delta, "law": joint, "budgets": budgets}
