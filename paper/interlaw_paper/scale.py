"""How large an experiment is run."""

from __future__ import annotations

from typing import Literal, get_args

Scale = Literal["tiny", "paper", "decisive"]
SCALES: tuple[Scale, ...] = get_args(Scale)
