"""Training: settings, optimizer, loop, checkpoints."""

from interlaw.training.checkpoint import load_weights, save_weights, write_atomically
from interlaw.training.coordinates import CoordinateCheck, check_coordinates
from interlaw.training.loop import TrainResult, TrainState, evaluate, train
from interlaw.training.memory import Footprint, footprint, free_bytes, is_out_of_memory, require_room
from interlaw.training.optimizer import learning_rate_at, make_optimizer
from interlaw.training.parallel import SlicedTask
from interlaw.training.parametrization import Factors, factors, parameter_factors, scale_initial_weights
from interlaw.training.settings import Parametrization, Precision, TrainSettings

__all__ = [
    "CoordinateCheck",
    "Factors",
    "Footprint",
    "Parametrization",
    "Precision",
    "SlicedTask",
    "TrainResult",
    "TrainSettings",
    "TrainState",
    "check_coordinates",
    "evaluate",
    "factors",
    "footprint",
    "free_bytes",
    "is_out_of_memory",
    "learning_rate_at",
    "load_weights",
    "make_optimizer",
    "parameter_factors",
    "require_room",
    "save_weights",
    "scale_initial_weights",
    "train",
    "write_atomically",
]
