"""`interlaw shapes`: equal-budget shapes at once, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, Literal, TypedDict

import typer
from typer import Option

from interlaw import recommendation
from interlaw import shapes as matching
from interlaw.cli.loading import counting
from interlaw.cli.options import Tied, Vocabulary, among, given_options
from interlaw.cli.output import AsJson, make_console, print_json, tell
from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.size import format_ratio, format_size, parse_depths, parse_size

SUITED = [name for name in matching.DECODERS if matching.FAMILIES[name].suits_hardware]
FAR = 0.05  # judgement: half of the unevenness at which size matters as much as shape (`size.UNEVEN`)
VERY_FAR = 0.2  # beside JSON only a miss of this size is worth a word


def shapes(
    ctx: typer.Context,
    depths: Annotated[
        str | None, Option(help="Depths, such as 1-24, 2-16:2 or 1,2,4; those around the likely optimum, else 1-24.")
    ] = None,
    family: Annotated[
        str,
        Option(
            help="Shape family, or hf:NAME for a model_type of transformers.", autocompletion=among(matching.FAMILIES)
        ),
    ] = "gpt",
    params: Annotated[str | None, Option(help="Budget in parameters, such as 300k or 3M.")] = None,
    count: Annotated[str, Option(help="Parameters that the budget counts: total or non-embedding.")] = "total",
    flops: Annotated[str | None, Option(help="Budget in training FLOPs of a whole run.")] = None,
    flops_per_token: Annotated[str | None, Option(help="Budget in training FLOPs per token.")] = None,
    tokens_per_param: Annotated[
        float | None,
        Option(
            help=f"Tokens per total parameter, for --flops; {matching.CHINCHILLA_TOKENS_PER_PARAM:g} when not given."
        ),
    ] = None,
    rule: Annotated[
        matching.MatchRule, Option(help="largest: widest within the budget; nearest: least miss.")
    ] = "largest",
    multiple_of: Annotated[
        int | None, Option(min=1, help=f"Widths are multiples of this; 64 for {', '.join(SUITED)} and hf:, else 1.")
    ] = None,
    vocab_size: Vocabulary = None,
    context: Annotated[int | None, Option(help="Context length in tokens.")] = None,
    head_dim: Annotated[int | None, Option(help="Width of one attention head.")] = None,
    num_kv_heads: Annotated[
        int | None, Option("--kv-heads", min=1, help="Key-value heads, each shared by a group of heads.")
    ] = None,
    d_ff_ratio: Annotated[float | None, Option(help="Hidden units of the MLP over the width.")] = None,
    input_size: Annotated[int | None, Option(help="Coordinates of the input, of an mlp or gru.")] = None,
    output_size: Annotated[int | None, Option(help="Outputs, of an mlp or gru.")] = None,
    channels: Annotated[int | None, Option(help="Channels of the image, of a cnn.")] = None,
    tied: Tied = None,
    as_json: AsJson = False,
) -> None:
    """Equal-budget shapes, with exact counts and R.

    One a depth, of any family; R = depth / width.
    """
    wanted = Wanted(
        family=family,
        depths=depths,
        rule=rule,
        multiple_of=multiple_of,
        budgets=given_options(ctx, Budgets),
        sizes=given_options(ctx, DecoderSizes, vocab_size=None if vocab_size is None else parse_size(vocab_size)),
        others=given_options(ctx, OtherSizes),
    )
    budget = wanted.budget
    with counting(family):
        matched = wanted.match()
    rows = [{**shape.to_dict(), "budget_error": budget.error(shape)} for shape in matched]
    if as_json:
        print_json({"shapes": rows})
    else:
        _draw(rows)
        if family.startswith("hf:") and vocab_size is None:
            tell(f"note: vocabulary {rows[0]['vocab_size']:,}, the family's own; --vocab sets another")
    for note in misses(wanted, matched, far=VERY_FAR if as_json else FAR):
        tell(note)


class Budgets(TypedDict, total=False):
    """What `choose_budget` takes."""

    params: str
    count: Literal["total", "non-embedding"]
    flops: str
    flops_per_token: str
    tokens_per_param: float


class DecoderSizes(TypedDict, total=False):
    """The sizes of `Dimensions`."""

    vocab_size: int
    context: int
    head_dim: int
    num_kv_heads: int
    d_ff_ratio: float
    tied: bool


class OtherSizes(TypedDict, total=False):
    """Sizes that no decoder has."""

    input_size: int
    output_size: int
    channels: int


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for."""

    family: str
    depths: str | None
    rule: matching.MatchRule
    multiple_of: int | None
    budgets: Budgets
    sizes: DecoderSizes
    others: OtherSizes

    @property
    def budget(self) -> matching.Budget:
        """What every shape is to spend."""
        return matching.choose_budget(**self.budgets)

    @property
    def suits_hardware(self) -> bool:
        """Whether heads and widths are chosen as `recommend` does, by what suits hardware; else widths alone match."""
        return matching.require_family(self.family).suits_hardware

    def match(self) -> list[matching.Shape]:
        """The shapes, one a depth."""
        if not self.suits_hardware:
            return matching.match_shapes(
                family=self.family,
                depths=parse_depths(self.depths or "1-24"),
                rule=self.rule,
                multiple_of=self.multiple_of or 1,
                **self.budgets,
                **self.sizes,
                **self.others,
            )
        if self.others:  # refused in the family's own words
            matching.make_shape(self.family, depth=1, width=64, **self.others)
        dimensions = recommendation.Dimensions(family=self.family, multiple_of=self.multiple_of, **self.sizes)
        depths = (
            recommendation.depths_around(dimensions, self.budget) if self.depths is None else parse_depths(self.depths)
        )
        return recommendation.shapes_by_depth(dimensions, self.budget, depths=depths, rule=self.rule)

    def changes(self, worst: matching.Shape) -> Iterator[tuple[str, Wanted]]:
        """What may bring a shape closer to its budget, the mildest first."""
        here = replace(self, depths=str(worst.depth))
        head_dim = worst.to_dict().get("head_dim") or 0
        if self.rule == "largest":
            yield "--rule nearest", replace(here, rule="nearest")
        heads: dict[Literal["num_kv_heads", "head_dim"], str] = {"num_kv_heads": "--kv-heads", "head_dim": "--head-dim"}
        for name, option in heads.items():
            if name in self.sizes and (self.suits_hardware or name == "num_kv_heads"):
                without = self.sizes.copy()
                del without[name]
                yield f"no {option} {self.sizes[name]}", replace(here, sizes=without)
        for smaller in (64, 32, 16, 8):  # powers of two down to the least that hardware likes
            finer: DecoderSizes = {**self.sizes, "head_dim": smaller} if head_dim > smaller else self.sizes
            if self.suits_hardware and 8 < smaller < (self.multiple_of or 64):
                also = f" --head-dim {smaller}" if finer is not self.sizes else ""
                yield f"--multiple-of {smaller}{also}", replace(here, multiple_of=smaller, sizes=finer)
            elif not self.suits_hardware and finer is not self.sizes:
                yield f"--head-dim {smaller}", replace(here, sizes=finer)
            elif not self.suits_hardware and smaller < (self.multiple_of or 1):
                yield f"--multiple-of {smaller}", replace(here, multiple_of=smaller)


