"""Neural interaction of any network: the energies of its AGOP, without bias, with intervals, against chance."""

from interlaw.interaction.bootstrap import bootstrap
from interlaw.interaction.compare import compare
from interlaw.interaction.energies import QUANTITIES, Energies, energies
from interlaw.interaction.estimates import LEVEL, Estimate, jackknife, plugin
from interlaw.interaction.grams import Grams, grams_of
from interlaw.interaction.intervals import INTERVALS, require_interval, with_intervals
from interlaw.interaction.layerwise import LayerInteraction, Layers, measure_layers
from interlaw.interaction.measure import agop, measure
from interlaw.interaction.null import NULLS, haar_null, projected_null
from interlaw.interaction.result import Interaction
from interlaw.interaction.rotation import RotationTest, require_small, rotation_test
from interlaw.interaction.store import load, save
from interlaw.interaction.views import VIEWS

__all__ = [
    "INTERVALS",
    "LEVEL",
    "NULLS",
    "QUANTITIES",
    "VIEWS",
    "Energies",
    "Estimate",
    "Grams",
    "Interaction",
    "LayerInteraction",
    "Layers",
    "RotationTest",
    "agop",
    "bootstrap",
    "compare",
    "energies",
    "grams_of",
    "haar_null",
    "jackknife",
    "load",
    "measure",
    "measure_layers",
    "plugin",
    "projected_null",
    "require_interval",
    "require_small",
    "rotation_test",
    "save",
    "with_intervals",
]
