"""Whole numbers only: sizes, shapes, their exact counts, and shapes of equal budget. Imports no torch."""

from interlaw.shapes.bottleneck import BottleneckShape
from interlaw.shapes.budget import CHINCHILLA_TOKENS_PER_PARAM, Budget, BudgetKind
from interlaw.shapes.cnn import CNNShape
from interlaw.shapes.gpt import GPTShape
from interlaw.shapes.gru import GRUShape
from interlaw.shapes.llama import LlamaShape
from interlaw.shapes.matching import (
    FAMILIES,
    NEAREST_TOLERANCE,
    choose_budget,
    make_shape,
    match_shapes,
    match_width,
    near_family,
    require_family,
)
from interlaw.shapes.mlp import MLPShape
from interlaw.shapes.qwen2 import Qwen2Shape
from interlaw.shapes.shape import Shape, require_heads
from interlaw.size import format_size, parse_depths, parse_size

__all__ = [
    "CHINCHILLA_TOKENS_PER_PARAM",
    "FAMILIES",
    "NEAREST_TOLERANCE",
    "BottleneckShape",
    "Budget",
    "BudgetKind",
    "CNNShape",
    "GPTShape",
    "GRUShape",
    "LlamaShape",
    "MLPShape",
    "Qwen2Shape",
    "Shape",
    "choose_budget",
    "format_size",
    "make_shape",
    "match_shapes",
    "match_width",
    "near_family",
    "parse_depths",
    "parse_size",
    "require_family",
    "require_heads",
]
