"""How near an experiment came: each published figure beside ours, with a verdict that a rule gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

from pydantic import TypeAdapter

from interlaw.files import packaged_rows

Verdict = Literal["agrees", "partly agrees", "does not agree", "not comparable"]
HEADS = ("figure", "at", "published", "ours", "verdict")


@dataclass(frozen=True, kw_only=True)
class Published:
    """One published figure.

    Attributes:
        experiment: Name of the experiment here.
        figure: What was measured.
        at: Where: a training-set size, a budget, a depth.
        value: The figure.
        spread: Its published standard deviation over seeds; None where one seed was published.
        tolerance: Where there is no spread, the relative distance that we let pass: our choice, not a published figure.
        source: Where it stands.
    """

    experiment: str
    figure: str
    at: str
    value: float
    source: str
    spread: float | None = None
    tolerance: float | None = None

    @property
    def reach(self) -> float:
        """How far a figure of ours may lie and still agree."""
        if self.spread is not None:
            return self.spread
        return abs(self.value) * (self.tolerance or 0.0)

    @property
    def rule(self) -> str:
        """What agreement means for this figure, in words."""
        if self.spread is not None:
            return "within the published standard deviation over seeds"
        return f"within {self.tolerance:.0%} of the published figure, a tolerance of ours: no spread was published"


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """One line of an agreement table.

    Attributes:
        figure: What was measured or claimed.
        at: Where; empty for a claim about the whole.
        published: The published figure or claim, in words or as a number.
        ours: What came out here; None when it was not measured.
        verdict: By the rule that `rule` states.
        rule: What agreement means for this line.
        differs: What differs in the setting.
        spread: Published standard deviation over seeds; None where none was published.
        our_spread: Standard deviation of ours over seeds.
    """

    figure: str
    at: str
    published: float | str
    ours: float | str | None
    verdict: Verdict
    rule: str
    differs: str = ""
    spread: float | None = None
    our_spread: float | None = None

    def cells(self) -> tuple[str, ...]:
        """The line as it is read, under `HEADS`."""
        published, ours = _shown(self.published, self.spread), _shown(self.ours, self.our_spread)
        return self.figure, self.at, published, ours, self.verdict


@cache
def published_figures(experiment: str) -> tuple[Published, ...]:
    """The published figures of an experiment, from the table that the package carries."""
    rows = packaged_rows("interlaw_paper", "published.csv")
    every = TypeAdapter(list[Published]).validate_python(rows)
    return tuple(one for one in every if one.experiment == experiment)


def compare(
    published: Published,
    ours: float | None,
    *,
    our_spread: float | None = None,
    differs: str = "",
    comparable: bool = True,
) -> Agreement:
    """A figure of ours against a published one: it agrees within the published spread, else within our tolerance.

    Args:
        published: The published one.
        ours: Ours; None when it was not measured.
        our_spread: Standard deviation of ours over seeds.
        differs: What differs in the setting.
        comparable: False where the two measure different things, a loss on another text say: then no verdict is due.

    Example:
        >>> figure = Published(experiment="toy", figure="loss", at="T=3", value=1.1, spread=0.01, source="here")
        >>> compare(figure, 1.105).verdict, compare(figure, 1.2).verdict, compare(figure, None).verdict
        ('agrees', 'does not agree', 'not comparable')
    """
    verdict: Verdict = "not comparable"
    if comparable and ours is not None and math.isfinite(ours):
        verdict = "agrees" if abs(ours - published.value) <= published.reach else "does not agree"
    return Agreement(
        figure=published.figure,
        at=published.at,
        published=published.value,
        ours=ours,
        verdict=verdict,
        rule=published.rule,
        differs=differs if ours is not None else "not run at this scale",
        spread=published.spread,
        our_spread=our_spread,
    )


def claim(
    figure: str,
    *,
    published: str,
    ours: str | None,
    holds: bool | Literal["partly"] | None,
    rule: str,
    differs: str = "",
) -> Agreement:
    """A published statement against what came out; `holds` None: this scale cannot tell."""
    verdicts: dict[object, Verdict] = {True: "agrees", "partly": "partly agrees", False: "does not agree"}
    verdict = verdicts.get(holds, "not comparable")
    return Agreement(figure=figure, at="", published=published, ours=ours, verdict=verdict, rule=rule, differs=differs)


def remarks(lines: Sequence[Agreement]) -> list[str]:
    """What the table leaves out, each said once: what differs in the setting, and what agreement means.

    Example:
        >>> peak = claim("peak", published="at 500", ours="at 500", holds=True, rule="the same size", differs="data")
        >>> remarks([peak])
        ['What differs from the published setting: data.', 'Agreement means: the same size.']
    """
    said = []
    every = tuple(dict.fromkeys(line.figure for line in lines))
    for opening, attribute in (("What differs from the published setting", "differs"), ("Agreement means", "rule")):
        shared: dict[tuple[str, ...], list[str]] = {}
        pieces = dict.fromkeys(piece for line in lines for piece in getattr(line, attribute).split("; ") if piece)
        for piece in pieces:
            holders = [line.figure for line in lines if piece in getattr(line, attribute).split("; ")]
            shared.setdefault(tuple(dict.fromkeys(holders)), []).append(piece)
        for figures, words in shared.items():
            of_these = "" if figures == every else f" ({'; '.join(figures)})"
            said.append(f"{opening}{of_these}: {'; '.join(words)}.")
    return said


def _shown(value: float | str | None, spread: float | None) -> str:
    """A value with its spread for people, four digits; a dash where there is none."""
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:.4g}" + (f" ± {spread:.2g}" if spread else "")
