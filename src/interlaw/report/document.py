"""A whole HTML document that needs nothing else: style, script and numbers inside; its policy lets in no more.

Pages are Jinja2 templates with autoescape: every text is escaped unless this file marked it as its own.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from interlaw.files import write_atomically
from interlaw.plain import Json, plain
from interlaw.report.figure import Drawing, Panel, page_specification
from interlaw.report.look import VEGA_CONFIG
from interlaw.report.tables import Table

WIDE = 450  # pixels: a panel that is wider takes a whole row of the page


def document(
    template: str,
    *,
    title: str,
    data: Json,
    scripts: Sequence[str] = ("page.js",),
    connect: bool = False,
    **context: Any,
) -> str:
    """The page's HTML: a file of `templates/` filled with `context`.

    Its script, the named assets joined in their order, reads `data` as JSON; `connect` lets it ask the page's server.
    """
    parts, style = page_scripts(scripts), asset("page.css")
    return (
        templates()
        .get_template(template)
        .render(
            title=title,
            style=Markup(style),  # noqa: S704  the package's own file
            scripts=[Markup(part) for part in parts],  # noqa: S704  likewise
            policy=Markup(policy(style, parts, connect=connect)),  # noqa: S704  quotes stand in it
            data=Markup(embedded({**data, "config": VEGA_CONFIG} if scripts else data)),  # noqa: S704  escaped there
            **context,
        )
    )


def page_scripts(names: Sequence[str]) -> list[str]:
    """Vega, then the page's own script, which draws with it; nothing for a page without scripts."""
    return [vega_script(), "\n".join(asset(name) for name in names)] if names else []


@cache
def templates() -> Environment:
    """Where templates come from; a name that is missing is an error, never an empty text."""
    return Environment(
        loader=PackageLoader("interlaw.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(name: str) -> str:
    """A file of the page."""
    return resources.files("interlaw.report").joinpath("assets", name).read_text(encoding="utf-8")


@cache
def vega_script() -> str:
    """Vega, Vega-Lite and Vega-Embed, from the installed vl-convert.

    Making it takes seconds, so it is kept in the user's cache folder, by version; where none can be written, it is made
    once a process.

    Raises:
        RuntimeError: When it holds what would end a script element.
    """
    cache_home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    kept = cache_home / "interlaw" / f"vega-{metadata.version('vl-convert-python')}.js"
    try:
        bundle = kept.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        import vl_convert

        bundle = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
        with suppress(OSError):  # a folder that nobody may write to costs time, not the page
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, bundle.encode())
    if "</script" in bundle.lower() or "<!--" in bundle:
        raise RuntimeError("expected a Vega bundle that can stand in a page, found the end of a script element in it")
    return bundle


def policy(style: str, scripts: Sequence[str], *, connect: bool = False) -> str:
    """Only this style and these scripts may run, and nothing may be fetched: what the browser itself enforces."""
    hashes = " ".join(digest(script) for script in scripts) or "'none'"
    return (
        f"default-src 'none'; style-src {digest(style)}; script-src {hashes}; img-src data: blob:; "
        + ("connect-src 'self'; form-action 'self'; " if connect else "form-action 'none'; ")
        + "base-uri 'none'"
    )


def digest(content: str) -> str:
    """How a policy names a script or a style."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def embedded(values: Any) -> str:
    r"""JSON that is safe inside a script element, whatever the texts in it.

    Example:
        >>> embedded({"name": "</script>"})
        '{"name":"\\u003c/script\\u003e"}'
    """
    written = json.dumps(plain(values), separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A panel's place on a page, which the script fills with the specification of this id."""

    id: str
    panel: Panel
    wide: bool


@dataclass(frozen=True, kw_only=True)
class PageFigure:
    """A figure as a template shows it: anchor, heading, words, and a place a panel."""

    name: str
    title: str
    drawing: Drawing
    cells: Sequence[Cell]


def drawn(figures: Sequence[tuple[str, str, Drawing]]) -> tuple[list[PageFigure], Json]:
    """Figures (name, heading, drawing) for a template, and its script's `panels`: what each cell is drawn from."""
    shown, panels = [], {}
    for name, title, drawing in figures:
        cells = [
            Cell(id=f"{name}:{place}", panel=panel, wide=panel.width > WIDE)
            for place, panel in enumerate(drawing.panels)
        ]
        panels.update({cell.id: page_specification(cell.panel) for cell in cells})
        shown.append(PageFigure(name=name, title=title, drawing=drawing, cells=cells))
    return shown, panels


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
