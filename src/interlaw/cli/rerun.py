"""`interlaw rerun`: a trial once more, and how near it comes to its record."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated

from typer import Argument, Option

from interlaw import sweep
from interlaw.cli.loading import busy
from interlaw.cli.output import AsJson, make_console, print_json
from interlaw.errors import WorkFailedError
from interlaw.machine import require_device

SHOWN = 10  # differences: with the verdict they fit a small terminal


def rerun(
    trial: Annotated[str, Argument(metavar="TRIAL", help="A trial's folder, DIR/trials/KEY.")],
    tolerance: Annotated[
        float | None, Option(help="Largest relative difference that counts as equal; 0.001 when not given.")
    ] = None,
    device: Annotated[str | None, Option(help="Where to train; the recorded device when not given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a trial again and compare.

    From its spec, in a scratch folder; every figure and weight against its record.
    """
    if device is not None:
        require_device(device)
    with busy(f"running {PurePath(trial).name} again"):
        result = sweep.rerun_trial(
            trial, tolerance=sweep.RERUN_TOLERANCE if tolerance is None else tolerance, device=device
        )
    if as_json:
        print_json(result)
    else:
        show(result)
    if result.verdict == "different":
        raise WorkFailedError(f"the rerun of {result.key} differs from its record by more than {result.tolerance:g}")


def show(result: sweep.Rerun) -> None:
    """Prints the verdict, what differs most, and which versions differ."""
    console = make_console(stderr=False)
    same = result.num_compared - len(result.differences)
    console.print(f"{result.key}: {result.verdict}; {same} of {result.num_compared} figures and weights are bit-equal")
    for one in result.differences[:SHOWN]:
        values = "" if one.recorded is None and one.rerun is None else f"  {one.recorded} recorded, {one.rerun} now"
        console.print(f"  {one.name}{values}  relative difference {one.relative:.2g}")
    if len(result.differences) > SHOWN:
        console.print(f"  and {len(result.differences) - SHOWN} more")
    for name, (recorded, here) in result.versions.items():
        console.print(f"  {name}: {recorded} recorded, {here} here")
