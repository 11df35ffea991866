"""`interlaw status`: where a run stands, from its folder alone."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from interlaw.cli.output import AsJson, people, print_json


def status(
    run: Annotated[str, typer.Argument(metavar="DIR|URL", help="A run's folder, or its URL.")],
    as_json: AsJson = False,
) -> None:
    """What is done, running, failed and left in a run, with an estimate of the time left."""
    from interlaw.runs import require_run
    from interlaw.sweep import run_status

    state = run_status(require_run(run))
    if as_json:
        print_json(asdict(state))
        return
    console = people(stderr=False)
    left = "unknown" if state.seconds_left is None else f"about {state.seconds_left / 60:.1f} min"
    console.print(
        f"{state.done} done, {state.failed} failed ({state.diverged} diverged), {state.running} running, "
        f"{state.pending} pending; time left: {left}"
    )
    for key, reason in state.reasons.items():
        console.print(f"{key}  {reason}", markup=False)
