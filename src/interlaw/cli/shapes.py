"""`interlaw shapes`: equal-budget shapes at once, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlaw.cli.completion import RULES, among, families
from interlaw.cli.loading import counting
from interlaw.cli.output import AsJson, make_console, print_json
from interlaw.errors import InterlawError

if TYPE_CHECKING:
    from interlaw.shapes import Budget, Shape

FAR = 0.05
VERY_FAR = 0.2  # beside JSON only a miss of this size is worth a word


def shapes(
    depths: Annotated[
        str | None,
        typer.Option(help="Depths, such as 1-24, 2-16:2 or 1,2,4; those around the likely optimum, else 1-24."),
    ] = None,
    family: Annotated[
        str, typer.Option(help="Shape family, or hf:NAME for a model_type of transformers.", autocompletion=families)
    ] = "gpt",
    params: Annotated[str | None, typer.Option(help="Budget in parameters, such as 300k or 3M.")] = None,
    count: Annotated[str, typer.Option(help="Parameters that the budget counts: total or non-embedding.")] = "total",
    flops: Annotated[str | None, typer.Option(help="Budget in training FLOPs of a whole run.")] = None,
    flops_per_token: Annotated[str | None, typer.Option(help="Budget in training FLOPs per token.")] = None,
    tokens_per_param: Annotated[
        float | None, typer.Option(help="Tokens per total parameter, for --flops; 20 when not given.")
    ] = None,
    rule: Annotated[
        str, typer.Option(help="largest: widest within the budget; nearest: least miss.", autocompletion=among(RULES))
    ] = "largest",
    multiple_of: Annotated[
        int | None, typer.Option(help="Widths are multiples of this; 64 for llama, qwen2 and hf:, else 1.")
    ] = None,
    vocab: Annotated[str | None, typer.Option(help="Vocabulary size, such as 32k; the family's own.")] = None,
    context: Annotated[int | None, typer.Option(help="Context length in tokens.")] = None,
    head_dim: Annotated[int | None, typer.Option(help="Width of one attention head.")] = None,
    kv_heads: Annotated[
        int | None, typer.Option(min=1, help="Key-value heads, each shared by a group of heads.")
    ] = None,
    d_ff_ratio: Annotated[float | None, typer.Option(help="Hidden units of the MLP over the width.")] = None,
    input_size: Annotated[int | None, typer.Option(help="Coordinates of the input, of an mlp or gru.")] = None,
    output_size: Annotated[int | None, typer.Option(help="Outputs, of an mlp or gru.")] = None,
    channels: Annotated[int | None, typer.Option(help="Channels of the image, of a cnn.")] = None,
    tied: Annotated[bool | None, typer.Option("--tied/--untied", help="Output head tied to the token table.")] = None,
    as_json: AsJson = False,
) -> None:
    """Equal-budget shapes, with exact counts and R.

    One a depth, of any family; R = depth / width.
    """
    from interlaw.shapes import choose_budget, parse_size

    given = {
        "vocab_size": None if vocab is None else parse_size(vocab),
        "context": context,
        "head_dim": head_dim,
        "num_kv_heads": kv_heads,
        "d_ff_ratio": d_ff_ratio,
        "input_size": input_size,
        "output_size": output_size,
        "channels": channels,
        "tied": tied,
    }
    settings: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    budget_arguments: dict[str, Any] = {
        "params": params,
        "count": count,
        "flops": flops,
        "flops_per_token": flops_per_token,
    }
    if tokens_per_param is not None:
        budget_arguments["tokens_per_param"] = tokens_per_param
    budget = choose_budget(**budget_arguments)
    wanted = Wanted(family, depths, _rule(rule), multiple_of, settings)
    with counting(family):
        matched = wanted.match(budget, budget_arguments)
    rows = [{**shape.to_dict(), "budget_error": budget.error(shape)} for shape in matched]
    if as_json:
        print_json({"shapes": rows})
    else:
        _draw(rows)
        if family.startswith("hf:") and vocab is None:
            size = f"{rows[0]['vocab_size']:,}"
            make_console().print(f"note: vocabulary {size}, the family's own; --vocab sets another", markup=False)
    for note in misses(wanted, budget, budget_arguments, matched, far=VERY_FAR if as_json else FAR):
        make_console().print(note, markup=False, highlight=False)


@dataclass(frozen=True)
class Wanted:
    """What was asked for, beside the budget."""

    family: str
    depths: str | None
    rule: Any
    multiple_of: int | None
    settings: dict[str, Any]

    def match(self, budget: Budget, budget_arguments: dict[str, Any]) -> list[Shape]:
        """The shapes: decoders with `recommend`'s dimensions, every other family by its own matching rule."""
        from interlaw.shapes import match_shapes, parse_depths

        if self.family in ("llama", "qwen2") or self.family.startswith("hf:"):
            return self._decoders(budget)
        return match_shapes(
            family=self.family,
            depths=parse_depths(self.depths or "1-24"),
            rule=self.rule,
            multiple_of=self.multiple_of or 1,
            **budget_arguments,
            **self.settings,
        )

    def _decoders(self, budget: Budget) -> list[Shape]:
        from interlaw.recommendation import Dimensions, depths_around, shapes_by_depth
        from interlaw.shapes import make_shape, parse_depths

        for name in ("input_size", "output_size", "channels"):
            if name in self.settings:  # refused in the family's own words
                make_shape(self.family, depth=1, width=64, **{name: self.settings[name]})
        own = {"kv_heads" if name == "num_kv_heads" else name: value for name, value in self.settings.items()}
        dimensions = Dimensions(family=self.family, multiple_of=self.multiple_of, **own)
        depths = depths_around(dimensions, budget) if self.depths is None else parse_depths(self.depths)
        return shapes_by_depth(dimensions, budget, depths, rule=self.rule)


