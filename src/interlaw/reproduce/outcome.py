"""What an experiment hands back, and how it is told of progress."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from interlaw.files import write_atomically
from interlaw.reproduce.agreement import Agreement, as_markdown, remarks
from interlaw.reproduce.open_questions import Answer
from interlaw.runs import RunFolder, TrialSpec

Scale = Literal["tiny", "paper"]
Plan = Callable[[], tuple[RunFolder, list[TrialSpec]]]


@dataclass(frozen=True, kw_only=True)
class Driver:
    """How an experiment's work is carried out and shown; the command line and a script have their own.

    Attributes:
        sweep: Runs what is missing of a plan, which may grow with what has ended.
        note: Takes one line of progress.
        device: Where to train.
    """

    sweep: Callable[[Plan], None]
    note: Callable[[str], None] = lambda line: None
    device: str = "cpu"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An experiment's result.

    Attributes:
        experiment: Its name.
        scale: `tiny` or `paper`.
        setting: What was run, in a sentence.
        agreement: Published figures beside ours.
        answers: The two questions that the paper leaves open.
        table: The numbers behind, one row a trial or a size.
        files: Figures and pages that were written.
        notes: What a reader must know beside.
        lost: What was to be run and did not end well, each in a line; the figures lack it.
    """

    experiment: str
    scale: Scale
    setting: str
    agreement: tuple[Agreement, ...]
    answers: tuple[Answer, ...]
    table: tuple[dict[str, Any], ...] = ()
    files: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())
    lost: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """The form of `outcome.json` and of `--json`."""
        return {
            "experiment": self.experiment,
            "scale": self.scale,
            "setting": self.setting,
            "agreement": [line.to_dict() for line in self.agreement],
            "open_questions": [answer.to_dict() for answer in self.answers],
            "notes": list(self.notes),
            "lost": list(self.lost),
            "files": list(self.files),
            "table": list(self.table),
        }

    def to_markdown(self) -> str:
        """A section for a page."""
        parts = [f"## {self.experiment} ({self.scale})\n", self.setting + "\n", as_markdown(self.agreement)]
        parts += [f"- {answer.question} **{answer.answer}**: {answer.evidence}." for answer in self.answers]
        parts += [f"- {note}" for note in (*remarks(self.agreement), *self.notes)]
        parts += [f"- Lost: {line}." for line in self.lost]
        return "\n".join(parts) + "\n"


def write_outcome(outcome: Outcome, out: Path) -> None:
    """Writes OUT/outcome.json and OUT/outcome.md."""
    content = json.dumps(outcome.to_dict(), indent=1, default=float) + "\n"
    write_atomically(out / "outcome.json", content.encode())
    write_atomically(out / "outcome.md", outcome.to_markdown().encode())
