"""Results as plain values, which JSON can hold."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]  # an object of a JSON text, read or to be written


def plain(value: Any) -> Any:
    """Dataclasses and mappings as objects, tuples as lists, paths as text, NumPy's numbers as Python's.

    What JSON lacks (NaN, infinities) becomes null.

    Example:
        >>> plain({"low": float("nan"), "ends": (1, 2.5)})
        {'low': None, 'ends': [1, 2.5]}
    """
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Path):
        return str(value)
    return plain(value.item()) if hasattr(value, "item") else value
