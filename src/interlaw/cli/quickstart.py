"""`interlaw quickstart`: the main job on the embedded default, from text to law to page."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Option

from interlaw import laws, recommendation, report, runs, sweep
from interlaw.cli.loading import busy
from interlaw.cli.options import OwnText, Workers, require_text_there
from interlaw.cli.output import AsJson, make_console, next_command, print_json
from interlaw.cli.sweep import drive
from interlaw.errors import WorkFailedError
from interlaw.machine import default_device
from interlaw.size import counted, format_ratio, format_size

RECIPE = "quickstart.toml"
RUNS = Path("runs")
SAME_KIND = "byte-level"  # the packaged sweep whose networks differ from the quickstart's in size and training alone


def quickstart(
    text: OwnText = None,
    out: Annotated[
        Path | None,
        Option(metavar="DIR", help="The run's folder, resumed when it exists; runs/quickstart when not given."),
    ] = None,
    workers: Workers = None,
    as_json: AsJson = False,
) -> None:
    """A real shape sweep, from text to law to page.

    Trains, measures, fits and reports, on text that every machine has or on your own.
    """
    out = out or RUNS / ("quickstart" if text is None else f"quickstart-{text.resolve().stem}")
    sweep.require_folder(out)
    written = recipe_on(text)
    recipe = sweep.parse_recipe(written, source=RECIPE)
    console = make_console()

    source, device = text or "the standard library's text", default_device()
    console.print(
        f"GPTs of {' and '.join(map(format_size, recipe.budget.amounts))} parameters, {len(recipe.depths)} depths x "
        f"{len(recipe.seeds)} seeds, on {source}, trained on {device}: minutes on two cores, most FLOPs first. "
        f"The run's folder is {out}; to follow it: {next_command('watch', out)}",
    )

    plan = partial(sweep.prepare_run, recipe, written, out=out, folder=Path.cwd())
    outcome = drive(plan, partial(sweep.run_trials, num_workers=workers, device=device))
    if not outcome.done:
        raise WorkFailedError(f"no trial of {out} was done; `{next_command('status', out)}` says why")
    if outcome.unmeasured:
        missing = counted(outcome.unmeasured, "trial")
        console.print(f"{missing} could not be measured; `{next_command('status', out)}` says why")
    table = runs.load_table(out)
    with busy("fitting the law and drawing the report"):
        law = laws.fit_law(table)
        page = report.write_report(out)
    if as_json:
        print_json(
            {"run_dir": str(out), "trials": table.to_dict(orient="records"), "law": law.to_dict(), "report": str(page)}
        )
        return
    best = law.budgets[-1].best
    of_best = table[(table["budget"] == table["budget"].max()) & (table["depth"] == best.depth)]
    trial = out / "trials" / str(of_best["key"].iloc[0])
    lines = [f"{label}: {words}" for label, words in laws.verdict(law).lines]
    lines += [
        "",
        f"report: {page}",
        f"measure a trial: {next_command('measure', trial, '--view', 'loss')}",
        f"larger networks: {larger_evidence()}",
        f"a larger experiment, already run: {next_command('demo')}",
    ]
    make_console(stderr=False).print("\n" + "\n".join(lines))


def larger_evidence() -> str:
    """Where R* lies in a public sweep of the same kind of network, and in all of them at a common size."""
    same_kind = [one for one in recommendation.measured_optima() if one.sweep == SAME_KIND and one.counts]
    first, last = (f"{format_ratio(one.ratio)} at {format_size(one.params)}" for one in (same_kind[0], same_kind[-1]))
    pooled = recommendation.measured_pool().predict(recommendation.COMMON_SIZE)
    return (
        f"longer-trained GPTs on bytes do have a best R: {first} and {last} parameters "
        f"({next_command('fit', f'public:{SAME_KIND}')}); public sweeps together say {format_ratio(pooled.ratio)} at "
        f"{format_size(pooled.params)} ({next_command('evidence')})"
    )


def recipe_on(text: Path | None) -> str:
    """The packaged recipe, on the given text."""
    packaged = sweep.packaged_recipe(RECIPE)
    if text is None:
        return packaged
    require_text_there(text)
    corpus = json.dumps(str(text.resolve()), ensure_ascii=False)  # a string of JSON is one of TOML
    return packaged.replace('corpus = "stdlib"', f"corpus = {corpus}")
