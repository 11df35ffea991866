"""How many samples a trial is judged and measured on, so that neither costs more than a small part of its training.

Both follow from the recipe alone: what a trial costs in trained samples, not in seconds. A trained sample is a forward
and a backward pass and its part of an optimizer step.
"""

from __future__ import annotations

from collections.abc import Sequence

from interlaw.interaction import VIEWS
from interlaw.training import TEST_SAMPLES, VALIDATION_SAMPLES

# parts of the training; seconds scatter, so both stay below what is promised (3% and 5%)
EVALUATING, MEASURING = 0.025, 0.04

# cost of one sample in trained samples, measured on GPTs of width 16 to 128 (`python -m benchmarks training`); that of
# measuring it is in `VIEWS`
JUDGED = 0.3

# Judgement: fewer samples leave intervals too wide to compare shapes by. More cost time, and the error falls only with
# the root of their number.
LEAST_MEASURED, MOST_MEASURED = 32, 256
LEAST_VALIDATION, LEAST_TEST = VALIDATION_SAMPLES // 4, TEST_SAMPLES // 4


def measured_samples(views: Sequence[str], *, trained_samples: int) -> int:
    """Samples for each view, so that all together stay within their part; at least and at most so many.

    Example:
        >>> measured_samples(["projected", "loss"], trained_samples=12_000)
        87
        >>> measured_samples(["loss"], trained_samples=10**6)
        256
    """
    cost = sum(VIEWS[view].cost for view in views)
    affordable = int(MEASURING * trained_samples / cost) if cost else MOST_MEASURED
    return min(max(affordable, LEAST_MEASURED), MOST_MEASURED)


def judged_samples(evaluations: int, *, trained_samples: int) -> tuple[int, int]:
    """Samples of each validation and of the test, in a fixed proportion within their part, between a least and a most.

    Example:
        >>> judged_samples(5, trained_samples=4000)
        (25, 205)
        >>> judged_samples(5, trained_samples=10**6)
        (64, 512)
    """
    share = EVALUATING * trained_samples / JUDGED / (evaluations * VALIDATION_SAMPLES + TEST_SAMPLES)
    return (
        min(max(int(share * VALIDATION_SAMPLES), LEAST_VALIDATION), VALIDATION_SAMPLES),
        min(max(int(share * TEST_SAMPLES), LEAST_TEST), TEST_SAMPLES),
    )
