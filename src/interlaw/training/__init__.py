"""Training: settings, optimizer, loop, checkpoints."""

from typing import TYPE_CHECKING

from interlaw.late import late_names
from interlaw.training.settings import Parametrization, Precision, TrainSettings
from interlaw.training.whole_file import write_atomically

if TYPE_CHECKING:
    from interlaw.training.checkpoint import load_weights, save_weights
    from interlaw.training.coordinates import CoordinateCheck, check_coordinates
    from interlaw.training.loop import TrainResult, TrainState, evaluate, train
    from interlaw.training.memory import Footprint, footprint, free_bytes, is_out_of_memory, require_room
    from interlaw.training.optimizer import learning_rate_at, make_optimizer
    from interlaw.training.parallel import SlicedTask
    from interlaw.training.parametrization import Factors, factors, parameter_factors, scale_initial_weights
else:  # with torch, so that reading a record does without
    __getattr__ = late_names(
        __name__,
        {
            "checkpoint": (
                "load_weights",
                "save_weights",
            ),
            "coordinates": (
                "CoordinateCheck",
                "check_coordinates",
            ),
            "loop": (
                "TrainResult",
                "TrainState",
                "evaluate",
                "train",
            ),
            "memory": (
                "Footprint",
                "footprint",
                "free_bytes",
                "is_out_of_memory",
                "require_room",
            ),
            "optimizer": (
                "learning_rate_at",
                "make_optimizer",
            ),
            "parallel": ("SlicedTask",),
            "parametrization": (
                "Factors",
                "factors",
                "parameter_factors",
                "scale_initial_weights",
            ),
        },
    )

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
