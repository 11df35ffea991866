"""A plain page of tables, sentences and links: for results that are no run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from interlaw.report.document import document
from interlaw.report.tables import Column, Table


@dataclass(frozen=True, kw_only=True)
class SheetPart:
    """One section of a sheet; what is empty is left out.

    Attributes:
        title: Its heading.
        columns: Titles of a table's columns.
        rows: The table's cells.
        items: Sentences.
        links: Places of files, relative to the page.
    """

    title: str
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    items: Sequence[str] = ()
    links: Sequence[str] = ()


def plain_page(*, title: str, intro: str, parts: Sequence[SheetPart]) -> str:
    """The page's HTML; every text is escaped, and nothing is fetched.

    Example:
        >>> page = plain_page(title="toy", intro="One & two.", parts=[SheetPart(title="Files", links=["a b.png"])])
        >>> '<a href="a%20b.png">a b.png</a>' in page, "One &amp; two." in page
        (True, True)
    """
    shown = [
        {
            "title": part.title,
            "sentences": part.items,
            "links": [(quote(place), place) for place in part.links],
            "table": _table(part) if part.rows else None,
        }
        for part in parts
    ]
    return document("sheet.html.j2", title=title, intro=intro, data={}, scripts=(), parts=shown)


def _table(part: SheetPart) -> Table:
    return Table(caption=part.title, columns=[Column(title=title) for title in part.columns], rows=part.rows)
