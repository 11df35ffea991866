"""The pages of the documentation, and what stands in them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHELLS = ("bash", "sh", "console")
FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)


def pages() -> list[Path]:
    """Every page in Markdown, as a reader meets it."""
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


@cache
def make_targets() -> dict[str, list[str]]:
    """The Makefile's targets and what each needs, as make itself reads them."""
    # -p prints what make knows, -q runs nothing (its status says what is out of date), -rR leave out rules of its own
    done = subprocess.run(["make", "-pqrR"], cwd=ROOT, capture_output=True, text=True, check=False)
    rules = [line.partition(":") for line in done.stdout.splitlines() if line[:1].isalpha() and ":" in line]
    return {target: needs.split() for target, _, needs in rules if "=" not in target and not needs.startswith("=")}


def make_commands(target: str) -> str:
    """The commands that `make TARGET` would run."""
    return subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def name_of(page: Path) -> str:
    """A page's path from the root of the checkout."""
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, *languages: str) -> list[str]:
    """The fenced blocks of these languages, top to bottom."""
    return [code for language, code in FENCE.findall(page.read_text(encoding="utf-8")) if language in languages]


def prose(page: Path) -> str:
    """The page without its fenced blocks and its code spans."""
    return re.sub(r"`[^`]*`", "`code`", FENCE.sub("", page.read_text(encoding="utf-8")))


def commands(page: Path) -> Iterator[str]:
    """Command lines: those of shell blocks, of blocks that start with one, and in code spans."""
    for code in blocks(page, "", *SHELLS):
        for line in code.replace("\\\n", " ").splitlines():
            yield line.removeprefix("$ ").split("  #")[0].strip()
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for span in re.findall(r"`([^`]+)`", text):
        yield " ".join(span.split())
