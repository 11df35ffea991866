"""`interlaw status`: where a run stands, from its folder alone."""

from __future__ import annotations

from interlaw import runs, sweep
from interlaw.cli.live import describe
from interlaw.cli.options import RunPlace
from interlaw.cli.output import AsJson, make_console, next_command, print_json
from interlaw.size import counted


def status(
    run: RunPlace,
    as_json: AsJson = False,
) -> None:
    """What is done, running, failed and left in a run.

    With an estimate of the time left.
    """
    folder = runs.require_run(run)
    state = sweep.run_status(folder)
    if as_json:
        print_json(state)
        return
    console = make_console(stderr=False)
    console.print(
        f"{state.done} done, {state.failed} failed ({state.diverged} diverged), {state.running} running, "
        f"{state.pending} pending; {_left(state)}"
    )
    if state.search_trials:
        tried = f"{counted(state.search_trials, 'trial')} tried a rate"
        console.print(f"search: {tried}, {state.search_share:.0%} of the training FLOPs")
    if state.evaluation_share is not None and state.measure_share is not None:
        beside = f"evaluating {state.evaluation_share:.1%}, measuring {state.measure_share:.1%}"
        console.print(f"beside training: {beside}")
    for key, step in state.underway.items():
        console.print(f"{describe(folder.trial(key).spec())}  {step}  {key}")
    for key, reason in state.reasons.items():
        console.print(f"{describe(folder.trial(key).spec())}  {key}  {reason}")
    if state.unmeasured or state.failed > state.diverged:
        console.print(f"to try these again: {next_command('sweep', 'RECIPE', '--out', run, '--retry', 'failed')}")


def _left(state: sweep.RunStatus) -> str:
    """How long it will take; nothing is left of a run whose trials have all ended."""
    if not state.running + state.pending:
        return "finished"
    return "time left: unknown" if state.seconds_left is None else f"time left: about {state.seconds_left / 60:.1f} min"
