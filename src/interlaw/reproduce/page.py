"""OUT/index.html: an experiment's outcome as a page, with links to its figures and to the reports of its sweeps."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from interlaw.report import html_document, markup
from interlaw.reproduce.agreement import remarks, shown
from interlaw.reproduce.outcome import Outcome
from interlaw.training import write_atomically

PAGE = "index.html"


def write_page(outcome: Outcome, out: Path) -> Path:
    """Writes the page whole; nothing in it is fetched."""
    title = f"{outcome.experiment} ({outcome.scale})"
    parts = [_agreement(outcome), _questions(outcome)]
    if outcome.lost:
        parts.append(markup.section("lost", "Lost", markup.bullets(outcome.lost)))
    if outcome.files:
        parts.append(markup.section("files", "Figures and reports", _links(outcome.files, out)))
    page = html_document(
        title=title,
        header=f"<h1>{markup.text(title)}</h1><p>{markup.text(outcome.setting)}</p>",
        body="".join(parts),
        data={},
        styles=("page.css",),
        scripts=(),
    )
    write_atomically(out / PAGE, page.encode())
    return out / PAGE


def _agreement(outcome: Outcome) -> str:
    """The table, and what it leaves out."""
    rows = [
        (line.figure, line.at, shown(line.published, line.spread), shown(line.ours, line.our_spread), line.verdict)
        for line in outcome.agreement
    ]
    table = markup.table(("figure", "at", "published", "ours", "verdict"), rows, caption="Published figures and ours")
    notes = markup.bullets((*remarks(outcome.agreement), *outcome.notes))
    return markup.section("agreement", "How near it came", table + notes)


def _questions(outcome: Outcome) -> str:
    """The two open questions."""
    items = [f"{each.question} {each.answer}: {each.evidence}." for each in outcome.answers]
    return markup.section("questions", "Two open questions", markup.bullets(items))


def _links(files: tuple[str, ...], out: Path) -> str:
    """Where the files lie, from the page."""
    places = [Path(os.path.relpath(file, out)).as_posix() for file in files]
    return "<ul>" + "".join(f'<li><a href="{quote(place)}">{markup.text(place)}</a></li>' for place in places) + "</ul>"
