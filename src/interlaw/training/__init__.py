"""Training: settings, optimizer, loop, checkpoints."""

from interlaw.training.checkpoint import load_weights, save_weights, write_atomically
from interlaw.training.loop import TrainResult, TrainState, evaluate, train
from interlaw.training.optimizer import learning_rate_at, make_optimizer
from interlaw.training.parametrization import Factors, factors, parameter_factors, scale_initial_weights
from interlaw.training.settings import Parametrization, TrainSettings

__all__ = [
    "Factors",
    "Parametrization",
    "TrainResult",
    "TrainSettings",
    "TrainState",
    "evaluate",
    "factors",
    "learning_rate_at",
    "load_weights",
    "make_optimizer",
    "parameter_factors",
    "save_weights",
    "scale_initial_weights",
    "train",
    "write_atomically",
]
