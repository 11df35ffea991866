"""What an experiment hands back, and how its work is carried out."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from interlaw.files import write_atomically
from interlaw.laws import Claim
from interlaw.plain import Json, plain
from interlaw.report import SheetPart, plain_page, table_of
from interlaw.runs import RunFolder, TrialSpec
from interlaw_paper.agreement import HEADS, Agreement, remarks
from interlaw_paper.scale import Scale

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
        scale: `tiny`, `paper` or `decisive`.
        setting: What was run, in a sentence.
        agreement: Published figures beside ours.
        claims: What the tests of the paper's claims say, by sweep; empty where nothing was fitted.
        notes: What a reader must know beside.
        lost: What was to be run and did not end well, each in a line; the figures lack it.
        files: Figures and pages that were written.
        table: The numbers behind, one row a trial or a size.
    """

    experiment: str
    scale: Scale
    setting: str
    agreement: tuple[Agreement, ...]
    claims: Mapping[str, tuple[Claim, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    table: tuple[Json, ...] = ()

    def to_dict(self) -> Json:
        """The form of `outcome.json` and of `--json`."""
        return dict(plain(self))

    def sentences(self) -> list[str]:
        """What the claims' tests say, in words; a reason why claims cannot be tested is said once."""
        return list(
            dict.fromkeys(
                f"{label}, {claim.claim}: {claim.gist}" for label, claims in self.claims.items() for claim in claims
            )
        )

    def to_markdown(self) -> str:
        """A section for a page."""
        rows = (HEADS, ("---",) * len(HEADS), *(line.cells() for line in self.agreement))
        parts = [f"## {self.experiment} ({self.scale})\n", self.setting + "\n"]
        parts += [*(f"| {' | '.join(cells)} |" for cells in rows), ""]
        parts += [f"- {line}" for line in (*self.sentences(), *remarks(self.agreement), *self.notes)]
        parts += [f"- Lost: {line}." for line in self.lost]
        return "\n".join(parts) + "\n"


def records(table: pd.DataFrame) -> tuple[Json, ...]:
    """The rows of a table as an outcome holds them."""
    return tuple({str(name): value for name, value in row.items()} for row in table.to_dict(orient="records"))


def write_outcome(outcome: Outcome, out: Path) -> None:
    """Writes OUT/outcome.json, OUT/outcome.md and OUT/index.html, the same as a page with links to figures."""
    content = json.dumps(outcome.to_dict(), indent=1) + "\n"
    write_atomically(out / "outcome.json", content.encode())
    write_atomically(out / "outcome.md", outcome.to_markdown().encode())
    lines = [dict(zip(HEADS, line.cells(), strict=True)) for line in outcome.agreement]
    near = SheetPart(
        title="How near it came",
        table=table_of(lines, caption="Published figures beside ours"),
        sentences=(*remarks(outcome.agreement), *outcome.notes),
    )
    places = [Path(os.path.relpath(file, out)).as_posix() for file in outcome.files]
    parts = (
        near,
        SheetPart(title="The claims", sentences=outcome.sentences()),
        SheetPart(title="Lost", sentences=outcome.lost),
        SheetPart(title="Figures and reports", links=places),
    )
    page = plain_page(title=f"{outcome.experiment} ({outcome.scale})", intro=outcome.setting, parts=parts)
    write_atomically(out / "index.html", page.encode())
