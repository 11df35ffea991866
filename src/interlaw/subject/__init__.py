"""What is measured: a model by any of its names, and the inputs that it reads; the same for every front end."""

from interlaw.subject.input_files import read_array
from interlaw.subject.inputs import (
    DEFAULT_TEXT,
    MOST_BY_LAYER,
    MOST_SAMPLES,
    Given,
    any_tokens,
    count_samples,
    own_windows,
    read_inputs,
)
from interlaw.subject.measured import measure, measure_layers
from interlaw.subject.model import Subject, open_subject, title_of

__all__ = [
    "DEFAULT_TEXT",
    "MOST_BY_LAYER",
    "MOST_SAMPLES",
    "Given",
    "Subject",
    "any_tokens",
    "count_samples",
    "measure",
    "measure_layers",
    "open_subject",
    "own_windows",
    "read_array",
    "read_inputs",
    "title_of",
]
