"""Messages of the library in the words of the command line: `head_dim=` becomes `--head-dim`."""

from __future__ import annotations

import re
from collections.abc import Mapping

# where an option's name is not that of the argument
OTHER_NAMES = {"vocab_size": "--vocab", "num_kv_heads": "--kv-heads", "num_candidates": "--count", "dtype": "--float32"}
# name=value and the option where both are named; a quotation, which stays; a bare name, known by its underscore
WORDS = re.compile(
    r"""(?<![\w./-])(?<!--column\ )
    (?P<name>[a-z][a-z_]*)=(?:'(?P<quoted>[^']*)'|(?P<plain>[\w.]*\w)?)(?:\ \(--[a-z0-9-]+\))?
    |(?<!\w)'(?P<alone>[a-z]+(?:_[a-z]+)+)'
    |(?<!\w)'[^']*'|"[^"]*"|`[^`]*`
    |(?<![\w./-])(?P<bare>[a-z]+(?:_[a-z]+)+)(?![\w./=(-])
    """,
    re.VERBOSE,
)


def in_options(message: str, options: Mapping[str, str]) -> str:
    """The message with arguments as options, which are given by the names of their arguments.

    Example:
        >>> in_options("lower head_dim or pass depths='1-4'", {"head_dim": "--head-dim", "depths": "--depths"})
        'lower --head-dim or pass --depths 1-4'
        >>> in_options("map it with --column params=THEIRS", {"params": "--params"})
        'map it with --column params=THEIRS'
    """
    known = {**{name: option for name, option in OTHER_NAMES.items() if option in options.values()}, **options}

    def renamed(match: re.Match[str]) -> str:
        option = known.get(match["name"] or match["bare"] or match["alone"])
        if option is None:
            return match[0]
        value = match["quoted"] or match["plain"]
        return option if value is None or option == OTHER_NAMES["dtype"] else f"{option} {value}"

    return WORDS.sub(renamed, message)
