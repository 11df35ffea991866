from __future__ import annotations

import itertools

import numpy as np

from interlaw.laws.interaction_interval import cell_lengths, interaction_interval, overlap, pareto_front

X = np.log([0.01, 0.02, 0.04, 0.08, 0.16])


def naive_front(ratio: np.ndarray, aofe: np.ndarray) -> list[bool]:
    def dominated(i: int) -> bool:
        return any(
            ratio[j] >= ratio[i] and aofe[j] <= aofe[i] and (ratio[j] > ratio[i] or aofe[j] < aofe[i])
            for j in range(len(ratio))
        )

    return [not dominated(i) for i in range(len(ratio))]


def test_the_front_is_what_the_definition_says() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        ratio, aofe = rng.integers(0, 5, size=(2, 8)).astype(float)
        assert pareto_front(ratio, aofe).tolist() == naive_front(ratio, aofe)


def test_equal_shapes_are_all_on_the_front() -> None:
    assert pareto_front(np.ones(4), np.ones(4)).all()


def test_the_interval_spans_the_front() -> None:
    found = interaction_interval(X, np.array([False, True, False, True, False]))
    np.testing.assert_allclose([found.low, found.high], [0.02, 0.08])
    assert (found.num_pareto, found.num_shapes) == (2, 5)
    assert np.isclose(found.share_of_grid, 3 / 5)


def test_cells_reach_halfway_to_their_neighbours() -> None:
    np.testing.assert_allclose(cell_lengths(np.array([0.0, 1.0, 3.0])), [1.0, 1.5, 2.0])
    assert cell_lengths(np.array([7.0])).tolist() == [1.0]


def test_chance_is_the_mean_over_all_permutations() -> None:
    """Against every ordering of five shapes, enumerated."""
    front = np.array([False, True, True, False, False])
    inside = np.array([False, True, True, True, False])
    found, permuted = overlap(
        X, front, in_loss_interval=inside, best=2, num_permutations=20_000, rng=np.random.default_rng(0)
    )
    exact = []
    for pair in itertools.combinations(range(5), 2):
        span = set(range(pair[0], pair[1] + 1))
        exact.append(len(span & {1, 2, 3}) / len(span | {1, 2, 3}))
    assert np.isclose(found.jaccard, 2 / 3)
    assert abs(found.chance - np.mean(exact)) < 3 * np.std(exact) / np.sqrt(20_000)
    assert abs(found.p_value - np.mean(np.array(exact) >= 2 / 3 - 1e-9)) < 0.02
    assert found.best_inside
    assert len(permuted) == 20_000
