"""Neural interaction of any network: the energies of its AGOP, without bias, with intervals, against chance."""

from interlaw.interaction import bottleneck, output_side, token_view
from interlaw.interaction.compare import SCALE, compare, same_clusters
from interlaw.interaction.compare_layers import LayersDifference, compare_layers
from interlaw.interaction.energies import Energies, energies, plugin
from interlaw.interaction.factors import grams_of
from interlaw.interaction.flow import agop, measure
from interlaw.interaction.grams import (
    LEAST_CLUSTERS,
    LEVEL,
    NULLS,
    QUANTITIES,
    Estimate,
    Grams,
    haar_null,
    jackknife,
)
from interlaw.interaction.intervals import INTERVALS, bootstrap, with_intervals
from interlaw.interaction.layers import LayerInteraction, Layers, list_layers, measure_layers
from interlaw.interaction.options import VIEWS, MeasureOptions, Options, View
from interlaw.interaction.output_side import projected_null
from interlaw.interaction.result import Interaction
from interlaw.interaction.rotation import RotationTest, require_small, rotation_test
from interlaw.interaction.store import load, save
from interlaw.interaction.views import InputSide

# A built-in view registers itself in its own file, which must be imported for that.
REGISTERED = (bottleneck, output_side, token_view)

__all__ = [
    "INTERVALS",
    "LEAST_CLUSTERS",
    "LEVEL",
    "NULLS",
    "QUANTITIES",
    "SCALE",
    "VIEWS",
    "Energies",
    "Estimate",
    "Grams",
    "InputSide",
    "Interaction",
    "LayerInteraction",
    "Layers",
    "LayersDifference",
    "MeasureOptions",
    "Options",
    "RotationTest",
    "View",
    "agop",
    "bootstrap",
    "compare",
    "compare_layers",
    "energies",
    "grams_of",
    "haar_null",
    "jackknife",
    "list_layers",
    "load",
    "measure",
    "measure_layers",
    "plugin",
    "projected_null",
    "require_small",
    "rotation_test",
    "same_clusters",
    "save",
    "with_intervals",
]
