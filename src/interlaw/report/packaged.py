"""The packaged report of a real experiment: kept without style and scripts, which the installed package puts in."""

from __future__ import annotations

from importlib import resources

from interlaw.report.document import asset, page_scripts, policy
from interlaw.report.page import SCRIPTS

DEMO = "demo.html"  # one target of the experiment `waves` (docs/design.md), written by examples/figures/demo_page.py


def demo_page() -> str:
    """The page, whole."""
    page = resources.files("interlaw.report").joinpath(DEMO).read_text(encoding="utf-8")
    for place, part in _parts().items():
        page = page.replace(place, part)
    return page


def content_alone(page: str) -> str:
    """A written report as it is kept in the package: places stand for what every page has.

    Example:
        >>> kept = content_alone(demo_page())
        >>> [kept.count(place) for place in ("@@policy@@", "@@style@@", "@@vega@@", "@@script@@")]
        [1, 1, 1, 1]
    """
    for place, part in _parts().items():
        page = page.replace(part, place)
    return page


def _parts() -> dict[str, str]:
    """What every report has, by the place that stands for it."""
    style, (vega, script) = asset("page.css"), page_scripts(SCRIPTS)
    return {"@@policy@@": policy(style, [vega, script]), "@@style@@": style, "@@vega@@": vega, "@@script@@": script}
