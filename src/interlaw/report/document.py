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
from interlaw.plain import plain
from interlaw.report.figure import Drawing, page_specification
from interlaw.report.look import VEGA_CONFIG
from interlaw.report.tables import Table
from interlaw.report.wording import number

WIDE = 450  # pixels: a panel that is wider takes a whole row of the page


def document(
    template: str,
    *,
    title: str,
    data: Any,
    scripts: Sequence[str] = ("page.js",),
    connect: bool = False,
    **context: Any,
) -> str:
    """The page's HTML.

    Args:
        template: A file of `templates/`.
        title: Shown by the browser and at the top.
        data: What the script reads from the element `data`, as JSON.
        scripts: Asset files, joined in this order.
        connect: Whether the script may ask the server that the page came from.
        context: What the template shows.
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
            data=Markup(embedded(data)),  # noqa: S704  JSON with every angle bracket written as an escape
            **context,
        )
    )


def page_scripts(names: Sequence[str]) -> list[str]:
    """Vega, then the page's own script, which draws with it; nothing for a page without scripts."""
    return [vega_script(), "\n".join(asset(name) for name in names)] if names else []


@cache
def templates() -> Environment:
    """Where templates come from; a name that is missing is an error, never an empty text."""
    found = Environment(
        loader=PackageLoader("interlaw.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals["number"] = number
    return found


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
        found = kept.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        import vl_convert

        found = str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
        with suppress(OSError):  # a folder that nobody may write to costs time, not the page
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(kept, found.encode())
    if "</script" in found.lower() or "<!--" in found:
        raise RuntimeError("expected a Vega bundle that can stand in a page, found the end of a script element in it")
    return found


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


def drawn(figures: Sequence[tuple[str, str, Drawing]]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Figures for a template, and the specifications that its script draws them from.

    Args:
        figures: Name, heading and drawing of each.

    Returns:
        The template's figures, and the data `panels` and `config`.
    """
    shown, specifications = [], {}
    for name, title, drawing in figures:
        panels = []
        for place, panel in enumerate(drawing.panels):
            key, words = f"{name}:{place}", {"title": panel.title, "note": panel.note, "belongs": dict(panel.belongs)}
            panels.append({"id": key, **words, "wide": panel.width > WIDE})
            specifications[key] = page_specification(panel)
        shown.append(
            {"name": name, "title": title, "message": drawing.message, "caption": drawing.caption, "panels": panels}
        )
    return shown, {"panels": specifications, "config": VEGA_CONFIG}


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
