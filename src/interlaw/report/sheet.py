"""A plain page of tables, sentences and links: for results that are no run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from interlaw.report import markup
from interlaw.report.document import document


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
    body = [markup.section(f"part-{place}", part.title, _content(part)) for place, part in enumerate(parts, start=1)]
    return document(
        title=title,
        header=f"<h1>{markup.text(title)}</h1><p>{markup.text(intro)}</p>",
        body="".join(body),
        data={},
        styles=("page.css",),
        scripts=(),
    )


def _content(part: SheetPart) -> str:
    """Table, sentences, links."""
    table = markup.table(part.columns, part.rows, caption=part.title) if part.rows else ""
    items = markup.bullets(part.items) if part.items else ""
    links = "".join(f'<li><a href="{quote(place)}">{markup.text(place)}</a></li>' for place in part.links)
    return table + items + (f"<ul>{links}</ul>" if links else "")
