"""Interaction: cost of every view against plain transcriptions in the same run, on one thread, in processor time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cache

import torch
from torch import Tensor

from benchmarks import frobenius_interaction
from benchmarks.clock import best_of
from benchmarks.peak_interaction import peak
from benchmarks.projected_interaction import CONTEXT, paper_contributions, seconds, sequences, trained_gpt
from benchmarks.row import Row
from interlaw.interaction import NULLS, jackknife, measure, measure_layers, plugin
from interlaw.interaction.grams import Grams
from interlaw.interaction.routes import DenseAccumulator, accumulator

PAPER_SEQUENCES, PAPER_PROBES = (256, 512), (1, 4, 64)  # 512 and 64 are the paper's own
POOL, SEEDS = 2048, 4  # sequences that all procedures see, and repeats of the probes
REFERENCE = 20_000  # sequences: the error of the reference is a third of that of the pool
QUANTITIES = ("aofe_ratio", "aofe")
SEQUENCES, LAYER_SEQUENCES = 512, 64  # of the loss view: a second or two; by layer, each layer is measured apart too
PLAIN_PART = 64  # sequences that a plain pass takes at a time
TIMES, FEW_TIMES = 5, 2  # the fastest counts; of what takes seconds, fewer


def run(*, reference: int = REFERENCE) -> Iterator[Row]:
    """All rows."""
    torch.set_num_threads(1)
    yield from projected(reference=reference)
    yield loss()
    yield layers()
    yield from mlps()
    yield token()
    yield from frobenius()


def projected(*, reference: int) -> Iterator[Row]:
    """Time to the error of the paper's procedure with the number of double-backward probes that suits it best.

    Errors are root mean squares: the spread over sequences as the jackknife estimates it, and for the plug-in its bias
    too. Both procedures see the same sequences, for the population is heavy-tailed and other sequences would decide the
    comparison; a few draws of 512 would leave the spread itself uncertain by a third. Ours starts again in each half
    and is repeated over seeds of its probes. A reference of many clusters checks that it is not somewhere else
    altogether.
    """
    model, null, truth = trained_gpt(), NULLS["projected"], reference_energies(reference)
    pool = sequences(POOL, CONTEXT, seed=1)
    theirs = []
    for probes in PAPER_PROBES:
        start = time.process_time()
        grams = grams_of_matrices(paper_contributions(model, pool, probes=probes))
        theirs.append((probes, seconds(start) / POOL, jackknife(grams, null=null), plugin(grams, null=null)))
    start = time.process_time()
    halves = pool.split(POOL // 2)
    ours = [measure(model, half, view="projected", seed=seed) for half in halves for seed in range(SEEDS)]
    each = seconds(start) / SEEDS / POOL
    for probes, plain, *_ in theirs:
        label = f"projected: time of a sequence, against {probes} double-backward probes"
        yield Row(name=label, ours=1e3 * each, baseline=1e3 * plain, unit="ms", target="-")
    for name in QUANTITIES:
        variance = sum(getattr(one, name).stderr ** 2 for one in ours) / len(ours) * POOL / 2
        for count in PAPER_SEQUENCES:
            costs = []
            for probes, plain, spread, averaged in theirs:
                bias = (averaged[name] - spread[name].value) * POOL / count
                error = float(spread[name].stderr ** 2 * POOL / count + bias**2) ** 0.5
                costs.append((variance / error**2 * each / (plain * count), probes, error, plain * count))
            ratio, probes, error, baseline = max(costs)  # the number of probes that leaves us the least
            label = (
                f"projected, {name}: time to the error of {count} sequences with {probes} probes (the best of "
                f"{', '.join(map(str, PAPER_PROBES))}), {error / truth[name]:.2%}, with {variance / error**2:.0f}"
            )
            yield Row(name=label, ours=ratio * baseline, baseline=baseline, unit="s", target="at most 0.5")
        away = sum(getattr(one, name).value for one in ours) / len(ours) - truth[name]
        label = f"projected, {name}: standard errors from the value of {reference} sequences"
        yield Row(name=label, ours=abs(away) / (variance / POOL) ** 0.5, baseline=None, unit="", target="about 1")


@cache
def reference_energies(count: int) -> dict[str, float]:
    """What many clusters say."""
    many = measure(trained_gpt(), sequences(count, CONTEXT, seed=2), view="projected")
    return {name: getattr(many, name).value for name in QUANTITIES}


def grams_of_matrices(matrices: Tensor) -> Grams:
    """K and H of explicit contributions."""
    into = accumulator("dense", dim=matrices.shape[1])
    assert isinstance(into, DenseAccumulator)
    into.add_matrices(matrices, torch.ones(len(matrices)))
    return into.grams()


def loss() -> Row:
    """The loss view, intervals included, against forward and backward over the same batches."""
    model = trained_gpt()
    ids = sequences(SEQUENCES, CONTEXT + 1, seed=3)

    def plain() -> None:
        for parameter in model.parameters():
            parameter.requires_grad_(True)
        for x in ids.split(PLAIN_PART):
            logits = model(x[:, :-1])
            torch.nn.functional.cross_entropy(logits.flatten(0, 1), x[:, 1:].flatten()).backward()
        model.zero_grad()

    ours, baseline = (best_of(work, TIMES) for work in (lambda: measure(model, ids, view="loss"), plain))
    return Row(
        name=f"loss view, {SEQUENCES} sequences, against forward + backward",
        ours=ours,
        baseline=baseline,
        unit="s",
        target="1.3",
    )


def layers() -> Row:
    """Every linear layer from the same passes, against one measurement a layer; the loss view of the trained GPT."""
    model, ids = trained_gpt(), sequences(LAYER_SEQUENCES, CONTEXT + 1, seed=3)
    names = [layer.name for layer in measure_layers(model, ids, view="loss") if layer.kind == "Linear"]
    ours = best_of(lambda: measure_layers(model, ids, view="loss", layers=names), FEW_TIMES)
    apart = best_of(lambda: [measure(model, ids, view="loss", layer=name) for name in names], FEW_TIMES)
    label = f"{len(names)} linear layers, loss view, {LAYER_SEQUENCES} sequences, against one measurement a layer"
    return Row(name=label, ours=ours, baseline=apart, unit="s", target="below 1")


def mlps() -> list[Row]:
    """The input view of a network of 64 inputs against torch.func.vmap(jacrev), which stops at the matrix."""
    rows = []
    for outputs, ours, words in (
        (1, "ours, matrix", "the matrix"),
        (1, "ours", "with intervals"),
        (1000, "ours, matrix", "the matrix from every output"),
        (1000, "ours, exact", "every output, with intervals"),
        (1000, "ours", "one probe, with intervals"),
    ):
        (fast, small), (slow, large) = peak(ours, outputs), peak("vmap(jacrev)", outputs)
        name = f"input view, {outputs} output{'s' if outputs > 1 else ''}, {words}"
        rows.append(Row(name=f"{name}: time", ours=fast, baseline=slow, unit="s", target="below 1"))
        rows.append(Row(name=f"{name}: peak extra memory", ours=small, baseline=large, unit="MB", target="below 1"))
    return rows


def token() -> Row:
    """Peak extra memory of the token view on 65,536 coordinates, against the matrix that it never forms."""
    _, extra = peak("token", 256)
    matrix = 65_536**2 * 4 / 2**20
    return Row(
        name="token view, D = 65,536, 512 sequences: memory", ours=extra, baseline=matrix, unit="MB", target="2000 MB"
    )


def frobenius() -> list[Row]:
    """Error of ||G||_F^2 against Hutchinson's estimator (curvlinops' own where installed) at equal products."""
    return [
        Row(name=f"||G||_F^2 of {name}: error", ours=ours, baseline=theirs, unit="relative", target="-")
        for name, ours, theirs in frobenius_interaction.compare()
    ]
