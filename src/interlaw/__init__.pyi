__version__: str

from .errors import InterlawError as InterlawError
from .errors import WorkFailedError as WorkFailedError
from .interaction import Interaction as Interaction
from .interaction import agop as agop
from .interaction import energies as energies
from .laws import LawFit as LawFit
from .laws import fit_law as fit_law
from .recommendation import recommend as recommend
from .report import chart_of as chart_of
from .runs import load_table as load_table
from .runs import load_trial as load_trial
from .shapes import Shape as Shape
from .shapes import match_shapes as match_shapes
from .subject import measure as measure
from .subject import measure_layers as measure_layers
from .tracking import InteractionCallback as InteractionCallback
from .tracking import track as track
