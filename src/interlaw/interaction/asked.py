"""What a public function is asked to measure: its keywords as options, checked against the view before a batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from interlaw.errors import InterlawError, did_you_mean, require_among
from interlaw.interaction.known_views import OF_ANY_NETWORK, VIEWS
from interlaw.interaction.options import Options

# Options that a view has no use for may still say what it does anyway.
HARMLESS: dict[str, tuple[object, ...]] = {"layer": (None, "embeddings"), "probes": (None, "exact")}


def options_from(given: Mapping[str, Any], *, without: Sequence[str] = (), **fixed: Any) -> Options:
    """The options of a public function from its keywords.

    Args:
        given: The keywords.
        without: Options that the function does not take.
        fixed: Defaults of its own.

    Raises:
        TypeError: A keyword is none of them.
        InterlawError: An option has no such value, or the view has no use for it.
    """
    _require_known(given, without)
    options = Options(**{"view": OF_ANY_NETWORK, **fixed, **given})
    _require_use(options)
    return options


def _require_known(given: Mapping[str, Any], without: Sequence[str]) -> None:
    """Refuses a keyword that is no option, or one that the function does not take."""
    known = [one.name for one in fields(Options) if one.name not in without]
    for name in (name for name in given if name not in known):
        raise TypeError(f"expected options among {', '.join(known)}, found '{name}'{did_you_mean(name, known)}")


def _require_use(options: Options) -> None:
    """Refuses a view that is not known, and options that mean nothing to the view."""
    require_among("a view", options.view, known=VIEWS.names())
    for name in VIEWS[options.view].useless:
        if getattr(options, name) not in HARMLESS.get(name, (None, False)):
            raise _without_use(options, name)


def _without_use(options: Options, name: str) -> InterlawError:
    others = ", ".join(other for other, view in VIEWS.everything().items() if name not in view.useless)
    return InterlawError(
        f"the {options.view} view has no use for {name}, found {getattr(options, name)!r}; leave it out, or use one of "
        f"the views {others}"
    )