def misses(wanted: Wanted, matched: list[matching.Shape], *, far: float) -> Iterator[str]:
    """How many shapes miss the budget, and which change brings them closer, tried."""
    budget = wanted.budget
    worst = max(matched, key=lambda shape: abs(budget.error(shape)))
    number = sum(abs(budget.error(shape)) > far for shape in matched)
    if not number:
        return
    best = abs(budget.error(worst))
    remedy = "a larger budget comes closer"
    for words, changed in wanted.changes(worst):
        try:
            error = budget.error(changed.match()[0])
        except InterlawError:
            continue
        if abs(error) < 0.7 * best:  # judgement: a smaller gain is no remedy
            best, remedy = abs(error), f"{words} brings that one to {error:+.1%}"
        if best <= FAR:
            break
    yield (
        f"note: {number} of {len(matched)} shapes miss the budget by more than {far:.0%} (at depth {worst.depth} by "
        f"{budget.error(worst):+.0%}), for widths come in steps; {remedy}"
    )


def _draw(rows: list[Json]) -> None:
    """The table for people, at most 80 columns."""
    heads = ("depth", "width", "heads/kv", "d_ff", "params", "non-emb.", "FLOPs/tok", "R", "error")
    cells = [
        (
            str(row["depth"]),
            str(row["width"]),
            f"{row['num_heads']}/{row.get('num_kv_heads') or row['num_heads']}" if row["num_heads"] else "-",
            str(row["d_ff"] or "-"),
            f"{row['params']:,}",
            format_size(row["params_non_embedding"], padded=True),
            format_size(row["flops_per_token"], padded=True),
            format_ratio(row["ratio"]),
            f"{row['budget_error']:+.1%}",
        )
        for row in rows
    ]
    make_console(stderr=False).print_rows(heads, cells)
