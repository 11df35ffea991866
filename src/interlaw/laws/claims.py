"""Every claim about interaction that one table, several tables or several treatments can test: C2 twice, C3, C4."""

from __future__ import annotations

from functools import partial

import numpy as np

from interlaw.laws.claim import Claim, adjust, ask, not_testable
from interlaw.laws.contexts import Contexts
from interlaw.laws.drift import interaction_drift
from interlaw.laws.off_the_curve import off_the_curve
from interlaw.laws.tracking import efficient_ratio, tracking
from interlaw.laws.within_shapes import within_shapes

_UNMEASURED = (("C2", "within-shapes"), ("C2", "off-the-curve"), ("C3", "tracking"))


def judge_claims(contexts: Contexts, *, confidence: float, num_permutations: int, seed: int) -> tuple[Claim, ...]:
    """The claims about interaction, most useful first; p-values adjusted over quantities and views of each test."""
    if not contexts.interaction:
        return tuple(not_testable(ask(claim, test), "interaction was not measured") for claim, test in _UNMEASURED)
    claims: list[Claim] = []
    for stream, (name, test) in enumerate({"within-shapes": within_shapes, "off-the-curve": off_the_curve}.items()):
        put = partial(test, contexts, confidence=confidence, num_permutations=num_permutations)
        tested = [
            put(asked=ask("C2", name, quantity=quantity, view=view), rng=np.random.default_rng([seed, stream]))
            for view, quantities in contexts.interaction.items()
            for quantity in map(str, quantities)
        ]
        claims.extend(adjust(tested))
    ratios = {view: efficient_ratio(contexts, view) for view in contexts.interaction}
    rng = np.random.default_rng([seed, 2])
    tracked = [
        tracking(contexts, where, view=view, confidence=confidence, num_permutations=num_permutations, rng=rng)
        for view, (where, _) in ratios.items()
    ]
    claims.extend(adjust(tracked))
    for view, (where, inside) in ratios.items():
        claims.extend(interaction_drift(contexts, where, inside=inside, view=view, confidence=confidence))
    return tuple(claims)
