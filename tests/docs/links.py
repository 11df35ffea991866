"""Checks the links of a built site: `python tests/docs/links.py site` counts them and fails on a broken one."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

RESOURCES = {("script", "src"), ("img", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}


class Page(HTMLParser):
    """The names that a page defines, and the links and resources that it asks for."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.names: set[str] = {""}
        self.links: set[str] = set()
        self.resources: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Takes note of one element."""
        for name, value in attrs:
            if value is None:
                continue
            if name in ("id", "name"):
                self.names.add(value)
            elif (tag, name) in RESOURCES:
                self.resources.add(value)
            elif (tag, name) == ("a", "href"):
                self.links.add(value)


@dataclass
class Findings:
    """What a walk over a site found.

    Attributes:
        internal: Links and resources within the site.
        external: Addresses elsewhere that a reader may follow; their form is checked, not what they lead to.
        broken: One line for each fault.
    """

    internal: int = 0
    external: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)


def check(site: Path) -> Findings:
    """Follows every link of every page; a page may ask for nothing from elsewhere."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    found = Findings()
    for path, page in pages.items():
        place = path.relative_to(site)
        for target in sorted(page.resources):
            if urlsplit(target).scheme not in ("", "data") or target.startswith("//"):
                found.broken.append(f"{place}: loads {target} from the network")
        for target in sorted(page.links | page.resources):
            parts = urlsplit(target)
            if parts.scheme in ("http", "https"):
                found.external.add(target)
                if parts.scheme != "https" or "." not in parts.netloc or " " in target:
                    found.broken.append(f"{place}: malformed address {target}")
            elif parts.scheme == "" and not target.startswith("//"):
                found.internal += 1
                found.broken += follow(site, pages, path, unquote(parts.path), unquote(parts.fragment))
    return found


def follow(site: Path, pages: dict[Path, Page], start: Path, path: str, fragment: str) -> list[str]:
    """What is wrong with a link within the site; nothing when it leads somewhere."""
    if path.startswith("/"):
        return [] if start.name == "404.html" else [f"{start.relative_to(site)}: absolute link {path}"]
    goal = (start.parent / path).resolve() if path else start
    goal = goal / "index.html" if goal.is_dir() else goal
    if not goal.is_file():
        return [f"{start.relative_to(site)}: {path} leads nowhere"]
    if goal in pages and fragment not in pages[goal].names:
        return [f"{start.relative_to(site)}: {path}#{fragment} has no such place"]
    return []


def main(site: Path) -> int:
    """Prints the counts and the faults."""
    found = check(site.resolve())
    print(
        f"{found.internal} links within the site, {len(found.external)} addresses elsewhere, {len(found.broken)} broken"
    )
    for line in found.broken:
        print(line)
    return 1 if found.broken or not found.internal else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
