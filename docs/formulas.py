"""Turns the formulas of a page into MathML, which browsers draw by themselves; a hook of mkdocs."""

from __future__ import annotations

import html
import re
from typing import Any

from latex2mathml.converter import convert

# what the Markdown extension arithmatex leaves: \(...\) within a line, \[...\] on lines of its own
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</\1>', flags=re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """The page's HTML with each formula as MathML."""
    return FORMULA.sub(mathml, content)


def mathml(formula: re.Match[str]) -> str:
    """One formula, in the line or in a block that scrolls by itself."""
    is_block = formula[1] == "div"
    drawn: str = convert(html.unescape(formula[2]).strip(), display="block" if is_block else "inline")
    return f'<div class="formula">{drawn}</div>' if is_block else drawn
