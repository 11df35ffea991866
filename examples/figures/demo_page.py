"""Makes the report that `interlaw demo` opens again, from the run that it shows: a target of the experiment `waves`.

Its run is `interlaw reproduce waves --scale decisive --out runs/waves` (docs/design.md), and the page:

    python examples/figures/demo_page.py runs/waves/layers-1
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from importlib import resources
from pathlib import Path

from interlaw.report.page import DEMO, content_alone, page
from interlaw.report.results import load_results

TITLE = "Which shape of a small network learns best?"  # the recipe's name says it to those who wrote the recipe


def main() -> None:
    """Reads the run, writes the packaged page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    shown = page(replace(load_results(parser.parse_args().run), name=TITLE))
    kept = Path(str(resources.files("interlaw.report") / DEMO))
    kept.write_text(content_alone(shown), encoding="utf-8")
    print(kept)


if __name__ == "__main__":
    main()
