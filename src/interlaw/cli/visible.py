"""Text from files as a terminal may show it."""

from __future__ import annotations

import unicodedata


def visible(text: str) -> str:
    r"""The text with every character that a terminal would obey, or that is none, written out.

    Example:
        >>> print(visible("red \x1b[31m, a name\u202e, bytes \udcff that are no text"))
        red \x1b[31m, a name\u202e, bytes \udcff that are no text
    """
    return "".join(char.encode("unicode_escape").decode() if _is_obeyed(char) else char for char in text)


def _is_obeyed(char: str) -> bool:
    """Control characters but a line's end and a tab, marks that turn the direction of writing, lone surrogates."""
    return unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") and char not in "\n\t"
