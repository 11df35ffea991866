"""What batches add to G at one place: into the cheaper accumulator, chosen again as more come."""

from __future__ import annotations

from torch import Tensor

from interlaw.errors import InterlawError
from interlaw.interaction.coactivation import CoactivationAccumulator, coactivation_cost
from interlaw.interaction.routes import (
    Accumulator,
    Contribution,
    DenseAccumulator,
    GramAccumulator,
    accumulator,
    choose_route,
)

# Clusters to be expected of a stream that does not tell: the route is chosen for them, and chosen again after so many.
EXPECTED_CLUSTERS = 512
MOST_MULTIPLIED = 256  # coordinates of matrices that are multiplied for the spread over bases, which is small beyond


class Total:
    """What batches add to G at one place, by the cheaper route: chosen for the clusters expected, again as more come.

    Args:
        part: The first contribution; it is not added.
        expected: Number of clusters, where it is known.
        route: The route where it is given: "gram", "dense" or "matrix".
    """

    def __init__(self, part: Contribution, *, expected: int | None, route: str | None) -> None:
        self._free = route is None
        self._done, self._choose_at = 0, EXPECTED_CLUSTERS
        self.num_probes = 0
        chosen = route or _cheaper(expected or EXPECTED_CLUSTERS, part)
        self.kept = _empty(chosen, part)

    def add(self, part: Contribution) -> None:
        """Adds a contribution of either form.

        Raises:
            InterlawError: It has other coordinates than those before it.
        """
        if part.dim != self.kept.dim:
            raise InterlawError(
                f"expected {self.kept.dim} coordinates in every batch, found {part.dim}; cut the sequences to one "
                "length"
            )
        if part.factors is not None:
            self.kept.add(part.factors, part.weights)
        else:
            assert isinstance(self.kept, DenseAccumulator)
            self.kept.add_matrices(part.content, part.weights)
        self.num_probes = part.num_probes
        self._done += len(part.weights)
        if self._free and self._done >= self._choose_at:
            self._choose_at = 2 * self._done  # should as many follow as there were
            if isinstance(self.kept, GramAccumulator) and _cheaper(self._choose_at, part) == "dense":
                dense = _empty("dense", part)
                self.kept.hand_over(dense)
                self.kept = dense

    def quarters(self) -> list[Tensor]:
        """G of every fourth group, four times: independent estimates; none of few groups or many coordinates."""
        enough = self.kept.dim <= MOST_MULTIPLIED and self.kept.num_groups >= 4
        return [self.kept.mean(every=4, start=start) for start in range(4)] if enough else []


def _cheaper(num_clusters: int, part: Contribution) -> str:
    """The cheaper route for so many clusters of this kind."""
    if part.factors is None:
        return "dense"
    rank = part.factors.shape[2]
    if part.masked is not None:
        return "dense" if coactivation_cost(num_clusters) * part.dim < 2 * (num_clusters * rank) ** 2 else "gram"
    return choose_route(num_clusters, rank=rank, dim=part.dim)


def _empty(route: str, part: Contribution) -> Accumulator:
    """An empty accumulator for contributions such as this."""
    if route == "dense" and part.masked is not None:
        return CoactivationAccumulator(part.masked)
    return accumulator(route, dim=part.dim, slices=part.slices)