def misses(
    wanted: Wanted, budget: Budget, budget_arguments: dict[str, Any], matched: list[Shape], *, far: float
) -> Iterator[str]:
    """How many shapes miss the budget, and which change brings them closer, tried."""
    worst = max(matched, key=lambda shape: abs(budget.error(shape)))
    number = sum(abs(budget.error(shape)) > far for shape in matched)
    if not number:
        return
    said = (
        f"note: {number} of {len(matched)} shapes miss the budget by more than {far:.0%} (at depth {worst.depth} by "
        f"{budget.error(worst):+.0%}), for widths come in steps"
    )
    best = abs(budget.error(worst))
    remedy = "a larger budget comes closer"
    for words, change in _changes(wanted, worst):
        try:
            tried = replace(wanted, **change, depths=str(worst.depth)).match(budget, budget_arguments)
        except InterlawError:
            continue
        error = abs(budget.error(tried[0]))
        if error < 0.7 * best:
            best, remedy = error, f"{words} brings that one to {budget.error(tried[0]):+.1%}"
        if best <= FAR:
            break
    yield f"{said}; {remedy}"


def _changes(wanted: Wanted, worst: Shape) -> Iterator[tuple[str, dict[str, Any]]]:
    """What may bring a shape closer to its budget, the mildest first."""
    without = {name: value for name, value in wanted.settings.items() if name != "num_kv_heads"}
    if wanted.rule == "largest":
        yield "--rule nearest", {"rule": "nearest"}
    if "num_kv_heads" in wanted.settings:
        yield f"no --kv-heads {wanted.settings['num_kv_heads']}", {"settings": without}
    decoder = wanted.family in ("llama", "qwen2") or wanted.family.startswith("hf:")
    row = worst.to_dict()
    step, head_dim = wanted.multiple_of or 1, row.get("head_dim")
    if decoder and "head_dim" in wanted.settings:
        free = {name: value for name, value in wanted.settings.items() if name != "head_dim"}
        yield f"no --head-dim {head_dim}", {"settings": free}
    for smaller in (64, 32, 16, 8):
        if decoder and 8 < smaller < (wanted.multiple_of or 64):
            finer = {**wanted.settings, "head_dim": smaller} if (head_dim or 0) > smaller else wanted.settings
            heads = f" --head-dim {smaller}" if finer is not wanted.settings else ""
            yield f"--multiple-of {smaller}{heads}", {"multiple_of": smaller, "settings": finer}
        elif not decoder and head_dim and smaller < head_dim:
            yield f"--head-dim {smaller}", {"settings": {**wanted.settings, "head_dim": smaller}}
        elif not decoder and smaller < step:
            yield f"--multiple-of {smaller}", {"multiple_of": smaller}


def _rule(rule: str) -> Any:
    """The matching rule, checked."""
    if rule not in ("largest", "nearest"):
        raise InterlawError(f"expected --rule largest or nearest, found {rule!r}; choose one of them")
    return rule


def _draw(rows: list[dict[str, Any]]) -> None:
    """The table for people, at most 80 columns."""
    from rich.table import Table

    from interlaw.shapes import format_size

    table = Table(box=None, header_style="bold", padding=0)
    for name in ("depth", "width", "heads/kv", "d_ff", "params", "non-emb.", "FLOPs/tok", "R", "error"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        heads, kv = row["num_heads"], row.get("num_kv_heads") or row["num_heads"]
        table.add_row(
            str(row["depth"]),
            str(row["width"]),
            f"{heads}/{kv}" if heads else "-",
            str(row["d_ff"] or "-"),
            f"{row['params']:,}",
            format_size(row["params_non_embedding"]),
            f"{row['flops_per_token']:.2e}",
            f"{row['ratio']:.4f}",
            f"{row['budget_error']:+.1%}",
        )
    make_console(stderr=False).print(table)
