"""Error per product of ||G||_F^2: pairs of fresh probes against Hutchinson's estimator on the same operators.

Legend: G = E[J_n^T J_n]; a product is one multiplication by a J_n or a J_n^T. Hutchinson, as curvlinops'
`hutchinson_squared_fro`, needs G z, both products of every sample; a pair <A_n, A_m> needs one product of each sample.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable

import torch
from torch import Tensor

from interlaw.interaction import grams_of

DIM, OUTPUTS, SAMPLES = 64, 48, 256


def implementation() -> str:
    """Whose Hutchinson estimator runs: curvlinops' where it is installed (extra `bench`), else a transcription."""
    if importlib.util.find_spec("curvlinops") is None:
        return "a transcription (no curvlinops)"
    return f"curvlinops {importlib.metadata.version('curvlinops-for-pytorch')}"


def hutchinson(G: Tensor, num_matvecs: int) -> Tensor:
    """mean |G z|^2 over random signs z."""
    if importlib.util.find_spec("curvlinops") is not None:
        from curvlinops import hutchinson_squared_fro

        return hutchinson_squared_fro(G, num_matvecs)
    z = torch.randint(0, 2, (len(G), num_matvecs)).to(G) * 2 - 1
    return (G @ z).square().sum() / num_matvecs


def pairs(factors: Tensor) -> float:
    """The mean of <A_n, A_m> over pairs of different factors (n, D, 1)."""
    grams = grams_of(factors, route="gram")
    n = len(factors)
    return float((grams.energy.sum() - grams.self_energy.sum()) / (n * (n - 1)))


def relative_error(estimate: Callable[[], float], truth: float, *, trials: int) -> float:
    """Root mean square error over trials, relative."""
    errors = torch.tensor([estimate() for _ in range(trials)], dtype=torch.float64) / truth - 1
    return float(errors.square().mean().sqrt())


def jacobians(count: int) -> Tensor:
    """Random Jacobians with a decaying spectrum that vary from sample to sample: (count, C, D)."""
    scales = torch.arange(1, DIM + 1, dtype=torch.float64) ** -0.5
    return torch.randn(count, OUTPUTS, DIM, dtype=torch.float64) * scales * torch.rand(count, 1, 1).double() * 3**0.5


def compare(*, trials: int = 100) -> list[tuple[str, float, float]]:
    """(situation, our error, Hutchinson's error) at an equal number of products."""
    torch.manual_seed(0)
    whose = implementation()
    errors = []
    J = jacobians(1)[0]
    G = J.T @ J
    for products in (16, 32, 62):

        def ours(products: int = products) -> float:
            return pairs((J.T @ signs(OUTPUTS, products)).T[:, :, None])

        mine = relative_error(ours, float(G.square().sum()), trials=trials)
        theirs = relative_error(lambda k=products: float(hutchinson(G, k // 2)), float(G.square().sum()), trials=trials)
        errors.append((f"one given matrix, {products} products, against {whose}", mine, theirs))
    truth = OUTPUTS**2 * float((torch.arange(1, DIM + 1, dtype=torch.float64) ** -2).sum())
    for matvecs in (1, 4):
        products = 2 * matvecs * SAMPLES

        def fresh(products: int = products) -> float:
            return pairs(probed(jacobians(products)))

        def theirs_sampled(matvecs: int = matvecs) -> float:
            sample = jacobians(SAMPLES)
            return float(hutchinson(torch.einsum("nci,ncj->ij", sample, sample) / SAMPLES, matvecs))

        errors.append(
            (
                f"a population, {products} products, against {whose}",
                relative_error(fresh, truth, trials=max(8, trials // 5)),
                relative_error(theirs_sampled, truth, trials=trials),
            )
        )
    return errors


def probed(J: Tensor) -> Tensor:
    """J_n^T r_n with a fresh r_n per sample, (n, D, 1)."""
    r = torch.randint(0, 2, J.shape[:2]).to(J) * 2 - 1
    return torch.einsum("nci,nc->ni", J, r)[:, :, None]


def signs(rows: int, columns: int) -> Tensor:
    """Random signs."""
    return torch.randint(0, 2, (rows, columns)).double() * 2 - 1
