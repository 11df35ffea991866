"""Sizes as people read them; the budgets of a law in its sentences and warnings."""

from __future__ import annotations

import numpy as np


def size_text(size: float) -> str:
    """Three digits and a power of a thousand.

    Example:
        >>> size_text(1_234_567), size_text(50_000.0)
        ('1.23M', '50k')
    """
    power = int(np.clip(np.floor(np.log10(size) / 3 + 1e-9), 0, 4))
    return f"{size / 1000**power:.3g}{('', 'k', 'M', 'B', 'T')[power]}"
