"""OUT/index.html: an experiment's outcome as a page, with links to its figures and to the reports of its sweeps."""

from __future__ import annotations

import os
from pathlib import Path

from interlaw.files import write_atomically
from interlaw.report import SheetPart, plain_page
from interlaw.reproduce.agreement import remarks, shown
from interlaw.reproduce.outcome import Outcome

PAGE = "index.html"


def write_page(outcome: Outcome, out: Path) -> Path:
    """Writes the page whole; nothing in it is fetched."""
    rows = [
        (line.figure, line.at, shown(line.published, line.spread), shown(line.ours, line.our_spread), line.verdict)
        for line in outcome.agreement
    ]
    places = [Path(os.path.relpath(file, out)).as_posix() for file in outcome.files]
    parts = [
        SheetPart(
            title="How near it came",
            columns=("figure", "at", "published", "ours", "verdict"),
            rows=rows,
            items=(*remarks(outcome.agreement), *outcome.notes),
        ),
        *([SheetPart(title="The claims", items=outcome.sentences())] if outcome.claims else []),
        *([SheetPart(title="Lost", items=outcome.lost)] if outcome.lost else []),
        *([SheetPart(title="Figures and reports", links=places)] if places else []),
    ]
    page = plain_page(title=f"{outcome.experiment} ({outcome.scale})", intro=outcome.setting, parts=parts)
    write_atomically(out / PAGE, page.encode())
    return out / PAGE
