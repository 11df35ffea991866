"""Writes the tables of docs/reproduction.md: `python examples/figures/reproduction_page.py runs/reproduce docs`.

Every experiment's folder below the first argument gives the section of its outcome.md, its figures beside it; sections
of experiments that were not run again stay as they are, and so does all that stands outside the two marks of the page.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from interlaw.report import write_figures
from interlaw.runs import load_table
from interlaw_paper import EXPERIMENTS, SCALES

BEGIN, END = "<!-- tables: written by `make reproduction-page` -->", "<!-- end of tables -->"
PAGE, FIGURES = "reproduction.md", "figures/reproduction"


def main(runs: Path, docs: Path) -> list[str]:
    """Renews the page and its figures.

    Args:
        runs: A folder of folders of `interlaw reproduce`.
        docs: The documentation's folder.

    Returns:
        Headings of the sections that were written.
    """
    page = docs / PAGE
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    kept, mark, after = rest.partition(END)
    if not mark:
        raise ValueError(f"expected the marks {BEGIN} and {END} in {page}, found neither; put them back")
    new = {}
    for folder in sorted(path.parent for path in runs.glob("*/outcome.json")):
        outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
        heading = f"{outcome['experiment']} ({outcome['scale']})"
        stem = outcome["experiment"] + ("" if outcome["scale"] == "tiny" else f"-{outcome['scale']}")
        text = (folder / "outcome.md").read_text(encoding="utf-8").strip()
        new[heading] = "\n".join([text, "", *pictures(folder, stem=stem, docs=docs)]).strip()
    sections = {**sections_of(kept), **new}
    order = [f"{name} ({scale})" for name in EXPERIMENTS for scale in SCALES]
    texts = [sections[heading] for heading in sorted(sections, key=order.index)]
    page.write_text("\n\n".join([before + BEGIN, *texts, END]) + after, encoding="utf-8")
    return list(new)


def sections_of(text: str) -> dict[str, str]:
    """Heading to section, the heading's line included."""
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    return {part.splitlines()[0].removeprefix("## "): part.strip() for part in parts if part.startswith("## ")}


def pictures(folder: Path, *, stem: str, docs: Path) -> Iterator[str]:
    """Copies an experiment's figures and draws those of its sweeps; gives the lines that show them."""
    (docs / FIGURES).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        drawn = [(path.stem, path) for path in sorted(folder.glob("*.png"))]
        for run in sorted(path.parent for path in folder.glob("*/recipe.toml")):
            written = write_figures(run, Path(scratch) / run.name, formats=("png",))
            several = load_table(run)["budget"].nunique() > 1
            wanted = ("loss-against-ratio", *(("interaction-plane",) if several else ()))
            drawn += [(f"{run.name}-{path.stem}", path) for path in written if path.stem in wanted]
        for name, path in drawn:
            shutil.copyfile(path, docs / FIGURES / f"{stem}-{name}.png")
            yield f"![{stem}-{name}]({FIGURES}/{stem}-{name}.png)"


if __name__ == "__main__":
    print("\n".join(main(Path(sys.argv[1]), Path(sys.argv[2]))))
