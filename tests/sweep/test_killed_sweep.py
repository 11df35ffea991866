"""A whole sweep, killed without warning and started again, ends as one left alone."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.recipes import write_recipe
from tests.sweep.clusters import Nodes
from tests.sweep.killing import Executor, Tally, kill_and_go_on, untouched

RAY_KILLS = 25


def test_a_killed_sweep_ends_as_one_left_alone(tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, top={"seeds": [0]}, training={"steps": 300})
    tally = Tally()
    kill_and_go_on(
        recipe,
        tmp_path / "killed",
        kills=2,
        executor="local",
        source=random.Random(1),
        tally=tally,
        expected=untouched(recipe, tmp_path / "untouched"),
    )
    assert tally.findings == []
    assert tally.kills.total() == 2
    assert tally.trials >= 2


@pytest.mark.slow  # each kill of worker processes costs a fresh interpreter or two
@pytest.mark.parametrize(("executor", "kills"), [("local", 25), ("processes", 25)])
def test_a_sweep_killed_at_random_moments_ends_as_one_left_alone(
    tmp_path: Path, executor: Executor, kills: int
) -> None:
    recipe = write_recipe(tmp_path, top={"seeds": [0, 1]}, training={"steps": 400})
    expected = untouched(recipe, tmp_path / "untouched")
    source, tally = random.Random(executor), Tally()
    while tally.kills.total() < kills:
        kill_and_go_on(
            recipe,
            tmp_path / "killed",
            kills=min(5, kills - tally.kills.total()),
            executor=executor,
            source=source,
            tally=tally,
            expected=expected,
            longest=4.0 if executor == "local" else 12.0,
        )
    assert tally.findings == []
    print(tally)


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.filterwarnings("default")
def test_a_sweep_on_ray_killed_at_random_moments_ends_as_one_left_alone(nodes: Nodes, tmp_path: Path) -> None:
    """Driver, worker and node: each is killed."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    recipe = write_recipe(tmp_path, top={"seeds": [0, 1]}, training={"steps": 1000})
    expected = untouched(recipe, tmp_path / "untouched")
    nodes.have({"num_cpus": 1}, {"num_cpus": 1})
    source, tally = random.Random("ray"), Tally()
    while tally.kills.total() < RAY_KILLS:
        kill_and_go_on(
            recipe,
            tmp_path / "killed",
            kills=min(5, RAY_KILLS - tally.kills.total()),
            executor="ray",
            source=source,
            tally=tally,
            expected=expected,
            longest=20.0,
            cluster=nodes,
        )
        print(tally)
    assert tally.findings == []
    assert {"ray driver", "ray worker", "ray node"} == set(tally.kills)
