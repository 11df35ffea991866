"""The packaged report of a real experiment: kept without Vega, which the installed package puts in when it is shown."""

from __future__ import annotations

from importlib import resources

from interlaw.report.document import digest, vega_script

DEMO = "demo.html"  # the report of one target of the experiment `waves` (docs/design.md)
# what stands in the file for Vega's script and for its digest in the page's policy
SCRIPT, DIGEST = "@@vega@@", "@@vega-digest@@"


def demo_page() -> str:
    """The page, whole."""
    kept = resources.files("interlaw.report").joinpath(DEMO).read_text(encoding="utf-8")
    return kept.replace(DIGEST, digest(vega_script())).replace(SCRIPT, vega_script())


def without_vega(page: str) -> str:
    """A written report as it is kept in the package.

    Example:
        >>> without_vega(demo_page()).count(SCRIPT)
        1
    """
    return page.replace(vega_script(), SCRIPT).replace(digest(vega_script()), DIGEST)
