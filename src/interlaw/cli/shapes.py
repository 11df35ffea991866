"""`interlaw shapes`: equal-budget shapes at once, without torch."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from interlaw.cli.completion import RULES, among, families
from interlaw.cli.output import AsJson, make_console, print_json
from interlaw.errors import InterlawError

FAR = 0.05


def shapes(
    depths: Annotated[str, typer.Option(help="Depths, such as 1-24, 2-16:2 or 1,2,4.")] = "1-24",
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
    multiple_of: Annotated[int, typer.Option(help="Widths are multiples of this, beside head_dim.")] = 1,
    vocab: Annotated[int | None, typer.Option(help="Vocabulary size.")] = None,
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
    from interlaw.shapes import choose_budget, match_shapes, parse_depths

    given = {
        "vocab_size": vocab,
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
    matched = match_shapes(
        family=family,
        depths=parse_depths(depths),
        rule=_rule(rule),
        multiple_of=multiple_of,
        **budget_arguments,
        **settings,
    )
    rows = [{**shape.to_dict(), "budget_error": budget.error(shape)} for shape in matched]
    if as_json:
        print_json({"shapes": rows})
        return
    _draw(rows)
    far = sum(abs(row["budget_error"]) > FAR for row in rows)
    if far:
        heads = "a smaller --head-dim, " if rows[0]["num_heads"] else ""
        make_console().print(
            f"note: {far} of {len(rows)} shapes miss the budget by more than {FAR:.0%}, for widths come in steps; "
            f"{heads}--rule nearest or a larger budget comes closer"
        )


def _rule(rule: str) -> Any:
    """The matching rule, checked."""
    if rule not in ("largest", "nearest"):
        raise InterlawError(f"expected --rule largest or nearest, found {rule!r}; choose one of them")
    return rule


def _draw(rows: list[dict[str, Any]]) -> None:
    """The table for people."""
    from rich.table import Table

    table = Table(box=None, header_style="bold")
    for name in ("depth", "width", "heads", "d_ff", "params", "non-embedding", "FLOPs/token", "R", "budget error"):
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(
            str(row["depth"]),
            str(row["width"]),
            str(row["num_heads"] or "-"),
            str(row["d_ff"] or "-"),
            f"{row['params']:,}",
            f"{row['params_non_embedding']:,}",
            f"{row['flops_per_token']:,}",
            f"{row['ratio']:.4g}",
            f"{row['budget_error']:+.2%}",
        )
    make_console(stderr=False).print(table)
