"""The few HTML forms that the page is made of. Every text that enters a page passes through `text` here."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any


def text(value: Any) -> str:
    """A value as HTML text, safe inside elements and quoted attributes.

    Example:
        >>> text('<b onclick="x">')
        '&lt;b onclick=&quot;x&quot;&gt;'
    """
    return html.escape(str(value), quote=True)


def number(value: Any, *, digits: int = 4) -> str:
    """A number for people; a dash for what is unknown, thousands as they come.

    Example:
        >>> number(0.0312345), number(None), number(152133)
        ('0.03123', '–', '152,133')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.{digits}g}"


def span(low: float | None, high: float | None, *, digits: int = 3) -> str:
    """An interval; an end that the data do not set is said in words."""
    if low is None and high is None:
        return "no bound inside the grid"
    if low is None:
        return f"below {number(high, digits=digits)}"
    if high is None:
        return f"above {number(low, digits=digits)}"
    return f"{number(low, digits=digits)} to {number(high, digits=digits)}"


def table(
    headers: Sequence[str] | Mapping[str, str],
    rows: Sequence[Sequence[str]],
    *,
    caption: str,
    marks: Sequence[Mapping[str, Any]] = (),
    at_first: int | None = None,
) -> str:
    """A table of texts, each escaped here; the first cell of a row is its heading.

    Args:
        headers: Titles of the columns, or names to titles: then each heading carries its column's name as data.
        rows: Cells.
        caption: Shown above, and read to those who do not see the table.
        marks: Data attributes of each row.
        at_first: Rows beyond these are laid out when a script asks for them; all of them where no script runs.
    """
    named = headers.items() if isinstance(headers, Mapping) else (("", title) for title in headers)
    head = "".join(f'<th scope="col"{data({"column": name})}>{text(title)}</th>' for name, title in named)
    body = []
    for index, (first, *rest) in enumerate(rows):
        cells = f'<th scope="row">{text(first)}</th>' + "".join(f"<td>{text(cell)}</td>" for cell in rest)
        later = ' class="later"' if at_first is not None and index >= at_first else ""
        body.append(f"<tr{later}{data(marks[index] if marks else {})}>{cells}</tr>")
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}"><table>'
        f'<caption class="quiet">{text(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def data(values: Mapping[str, Any]) -> str:
    """Data attributes; empty ones left out.

    Example:
        >>> data({"key": "a1", "column": ""})
        ' data-key="a1"'
    """
    return "".join(f' data-{name}="{text(value)}"' for name, value in values.items() if value != "")


def bullets(items: Sequence[str]) -> str:
    """A list of texts, each escaped here."""
    return f"<ul>{''.join(f'<li>{text(item)}</li>' for item in items)}</ul>"


def section(name: str, title: str, body: str) -> str:
    """A part of the page with its heading; `name` is its anchor."""
    heading = f"{name}-title"
    return (
        f'<section id="{text(name)}" aria-labelledby="{text(heading)}">'
        f'<h2 id="{text(heading)}"><a href="#{text(name)}">{text(title)}</a></h2>{body}</section>'
    )


def contents(body: str) -> str:
    """Links to every part that `section` made in a body."""
    parts = re.findall(r'<h2 id="[^"]*"><a href="#([^"]*)">(.*?)</a></h2>', body)
    items = "".join(f'<li><a href="#{name}">{title}</a></li>' for name, title in parts)
    return f'<nav aria-label="Contents"><ul>{items}</ul></nav>'
