"""A plain page of tables, sentences and links: for results that are no run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from interlaw.report.document import document
from interlaw.report.tables import Table


@dataclass(frozen=True, kw_only=True)
class SheetPart:
    """One section of a sheet: a table, sentences, and links to files by their places relative to the page."""

    title: str
    table: Table | None = None
    sentences: Sequence[str] = ()
    links: Sequence[str] = ()


def plain_page(*, title: str, intro: str, parts: Sequence[SheetPart]) -> str:
    """The page's HTML without parts that hold nothing; every text is escaped, and nothing is fetched.

    Example:
        >>> page = plain_page(title="toy", intro="One & two.", parts=[SheetPart(title="Files", links=["a b.png"])])
        >>> '<a href="a%20b.png">a b.png</a>' in page, "One &amp; two." in page
        (True, True)
    """
    shown = [part for part in parts if (part.table and part.table.rows) or part.sentences or part.links]
    return document("sheet.html.j2", title=title, intro=intro, data={}, scripts=(), parts=shown)
