"""A whole HTML document that needs nothing else: style, script and numbers inside; its policy lets in no more."""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from importlib import resources
from typing import Any

from interlaw.report.markup import contents, text


def document(
    *,
    title: str,
    header: str,
    body: str,
    data: Any,
    styles: Sequence[str],
    scripts: Sequence[str],
    connect: bool = False,
) -> str:
    """The page's HTML.

    Args:
        title: Shown by the browser.
        header: HTML of the head of the page.
        body: HTML of its parts.
        data: What its script reads from the element `data`, as JSON.
        styles: Asset files, joined in this order.
        scripts: Asset files, joined in this order.
        connect: Whether its script may ask the server that it came from.
    """
    css = "\n".join(asset(name) for name in styles)
    script = "\n".join(asset(name) for name in scripts)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy(css, script, connect=connect)}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{text(title)} · interlaw</title><style>{css}</style></head><body>"
        f'<a class="skip" href="#main">Skip to the text</a><header>{header}{contents(body)}</header>'
        f'<main id="main" tabindex="-1">{body}</main>'
        f'<script type="application/json" id="data">{embedded(data)}</script>'
        f"<script>{script}</script></body></html>\n"
    )


def asset(name: str) -> str:
    """A file of the page."""
    return resources.files("interlaw.report").joinpath("assets", name).read_text(encoding="utf-8")


def policy(css: str, script: str, *, connect: bool = False) -> str:
    """Only this style and this script may run, and nothing may be fetched: what the browser itself enforces."""
    sources = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in (css, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{sources[0]}'; script-src 'sha256-{sources[1]}'; "
        + ("connect-src 'self'; " if connect else "")
        + "base-uri 'none'; form-action 'none'"
    )


def embedded(values: Any) -> str:
    r"""JSON that is safe inside a script element, whatever the texts in it.

    Example:
        >>> embedded({"name": "</script>"})
        '{"name":"\\u003c/script\\u003e"}'
    """
    written = json.dumps(plain(values), separators=(",", ":"), allow_nan=False)
    return written.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plain(value: Any) -> Any:
    """What JSON lacks (NaN, infinities) as null, tuples as lists."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
