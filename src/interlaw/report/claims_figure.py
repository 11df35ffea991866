"""The claims as a forest plot: each effect with its interval, and the effects too small for this design to see."""

from __future__ import annotations

from collections.abc import Sequence

from interlaw.laws import Claim
from interlaw.plain import Json
from interlaw.report.figure import Drawing, Panel
from interlaw.report.look import BOLD, FAINT, FAINTLY, LARGE, MUTED, OF_TWO, VERDICTS, padded
from interlaw.report.marks import Spec, layered, legend, linear_axis, marks, name_axis, told_apart, when
from interlaw.report.results import Analysis, RunResults

DECIDED = {"holds": "for the claim", "opposite": "against the claim", "negligible": "negligible"}
NAMES = {
    "r_star_loss": "R* of the loss",
    "r_star_interaction": "R* of interaction",
    "r_star_difference": "their difference",
    "aofe": "AOFE",
    "aofe_ratio": "AOFE-ratio",
    "aofe_scale_free": "scale-free AOFE",
    "excess_ratio": "excess over chance",
}
ROW = 26  # pixels


def claim_rows(claims: Sequence[Claim]) -> list[Json]:
    """The plotted numbers: a row a claim that was tested; the others have no effect to draw."""
    several = len({claim.view for claim in claims if claim.view}) > 1
    return [
        {
            "test": claim_name(claim, with_view=several),
            **{name: getattr(claim, name) for name in ("effect", "low", "high", "verdict")},
            "unseen_low": None if claim.detectable is None else -claim.detectable,
            "unseen_high": claim.detectable,
            "said": claim.sentence,
        }
        for claim in claims
        if claim.effect is not None
    ]


def claim_name(claim: Claim, *, with_view: bool = True) -> str:
    """A claim's row, in a few words."""
    view = f" ({claim.view})" if claim.view and with_view else ""
    return f"{claim.claim} {claim.test}: {NAMES.get(claim.quantity, claim.quantity)}{view}"


def claims_message(claims: Sequence[Claim]) -> str:
    """How many claims the data decide."""
    tested = [claim for claim in claims if claim.effect is not None]
    decided = [claim.verdict for claim in tested if claim.verdict != "cannot tell"]
    if not decided:
        return f"None of {len(tested)} tests of the claims is decided by these data"
    counts = ", ".join(f"{decided.count(each)} {words}" for each, words in DECIDED.items() if each in decided)
    are = "is" if len(decided) == 1 else "are"
    return f"{len(decided)} of {len(tested)} tests of the claims {are} decided: {counts}"


def draw_claims(claims: Sequence[Claim], *, confidence: float) -> Drawing | None:
    """The forest plot; None where no claim was tested."""
    values = claim_rows(claims)
    if not values:
        return None
    names = list(dict.fromkeys(row["test"] for row in values))
    ends = [row[end] for row in values for end in ("effect", "low", "high", "unseen_low", "unseen_high")]
    rows = name_axis("test", names, ticks=False, domain=False)
    unseen = [row for row in values if row["unseen_high"] is not None]
    chart = layered(
        linear_axis("effect", "effect", limits=padded([*ends, 0.0]), grid=True),
        rows,
        marks(unseen, "bar", x="unseen_low", x2="unseen_high", y=rows, color=FAINT, opacity=FAINTLY),
        *effect_layers(values, rows),
    )
    panel = Panel(chart=chart, title="The paper's claims, tested", width=OF_TWO["width"], height=ROW * (len(names) + 1))
    caption = (
        "Each row is one test: its effect (a correlation, or for C4 the slope of log R* on log N) with its "
        f"{confidence:.0%} interval. Grey: effects that this design would miss, with less than 80% power. Filled: a "
        "decided claim; hollow: cannot tell. p is one-sided and adjusted over the tests of a kind (Holm); the "
        "interval is neither."
    )
    return Drawing(message=claims_message(claims), caption=caption, panels=(panel,))


def effect_layers(values: Sequence[Json], rows: Spec) -> list[Spec]:
    """Effects with their intervals, each in its row, in the colour of its verdict; hollow where it cannot tell."""
    verdict = told_apart("verdict", VERDICTS, looks=list(VERDICTS.values()), key=legend())
    known = [row for row in values if row["low"] is not None and row["high"] is not None]
    filled = when("datum.verdict == 'cannot tell'", 0, other=1)
    dot: Spec = {"stroke": verdict, "fill": verdict, "fillOpacity": filled, "size": LARGE, "strokeWidth": BOLD}
    return [
        marks([{"effect": 0.0}], "rule", x="effect", color=MUTED),
        marks(known, "rule", x="low", x2="high", y=rows, color=verdict, strokeWidth=BOLD),
        marks(values, "point", x="effect", y=rows, said=True, **dot),
    ]


def claims_of_treatment(results: RunResults, analyses: Sequence[Analysis]) -> Drawing | None:
    """Views together, each test once."""
    claims = {claim_name(claim): claim for each in analyses for claim in each.fit.claims}
    return draw_claims(list(claims.values()), confidence=analyses[0].fit.confidence)
