from .callback import InteractionCallback as InteractionCallback
from .tracker import TrackedPoint as TrackedPoint
from .tracker import Tracker as Tracker
from .tracker import track as track
