"""Puts pages that the menu of mkdocs.yml does not name at its end, so that none is forgotten; a hook of mkdocs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def on_config(config: Any) -> Any:
    """Adds a last section with the pages that no other section names."""
    folder = Path(config["docs_dir"])
    named = set(paths(config["nav"]))
    forgotten = sorted({path.relative_to(folder).as_posix() for path in folder.rglob("*.md")} - named)
    if forgotten:
        config["nav"].append({"More": forgotten})
    return config


def paths(nav: Any) -> Iterator[str]:
    """Every page of a menu, at any depth."""
    if isinstance(nav, str):
        yield nav
    else:
        for entry in nav.values() if isinstance(nav, dict) else nav:
            yield from paths(entry)
