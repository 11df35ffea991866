"""What is learned, on which data, and with which probes."""

from interlaw.tasks.corpus import EMBEDDED, SPLITS, Corpus, open_corpus
from interlaw.tasks.task import Task
from interlaw.tasks.text import TextTask

__all__ = ["EMBEDDED", "SPLITS", "Corpus", "Task", "TextTask", "open_corpus"]
