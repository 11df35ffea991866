from .callback import InteractionCallback as InteractionCallback
from .tracker import Point as Point
from .tracker import Tracker as Tracker
from .tracker import track as track
