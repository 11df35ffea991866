"""Examples of docstrings as sections of their own: Google's word is `Example`, the site's parser wants the plural."""

from __future__ import annotations

import re
from typing import Any

import griffe


class Examples(griffe.Extension):
    """Without it an example would be read as Markdown, prompts as quotations and results as links."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Renames the heading in one docstring."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^( *)Example:$", r"\1Examples:", obj.docstring.value, flags=re.MULTILINE)
