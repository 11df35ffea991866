"""Training: settings, optimizer, loop, checkpoints."""

from interlaw.training.checkpoint import load_weights, save_weights, write_atomically
from interlaw.training.loop import TrainResult, TrainState, evaluate, train
from interlaw.training.optimizer import learning_rate_at, make_optimizer
from interlaw.training.settings import TrainSettings

__all__ = [
    "TrainResult",
    "TrainSettings",
    "TrainState",
    "evaluate",
    "learning_rate_at",
    "load_weights",
    "make_optimizer",
    "save_weights",
    "train",
    "write_atomically",
]
