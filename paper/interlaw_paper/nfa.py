"""The Neural Feature Ansatz during training: does W^T W come to look like the AGOP at every layer's input?

One MLP and one GPT are trained; at a few steps every linear layer is measured. The ansatz (Radhakrishnan et al. 2022,
arXiv 2212.13881) says that the two matrices become proportional, so their cosine should rise towards 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from torch import nn

from interlaw.errors import WorkFailedError
from interlaw.interaction import VIEWS, measure_layers
from interlaw.models import build_model
from interlaw.plain import Json
from interlaw.report import write_chart
from interlaw.shapes import GPTShape, MLPShape, Shape
from interlaw.tasks import Task, TaskPart, TextTaskPart, VectorTaskSpec
from interlaw.training import TrainSettings, TrainState, train
from interlaw_paper.agreement import Agreement, claim
from interlaw_paper.experiments import Experiment
from interlaw_paper.folder import keep, read_kept
from interlaw_paper.layers_figure import draw_layer_lines
from interlaw_paper.outcome import Driver, Outcome
from interlaw_paper.scale import Scale

NAME = "nfa"
PROPORTIONAL = 0.9  # a judgement: the published statement names no number


@dataclass(frozen=True, kw_only=True)
class Subject:
    """One network that is watched.

    Attributes:
        label: Its name in tables and its file under OUT.
        shape: Its sizes.
        task: What it learns.
        settings: How it is trained.
        view: View of the layers: `input` for J^T J, `loss` for gradients of the loss.
        samples: Clusters measured each time.
        num_stops: Measurements after the one at the start, the gaps between them doubling.
    """

    label: str
    shape: Shape
    task: TaskPart
    settings: TrainSettings
    view: str
    samples: int
    num_stops: int = 5  # from a sixteenth of the training on

    def stops(self) -> list[int]:
        """Steps at which the layers are measured: the start, and fractions 1, 1/2, 1/4... of the end."""
        steps = self.settings.steps
        return sorted({0, *(steps // 2**halvings for halvings in range(self.num_stops))})


def _mlp(*, depth: int, width: int, steps: int) -> Subject:
    """A network that fits 20,000 points; rate, batch and samples are judgements, and train in minutes."""
    settings = TrainSettings(steps=steps, batch_size=256, learning_rate=1e-3, beta2=0.999, blow_up=1e6)
    task = VectorTaskSpec(train=20_000)
    return Subject(
        label="mlp", shape=MLPShape(depth=depth, width=width), task=task, settings=settings, view="input", samples=512
    )


def _gpt(*, depth: int, width: int, steps: int, context: int, batch_size: int) -> Subject:
    """A byte-level network with the published heads of 4; the rest is chosen in the same way."""
    settings = TrainSettings(steps=steps, batch_size=batch_size, learning_rate=3e-3, warmup_steps=steps // 20)
    shape = GPTShape(depth=depth, width=width, context=context, head_dim=4)
    return Subject(label="gpt", shape=shape, task=TextTaskPart(), settings=settings, view="loss", samples=64)


SUBJECTS: dict[Scale, tuple[Subject, ...]] = {
    "tiny": (_mlp(depth=3, width=48, steps=1500), _gpt(depth=2, width=32, steps=300, context=64, batch_size=16)),
    "paper": (_mlp(depth=6, width=152, steps=20_000), _gpt(depth=5, width=120, steps=1200, context=256, batch_size=64)),
}


def run_nfa(*, scale: Scale, out: Path, driver: Driver, text: str | None = None) -> Outcome:
    """Watches what is missing, compares the start with the end, and draws.

    Args:
        scale: Which networks.
        out: The experiment's folder.
        driver: Device and progress.
        text: What the GPT reads in place of the embedded text.

    Raises:
        WorkFailedError: When a training diverged.
    """
    rows: list[Json] = []
    for subject in SUBJECTS[scale]:
        rows.extend(watch(subject, out=out, driver=driver, text=text))
    picture = write_chart(out / "layers.png", draw_layer_lines(rows))
    return Outcome(
        experiment=NAME,
        scale=scale,
        setting="W^T W against the AGOP at every layer's input, of an MLP and a GPT, while they are trained.",
        agreement=tuple(agreement(rows)),
        table=tuple(rows),
        files=(str(picture),),
        notes=(
            "The GPT's AGOP is that of the loss view, gradients of the summed next-token loss; the MLP's is J^T J.",
        ),
    )


def watch(subject: Subject, *, out: Path, driver: Driver, text: str | None = None) -> list[Json]:
    """One row a layer and stop; read from OUT when it is there.

    Raises:
        InterlawError: When OUT holds other settings, or a damaged file.
        WorkFailedError: When the training diverged.
    """
    part = subject.task
    if text is not None and isinstance(part, TextTaskPart):
        part = part.model_copy(update={"corpus": text})
    spec = part.plan(folder=Path.cwd()).spec(subject.shape)
    stamp = {"subject": repr(subject), "task": spec.model_dump(mode="json")}
    place = out / f"{subject.label}.json"
    kept = read_kept(place, stamp=stamp)
    if kept is not None:
        return kept
    task = spec.open(device=driver.device)
    model = build_model(subject.shape, seed=subject.settings.seed, device=driver.device)
    rows = _measured(subject, model=model, task=task, step=0)
    stops = subject.stops()

    def look(state: TrainState) -> None:
        if state.step in stops:
            rows.extend(_measured(subject, model=model, task=task, step=state.step))
            driver.note(f"{subject.label}: step {state.step} of {subject.settings.steps}")

    result = train(model, task, settings=subject.settings, report=look)
    if result.status != "done":
        raise WorkFailedError(f"the training of {subject.label} diverged: {result.reason}")
    rows = [{**row, "final_loss": result.loss} for row in rows]
    keep(place, stamp=stamp, rows=rows)
    return rows


def agreement(rows: Sequence[Json]) -> list[Agreement]:
    """The ansatz, a network: do its layers end nearly proportional, or at least nearer to it than they began?"""
    lines = []
    for label, own in pd.DataFrame(rows).groupby("model", sort=False):
        steps = [layers["nfa"].to_numpy() for _, layers in own.groupby("step")]
        start, end = float(steps[0].mean()), float(steps[-1].mean())
        lines.append(
            claim(
                f"{label}: W^T W comes to agree with the AGOP",
                published="they become proportional (cosine towards 1)",
                ours=f"mean cosine over layers {start:.2f} at the start, {end:.2f} at the end",
                holds=end > start and (True if end >= PROPORTIONAL else "partly"),
                rule=(
                    f"the mean over layers rises to {PROPORTIONAL} or more; partly: it rises, and stays below; "
                    "not at all: it does not rise"
                ),
                differs="small networks; the published statement carries no figure of its own here",
            )
        )
    return lines


def _measured(subject: Subject, *, model: nn.Module, task: Task, step: int) -> list[Json]:
    """Every layer at one stop."""
    training = model.training
    probes = task.probes(num_samples=subject.samples, with_targets=VIEWS[subject.view].with_targets)
    layers = measure_layers(model.eval(), probes, view=subject.view)
    model.train(training)
    return [
        {
            "model": subject.label,
            "step": step,
            "layer": layer.name,
            "nfa": layer.nfa,
            "nfa_centered": layer.nfa_centered,
            "aofe_ratio": layer.interaction.aofe_ratio.value,
            "null_ratio": layer.interaction.null_ratio,
            "weights_aofe_ratio": layer.superposition.aofe_ratio,
        }
        for layer in layers
    ]


EXPERIMENT = Experiment(run=run_nfa, options=frozenset({"text", "device"}))
