"""`python -m benchmarks.soak --minutes 60`: sweeps killed at random moments, each compared with an untouched run.

Runs at idle priority with one worker at a time. Prints one JSON document: kills by victim, trials compared, findings.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.recipes import write_recipe
from tests.sweep.clusters import Nodes
from tests.sweep.killing import VICTIMS, Executor, Tally, kill_and_go_on, untouched

# a plain sweep; one whose plan grows with its records, and some of whose trials diverge
RECIPES = {
    "plain": {"top": {"seeds": [0, 1]}, "training": {"steps": 300}},
    "search": {
        "top": {"depths": [1], "seeds": [0, 1]},
        "training": {
            "steps": 200,
            "treatment": "search",
            "learning_rate": None,
            "learning_rates": [0.01, 0.1, 1.0],
            "clip": 0.0,
            "blow_up": 1.2,
        },
    },
}
MOST_KILLS = 12  # of one sweep: it ends within minutes all the same
LONGEST = {"local": 4.0, "processes": 12.0, "ray": 20.0}  # seconds: a start takes part of them


@contextlib.contextmanager
def a_cluster(wanted: bool) -> Iterator[Nodes | None]:
    """Two nodes of a core each, for the time of the soak."""
    nodes = Nodes() if wanted else None
    if nodes:
        nodes.have({"num_cpus": 1}, {"num_cpus": 1})
    try:
        yield nodes
    finally:
        if nodes:
            nodes.stop()


def main() -> int:
    """Soaks for the given time; status 1 when something is not as it should be."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="a file that is rewritten after each sweep")
    parser.add_argument(
        "--executors",
        type=lambda text: text.split(","),
        default=["local", "processes", *(["ray"] if importlib.util.find_spec("ray") else [])],
        help="such as local,processes,ray; all that are installed when not given",
    )
    options = parser.parse_args()
    if unknown := set(options.executors) - set(VICTIMS):
        parser.error(f"expected executors of {', '.join(VICTIMS)}, found {', '.join(sorted(unknown))}")
    os.nice(19)
    source, tally, sweeps = random.Random(options.seed), Tally(), 0
    with (
        tempfile.TemporaryDirectory(prefix="interlaw-soak-") as scratch,
        a_cluster("ray" in options.executors) as nodes,
    ):
        prepared = {}
        for name, changes in RECIPES.items():
            recipe = write_recipe(Path(scratch) / name, **changes)
            prepared[recipe] = untouched(recipe, recipe.parent / "untouched")
        began = time.monotonic()
        while sweeps == 0 or time.monotonic() - began < options.minutes * 60:
            recipe = source.choice(list(prepared))
            executor: Executor = source.choice(options.executors)
            kill_and_go_on(
                recipe,
                recipe.parent / "killed",
                kills=source.randrange(1, MOST_KILLS),
                executor=executor,
                source=source,
                tally=tally,
                expected=prepared[recipe],
                longest=LONGEST[executor],
                cluster=nodes if executor == "ray" else None,
            )
            sweeps += 1
            summary = {
                "killed": tally.kills.total(),
                "kills": dict(tally.kills),
                "looks": tally.looks,
                "trials": tally.trials,
                "findings": tally.findings,
                "sweeps": sweeps,
                "minutes": round((time.monotonic() - began) / 60, 1),
            }
            if options.log:
                options.log.write_text(json.dumps(summary, indent=1) + "\n")
    print(json.dumps(summary, indent=1))
    return 1 if tally.findings else 0


if __name__ == "__main__":
    sys.exit(main())
