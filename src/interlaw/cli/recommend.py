"""`interlaw recommend`: a range of shapes for a budget, with the evidence for and against."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlaw.cli.compare import parse_interval
from interlaw.cli.completion import DECODERS, among
from interlaw.cli.output import AsJson, people, print_json
from interlaw.errors import InterlawError

if TYPE_CHECKING:
    from interlaw.laws import LawFit
    from interlaw.recommendation import Candidate, Recommendation


def recommend(
    params: Annotated[str | None, typer.Option(help="Budget in total parameters, such as 350M.")] = None,
    flops: Annotated[str | None, typer.Option(help="Budget in training FLOPs, such as 1e20, instead.")] = None,
    family: Annotated[str, typer.Option(help="gpt, llama or qwen2.", autocompletion=among(DECODERS))] = "llama",
    vocab: Annotated[int, typer.Option(help="Vocabulary size.")] = 32_000,
    context: Annotated[int, typer.Option(help="Longest sequence in tokens.")] = 4096,
    law: Annotated[
        Path | None, typer.Option(metavar="FIT.json", help="Your law, as `interlaw fit --out` writes it.")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Tolerated relative loss with --law; the fit's if not given.")
    ] = None,
    interval: Annotated[str | None, typer.Option(help="Choose from R = LOW-HIGH instead.")] = None,
    tokens_per_param: Annotated[float, typer.Option(help="Training tokens per parameter.")] = 20.0,
    head_dim: Annotated[int | None, typer.Option(help="Width of an attention head; 64 or 128 if not given.")] = None,
    heads_per_kv: Annotated[int | None, typer.Option(help="Most query heads that share a key-value head.")] = None,
    tied: Annotated[bool | None, typer.Option("--tied/--untied", help="Output head tied to the token table.")] = None,
    multiple_of: Annotated[int | None, typer.Option(help="Width and d_ff are multiples of this.")] = None,
    tolerance: Annotated[float, typer.Option(help="Largest relative miss of the budget.")] = 0.05,
    count: Annotated[int, typer.Option(help="Shapes to list at most.")] = 5,
    export: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the chosen shape's config.json there.")
    ] = None,
    pick: Annotated[int, typer.Option(help="Which shape of the list to export; 1 is the first.")] = 1,
    details: Annotated[bool, typer.Option("--details", help="Print every law and every model of this size.")] = False,
    as_json: AsJson = False,
) -> None:
    """Depth and width for a budget.

    Shapes that suit hardware, their cost, who supports and who contradicts them.
    """
    from interlaw.recommendation import recommend as recommend_shapes

    result = recommend_shapes(
        params=params,
        flops=flops,
        family=family,
        vocab_size=vocab,
        context=context,
        fit=read_fit(law) if law is not None else None,
        delta=delta,
        interval=parse_interval(interval) if interval is not None else None,
        tokens_per_param=tokens_per_param,
        head_dim=head_dim,
        heads_per_kv=heads_per_kv,
        tied=tied,
        multiple_of=multiple_of,
        tolerance=tolerance,
        num_candidates=count,
    )
    written = write_config(result, export, pick=pick) if export is not None else None
    if as_json:
        print_json({**result.to_dict(), **({"config": written} if written else {})})
        return
    show(result)
    if details:
        show_evidence(result)
    if written:
        people().print(f"wrote {written}")


def read_fit(path: Path) -> LawFit:
    """The law in a JSON file."""
    from interlaw.laws import LawFit

    try:
        return LawFit.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except OSError:
        raise InterlawError(
            f"expected a fit at {path}, found none; write one: interlaw fit RUNS --out {path}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise InterlawError(f"expected {path} to be the JSON of a fit, found {error}; write it again") from None


def write_config(result: Recommendation, folder: Path, *, pick: int) -> Path:
    """Writes config.json for one candidate; never over a different one."""
    from interlaw.recommendation import hf_config

    if not 1 <= pick <= len(result.candidates):
        raise InterlawError(f"expected --pick from 1 to {len(result.candidates)}, found {pick}; choose one of the list")
    text = json.dumps(hf_config(result.candidates[pick - 1].shape), indent=2) + "\n"
    path = folder / "config.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise InterlawError(
            f"expected no other configuration in {folder}, found {path}; remove it or name another folder"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InterlawError(f"expected to write {path}, found: {error.strerror}; name another folder") from error
    return path


def show(result: Recommendation) -> None:
    """Prints the range, the shapes and what to know."""
    from rich.table import Table

    from interlaw.shapes import format_size

    console = people(stderr=False)
    found = result.interval
    shapes = [candidate.shape for candidate in result.candidates]
    depths, widths = [shape.depth for shape in shapes], [shape.width for shape in shapes]
    console.print(
        f"{format_size(result.params)} {shapes[0].family}: R = depth / width = {found.low:.4f} to {found.high:.4f}, "
        f"that is {_span(depths)} layers, width {_span(widths)}"
    )
    console.print(f"({found.statement})", markup=False)
    names = ("depth x width", "R", "heads/kv x dim", "d_ff", "params", "FLOPs", "KV B/token", "loss penalty", "laws")
    table = Table("", *names, "like")
    for number, candidate in enumerate(result.candidates, start=1):
        table.add_row(str(number), *_cells(candidate))
    console.print(table)
    tokens = f"{result.candidates[0].train_tokens / shapes[0].params:g} tokens a parameter"
    console.print(f"FLOPs: {tokens}; KV: two bytes an entry; laws: for / prefer deeper / prefer shallower (--details)")
    for sentence in result.warnings:
        console.print(f"note: {sentence}", markup=False)


def show_evidence(result: Recommendation) -> None:
    """Prints every law with what it says of the first shape, and the real models of this size."""
    from rich.table import Table

    from interlaw.shapes import format_size

    console = people(stderr=False)
    laws = Table("law", "R*", "good R", "covers", "trust", "of shape 1", "source")
    for one in result.laws:
        low, high = one.low, one.high
        laws.add_row(
            one.law.name,
            "" if one.ratio is None else f"{one.ratio:.4f}",
            "" if low is None or high is None else f"{low:g} to {high:g}",
            f"{format_size(one.law.params_low)} to {format_size(one.law.params_high)}"
            + ("" if one.covered else " (not N)"),
            one.law.trust,
            result.candidates[0].stances[one.law.key],
            one.law.source,
        )
    console.print(laws)
    models = Table("model", "params", "shape", "R", "interval", "MMLU-Pro")
    for point in result.models:
        score = "" if point.score is None else f"{point.score:.1f}" + (" (guessing)" if point.at_chance else "")
        shape, where = f"{point.depth} x {point.width}", result.interval.position(point.ratio)
        models.add_row(point.name, format_size(point.params), shape, f"{point.ratio:.4f}", where, score)
    console.print(models)


def _cells(candidate: Candidate) -> tuple[str, ...]:
    """One shape as the cells of a row."""
    shape, penalty = candidate.shape, candidate.penalty
    row = shape.to_dict()
    heads = f"{row['num_heads']}/{row.get('num_kv_heads', row['num_heads'])} x {row['head_dim']}"
    stances = [str(len(candidate.laws(stance))) for stance in ("supports", "prefers deeper", "prefers shallower")]
    return (
        f"{shape.depth} x {shape.width}",
        f"{shape.ratio:.4f}" + ("" if candidate.inside else " !"),
        heads,
        str(row["d_ff"]),
        f"{shape.params:,} ({candidate.budget_error:+.1%})",
        f"{candidate.train_flops:.2g}",
        f"{candidate.kv_cache_bytes_per_token:,}",
        f"{penalty.value:.1%} ({penalty.low:.1%} to {penalty.high:.1%})",
        " / ".join(stances),
        candidate.nearest[0].name,
    )


def _span(numbers: list[int]) -> str:
    """The range of some numbers, or the one number."""
    return str(numbers[0]) if min(numbers) == max(numbers) else f"{min(numbers)} to {max(numbers)}"
