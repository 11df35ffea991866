"""`python -m benchmarks.soak --minutes 60`: sweeps killed at random moments, each compared with an untouched run.

Runs at idle priority with one worker at a time. Prints one JSON document: kills by victim, trials compared, findings.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.recipes import write_recipe
from tests.sweep.killing import Executor, Tally, kill_and_go_on, untouched

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
MOST_KILLS = 12


def main() -> int:
    """Soaks for the given time; status 1 when something was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="a file that is rewritten after each sweep")
    options = parser.parse_args()
    os.nice(19)
    source, tally, sweeps = random.Random(options.seed), Tally(), 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="interlaw-soak-") as scratch:
        prepared = {}
        for name, changes in RECIPES.items():
            recipe = write_recipe(Path(scratch) / name, **changes)
            prepared[recipe] = untouched(recipe, recipe.parent / "untouched")
        while time.monotonic() - began < options.minutes * 60:
            recipe = source.choice(list(prepared))
            executor: Executor = source.choice(["local", "local", "processes"])
            kill_and_go_on(
                recipe,
                recipe.parent / "killed",
                kills=source.randrange(1, MOST_KILLS),
                executor=executor,
                source=source,
                tally=tally,
                expected=prepared[recipe],
                longest=4.0 if executor == "local" else 12.0,
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
