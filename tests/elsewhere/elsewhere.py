"""What another package adds: view, family, task, rate treatment, tracker, law, sweep, figure and commands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import altair as alt
import torch
import typer
from torch import nn

from interlaw.cli import AsJson, make_console, print_json
from interlaw.errors import InterlawError
from interlaw.interaction import VIEWS
from interlaw.laws import PublishedLaw
from interlaw.models import Roles
from interlaw.published import Sweep
from interlaw.report import Drawing, Figure, Panel
from interlaw.shapes import LlamaShape, Shape
from interlaw.sweep.logs import TrialLog
from interlaw.tasks import RegressionTask, TaskKind, TaskPart, TaskPlan, TaskSpec
from interlaw.training import Factors, Rule


class Ladder(nn.Module):
    """Square layers between an input and an output layer."""

    roles = Roles(inputs=("enter",), outputs=("leave",), writers=())

    def __init__(self, shape: LadderShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        sizes = [shape.input_size, *[shape.width] * shape.depth]
        self.enter = nn.Linear(sizes[0], shape.width, bias=False)
        self.layers = nn.ModuleList(nn.Linear(shape.width, shape.width, bias=False) for _ in range(shape.depth))
        self.leave = nn.Linear(shape.width, 1, bias=False)
        for weight in self.parameters():
            nn.init.normal_(weight, std=0.2, generator=generator)

    def forward(self, x: torch.Tensor) -> Any:
        x = self.enter(x)
        for layer in self.layers:
            x = torch.tanh(layer(x))
        return self.leave(x)


@dataclass(frozen=True, kw_only=True)
class LadderShape(Shape):
    family: ClassVar[str] = "ladder"
    network: ClassVar[Any] = Ladder
    starter: ClassVar[str] = "mlp-tiny.toml"
    stackable: ClassVar[bool] = True
    stacked_on_cpu: ClassVar[int] = 1_000
    input_size: int = 4

    @property
    def params_non_embedding(self) -> int:
        return self.depth * self.width**2

    @property
    def params(self) -> int:
        return self.params_non_embedding + (self.input_size + 1) * self.width

    @property
    def flops_per_token(self) -> int:
        return 6 * self.params


@dataclass(frozen=True, kw_only=True)
class LoftShape(LlamaShape):
    """A decoder with another name and narrower heads."""

    family: ClassVar[str] = "loft"
    head_dim: int = 32

    def to_hf(self) -> dict[str, Any]:
        return {**super().to_hf(), "rope_theta": 5e5}


class SignsTask(TaskPart, TaskSpec):
    decides: ClassVar[dict[str, str]] = {"input_size": "task.dim"}
    kind: Literal["signs"] = "signs"
    dim: int = 4

    @property
    def units_per_sample(self) -> int:
        return 1

    def plan(self, *, folder: Path) -> TaskPlan:
        return TaskPlan(spec=lambda shape: self, sizes={"input_size": self.dim})

    def open(self, *, device: str = "cpu") -> RegressionTask:
        generator = torch.Generator().manual_seed(0)
        points = {split: torch.randn(64, self.dim, generator=generator) for split in ("train", "validation", "test")}
        return RegressionTask({split: (x, x.sign().sum(1, keepdim=True)) for split, x in points.items()})


class Notebook:
    """A tracker that writes the trials' names, one a line."""

    def __init__(self, folder: Path) -> None:
        self.notes = folder / "trials.txt"

    def write(self, trial: TrialLog) -> None:
        self.notes.parent.mkdir(parents=True, exist_ok=True)
        with self.notes.open("a") as file:
            file.write(f"{trial.key}\n")

    def close(self) -> None:
        pass


def seconds(results: Any) -> Drawing:
    """Seconds of each trial, as a figure of the report."""
    chart = alt.Chart(results.table[["depth", "seconds"]]).mark_point().encode(x="depth:Q", y="seconds:Q")
    return Drawing(
        message="Deep trials take longer", caption="A point a trial.", panels=(Panel(chart=chart, title="s"),)
    )


def greet(
    name: Annotated[str, typer.Argument(help="Whom.")],
    loud: Annotated[bool, typer.Option(help="In capitals.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say hello.

    More of it.
    """
    if name == "nobody":
        raise InterlawError("expected somebody, found nobody; name one")
    if name == "zero":
        1 / 0  # noqa: B018
    words = f"hello {name}".upper() if loud else f"hello {name}"
    print_json({"words": words}) if as_json else make_console(stderr=False).print(words)


FIGURE = Figure(name="seconds", title="Seconds", draw=seconds)
LAST_POSITION = replace(VIEWS["input"], positions="last")
SIGNS = TaskKind(part=SignsTask, spec=SignsTask)
NARROW = Rule(axes=("width",), factors=lambda role, m, deep: Factors(rate=m**-0.5))
LAW = PublishedLaw(
    key="elsewhere",
    name="Elsewhere",
    source="a test",
    trust="P",
    standing="convention",
    statement="the ratio falls with the fourth root of the size",
    params_low=1e6,
    params_high=1e9,
    formula=lambda params: 0.02 * (1e6 / params) ** 0.25,
)
SWEEP = Sweep(
    name="elsewhere",
    title="Six shapes",
    dataset="Elsewhere",
    source="a test",
    licence="CC0",
    counts="all parameters",
    file=str(Path(__file__).with_name("sweep.csv")),
)
