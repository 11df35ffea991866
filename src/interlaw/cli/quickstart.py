"""`interlaw quickstart`: the main job on the embedded default, from text to law to page."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from interlaw.cli.output import AsJson, own_name, people, print_json
from interlaw.errors import WorkFailedError

if TYPE_CHECKING:
    from interlaw.runs import RunFolder, TrialSpec

RECIPE = "quickstart.toml"


def quickstart(
    out: Annotated[Path, typer.Option(help="The run's folder; gone on with when it exists.")] = Path("runs/quickstart"),
    workers: Annotated[int | None, typer.Option(help="Worker processes; one a core when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """A real shape sweep, from text to law to page.

    Trains, measures, fits and reports on text that is found on every machine.
    """
    from interlaw.cli.sweep import drive, require_workers
    from interlaw.laws import fit_law, verdict
    from interlaw.report import write_report
    from interlaw.runs import load_table, view_table
    from interlaw.sweep import parse_recipe, prepare_run, require_folder

    require_workers(workers)
    require_folder(out)
    text = (resources.files("interlaw") / "recipes" / RECIPE).read_text(encoding="utf-8")
    recipe = parse_recipe(text, source=RECIPE)
    console = people()

    console.print(
        f"equal-budget GPTs of {len(recipe.budget.amounts)} budgets, {len(recipe.depths)} depths and "
        f"{len(recipe.seeds)} seeds on the standard library's text: minutes on two cores, most FLOPs first. "
        f"The run's folder is {out}; to follow it: {own_name()} watch {out}",
        markup=False,
    )

    def plan() -> tuple[RunFolder, list[TrialSpec]]:
        return prepare_run(recipe, text, out=out, folder=Path.cwd())

    outcome = drive(plan, executor="processes", workers=workers)
    if not outcome["done"]:
        raise WorkFailedError(f"no trial of {out} was done; `interlaw status {out}` says why")
    if outcome["unmeasured"]:
        console.print(f"{outcome['unmeasured']} trials could not be measured; `interlaw status {out}` says why")
    table = load_table(out)
    law = fit_law(view_table(table))
    page = write_report(out)
    if as_json:
        print_json(
            {"run_dir": str(out), "trials": table.to_dict(orient="records"), "law": law.to_dict(), "report": str(page)}
        )
        return
    best = law.budgets[-1].best
    of_best = table[(table["budget"] == table["budget"].max()) & (table["depth"] == best.depth)]
    trial = out / "trials" / str(of_best["key"].iloc[0])
    lines = [f"- {sentence}" for sentence in verdict(law)]
    lines += ["", f"report: {page}", f"next: {own_name()} measure {trial} --view loss"]
    people(stderr=False).print("\n" + "\n".join(lines), markup=False)
