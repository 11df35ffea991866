"""Tells the site's parser which names a package offers, and how this project writes the heading of an example."""

from __future__ import annotations

import re
from typing import Any

import griffe

OPTIONS = "**options: Any of the following.\n"  # their own lines below it are indented once more


class Docstrings(griffe.Extension):
    """Reads public names from `__init__.pyi`, and examples as sections of their own."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Without it a package whose names are loaded on first use would look empty."""
        for package in [pkg, *(module for module in pkg.modules.values() if module.is_subpackage)]:
            imported = {name: member for name, member in package.members.items() if member.is_alias}
            # not the modules of its own that it imports for what they register
            names = {
                n for n, each in imported.items() if each.target_path not in ("lazy_loader", f"{package.path}.{n}")
            }
            if package.exports is None and names:
                package.exports = names

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Google's word for the heading is `Example`, the parser wants the plural; options of options become a list."""
        if obj.docstring is not None:
            text = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
            head, listed, options = text.partition(OPTIONS)
            if listed:
                options = re.sub(r"^( {8})([a-z_]+):", r"\1- **`\2`**:", options, flags=re.MULTILINE)
                text = f"{head}{listed}\n{options}"
            obj.docstring.value = text
