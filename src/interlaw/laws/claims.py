"""Every claim of the paper that a table, or several, can be asked about: C2 twice, C3, C4."""

from __future__ import annotations

import numpy as np

from interlaw.laws.claim import Claim, adjust, not_testable
from interlaw.laws.contexts import Contexts
from interlaw.laws.drift import interaction_drift
from interlaw.laws.off_the_curve import off_the_curve
from interlaw.laws.tracking import efficient_ratio, tracking
from interlaw.laws.within_shapes import within_shapes

_UNMEASURED = (("C2", "within-shapes"), ("C2", "off-the-curve"), ("C3", "tracking"))


def judge_claims(contexts: Contexts, *, confidence: float, num_permutations: int, seed: int) -> tuple[Claim, ...]:
    """The claims about interaction, most useful first; p-values adjusted over quantities and views of each test.

    Args:
        contexts: Runs, shapes and contexts of one table, or of several joined.
        confidence: Level of every interval.
        num_permutations: Permutations of each test.
        seed: Seed of the permutations: claims do not depend on what else was drawn.
    """
    views = contexts.interaction
    if not views:
        return tuple(not_testable(claim, test, "interaction was not measured") for claim, test in _UNMEASURED)
    options = {"confidence": confidence, "num_permutations": num_permutations}
    found: list[Claim] = []
    for stream, test in enumerate((within_shapes, off_the_curve)):
        each = [
            test(
                contexts,
                measured,
                quantity=quantity,
                view=view,
                rng=np.random.default_rng([seed, stream]),
                **options,  # type: ignore[arg-type]
            )
            for view, quantities in views.items()
            for quantity, measured in quantities.items()
        ]
        found.extend(adjust(each))
    ratios = {view: efficient_ratio(contexts, quantities) for view, quantities in views.items()}
    rng = np.random.default_rng([seed, 2])
    tracked = [tracking(contexts, where, view=view, rng=rng, **options) for view, (where, _) in ratios.items()]  # type: ignore[arg-type]
    found.extend(adjust(tracked))
    for view, (where, inside) in ratios.items():
        found.extend(interaction_drift(contexts, where, inside, view=view, confidence=confidence))
    return tuple(found)
