"""interlaw: measure neural interaction, sweep equal-budget shapes, fit the law, choose a shape.

Names are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from interlaw.errors import InterlawError as InterlawError
    from interlaw.errors import WorkFailedError as WorkFailedError
    from interlaw.interaction import Interaction as Interaction
    from interlaw.interaction import agop as agop
    from interlaw.interaction import energies as energies
    from interlaw.interaction import measure as measure
    from interlaw.interaction import measure_layers as measure_layers
    from interlaw.laws import LawFit as LawFit
    from interlaw.laws import fit_law as fit_law
    from interlaw.recommendation import recommend as recommend
    from interlaw.runs import load_table as load_table
    from interlaw.runs import load_trial as load_trial
    from interlaw.shapes import Shape as Shape
    from interlaw.shapes import match_shapes as match_shapes

__version__ = "0.1.0"

_HOMES = {
    "InterlawError": "interlaw.errors",
    "WorkFailedError": "interlaw.errors",
    "Interaction": "interlaw.interaction",
    "agop": "interlaw.interaction",
    "energies": "interlaw.interaction",
    "measure": "interlaw.interaction",
    "measure_layers": "interlaw.interaction",
    "LawFit": "interlaw.laws",
    "fit_law": "interlaw.laws",
    "recommend": "interlaw.recommendation",
    "load_table": "interlaw.runs",
    "load_trial": "interlaw.runs",
    "Shape": "interlaw.shapes",
    "match_shapes": "interlaw.shapes",
}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Loads a public name from the stage that defines it."""
    if name not in _HOMES:
        raise AttributeError(f"module 'interlaw' has no attribute {name!r}; its names are {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    """The public names."""
    return list(__all__)
