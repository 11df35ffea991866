"""Neural interaction of any network: the energies of its AGOP, without bias, with intervals, against chance."""

from interlaw.interaction.energies import Energies, energies
from interlaw.interaction.estimates import Estimate
from interlaw.interaction.measure import agop, measure
from interlaw.interaction.result import Interaction
from interlaw.interaction.views import VIEWS

__all__ = ["VIEWS", "Energies", "Estimate", "Interaction", "agop", "energies", "measure"]
