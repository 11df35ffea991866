"""`interlaw recommend`: a shape to take for a budget, what is nearly as good, what each costs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

from typer import Option

from interlaw import laws, recommendation, report, shapes
from interlaw.cli.compare import parse_interval
from interlaw.cli.fit import read_source
from interlaw.cli.loading import counting
from interlaw.cli.options import DecoderOption, Tied, Vocabulary
from interlaw.cli.output import AsJson, make_console, print_json, tell, tell_written, write_figure
from interlaw.errors import InterlawError
from interlaw.files import read_object, save
from interlaw.size import counted, format_range, format_ratio, format_size

LONGEST = f"Longest sequence in tokens; {recommendation.CONTEXT}, of gpt {shapes.GPTShape.context}."


def recommend(
    params: Annotated[str | None, Option(help="Budget in total parameters, such as 350M.")] = None,
    flops: Annotated[str | None, Option(help="Budget in training FLOPs, such as 1e20, instead.")] = None,
    family: Annotated[str, DecoderOption] = "llama",
    vocab_size: Vocabulary = None,
    context: Annotated[int | None, Option(help=LONGEST)] = None,
    tokens: Annotated[str | None, Option(help="Training tokens, such as 20B.")] = None,
    tokens_per_param: Annotated[
        float | None,
        Option(
            help=f"Training tokens per parameter instead; {shapes.CHINCHILLA_TOKENS_PER_PARAM:g} when neither is given."
        ),
    ] = None,
    parallel: Annotated[int, Option(help="Devices over which heads, key-value heads and d_ff must split.")] = 1,
    law: Annotated[
        str | None, Option(metavar="FIT|DIR|TABLE", help="Your own evidence: a fit's JSON, a run, or a table.")
    ] = None,
    delta: Annotated[
        float, Option(help="List shapes within this of the pick's predicted loss, relative.")
    ] = recommendation.DELTA,
    interval: Annotated[str | None, Option(help="Choose from R = LOW-HIGH instead.")] = None,
    head_dim: Annotated[int | None, Option(help="Width of a head; the one that splits best when not given.")] = None,
    heads_per_kv: Annotated[int | None, Option(help="Most query heads that share a key-value head.")] = None,
    tied: Tied = None,
    multiple_of: Annotated[int | None, Option(help="Width and d_ff are multiples of this.")] = None,
    tolerance: Annotated[float, Option(help="Largest relative miss of the budget.")] = recommendation.TOLERANCE,
    num_candidates: Annotated[int, Option("--count", help="Shapes to list at most.")] = recommendation.NUM_CANDIDATES,
    device: Annotated[str, Option(help="What trains it, for the days: h100, a100, ...")] = recommendation.Plan.device,
    devices: Annotated[int, Option(help="How many of them.")] = recommendation.Plan.num_devices,
    utilization: Annotated[
        float, Option(help="Share of their peak that training reaches.")
    ] = recommendation.Plan.utilization,
    batch: Annotated[
        int, Option(help="Sequences a device trains at a time, for the memory.")
    ] = recommendation.Plan.batch,
    measure: Annotated[bool, Option("--measure", help="Time each shape on this machine.")] = False,
    figure: Annotated[
        Path | None, Option(metavar="FILE.png", help="With --measure: predicted loss against latency.")
    ] = None,
    export: Annotated[Path | None, Option(metavar="DIR", help="Write the chosen shape's config.json.")] = None,
    pick: Annotated[
        int | None, Option(help="With --export: which shape of the table; the first when not given.")
    ] = None,
    details: Annotated[bool, Option("--details", help="Print every published line and model.")] = False,
    as_json: AsJson = False,
) -> None:
    """Depth and width for a budget: one shape to take, and why.

    Then what is nearly as good and why one would rather take that, with what each costs.
    """
    if pick is not None and export is None:
        raise InterlawError("expected --export DIR with --pick, found none; name the folder, or remove --pick")
    fit = read_fit(law) if law is not None else None
    with counting(family):
        result = recommendation.recommend(
            params=params,
            flops=flops,
            family=family,
            vocab_size=vocab_size,
            context=context,
            tokens=tokens,
            tokens_per_param=tokens_per_param,
            fit=fit,
            delta=delta,
            interval=None if interval is None else parse_interval(interval),
            head_dim=head_dim,
            heads_per_kv=heads_per_kv,
            tied=tied,
            multiple_of=multiple_of,
            parallel=parallel,
            plan=recommendation.Plan(device=device, num_devices=devices, utilization=utilization, batch=batch),
            tolerance=tolerance,
            num_candidates=num_candidates,
        )
    if measure:
        result = recommendation.timed(result, say=tell)
    if figure is not None:
        draw(result, figure, measured=measure)
    written = write_config(result, export, pick=1 if pick is None else pick) if export is not None else None
    if as_json:
        print_json({**result.to_dict(), **({"config": written} if written else {})})
        return
    for line in (*result.answer(), *result.notes()):
        make_console(stderr=False).print(line)
    if details:
        show_evidence(result)
    if written:
        tell_written(written)


def draw(result: recommendation.Recommendation, figure: Path, *, measured: bool) -> None:
    """Writes the figure; where too few shapes could be timed for one, says so: the times were long to take."""
    num_timed = sum(one.measured is not None for one in result.candidates)
    if measured and num_timed < 2:
        words = f"warning: no figure of {counted(num_timed, 'timed shape')}; list more with a larger --delta or --count"
        tell(words)
        return
    write_figure(figure, lambda: report.draw_frontier(result))


def read_fit(source: str | Path) -> laws.LawFit:
    """A fit's JSON as it is; a run's folder or a table fitted now."""
    if not str(source).endswith(".json"):
        table = read_source(source, view=None, columns=[])
        tell(f"fitting {source}")
        return laws.fit_law(table)
    return laws.LawFit.from_dict(read_object(Path(source), wanted="a fit, as interlaw fit RUNS --out FIT.json writes"))


def write_config(result: recommendation.Recommendation, folder: Path, *, pick: int) -> Path:
    """Writes config.json for one candidate; never over a different one."""
    if not 1 <= pick <= len(result.candidates):
        raise InterlawError(f"expected --pick from 1 to {len(result.candidates)}, found {pick}; choose one of the list")
    text = json.dumps(result.candidates[pick - 1].shape.to_hf(), indent=2) + "\n"
    path = folder / "config.json"
    if path.exists() and path.read_text(encoding="utf-8") != text:
        raise InterlawError(
            f"expected no other configuration in {folder}, found {path}; remove it or name another folder"
        )
    save(path, text.encode())
    return path


def show_evidence(result: recommendation.Recommendation) -> None:
    """Prints every published line and the real models of this size."""
    console = make_console(stderr=False)
    lines = []
    for one in result.laws:
        law, covers = one.law, f"{format_size(one.law.params_low)} to {format_size(one.law.params_high)}"
        good = "" if law.ratio_high is None else format_range(law.ratio_low, law.ratio_high)
        ratio = "" if one.ratio is None else format_ratio(one.ratio)
        covers += "" if one.covered else " (not N)"
        lines.append((law.name, law.standing, ratio, good, covers, law.trust, law.source))
    console.print_rows(("line", "standing", "R*", "good R", "covers", "trust", "source"), lines)
    belief, alone = result.belief, result.measured_only
    weights = [
        (name, f"{weight:.0%}", "assumed" if name in belief.assumed else "measured")
        for name, weight in belief.weights.items()
    ]
    console.print_rows(("counts", "weight", "error"), weights)
    if belief.assumed and alone is not None:
        console.say(
            f"Without {counted(len(belief.assumed), 'published rule')}, whose errors are assumed: R* = "
            f"{format_ratio(alone.ratio)} ({laws.Settings.confidence:.0%}: {format_range(alone.low, alone.high)})"
        )
    models = [
        (
            model.name,
            format_size(model.params_total),
            f"{model.depth} x {model.width}",
            format_ratio(model.ratio),
            result.interval.position(model.ratio),
            "" if model.mmlu_pro is None else f"{model.mmlu_pro:.1f}" + (" (guessing)" if model.at_chance else ""),
        )
        for model in result.models
    ]
    heads = ("model", "params", "shape", "R", "interval", "MMLU-Pro")
    console.print_rows(heads, models)
