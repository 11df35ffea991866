"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

RunPlace = Annotated[str, typer.Argument(metavar="DIR|URL", help="A run's folder or its URL, finished or not.")]
OwnText = Annotated[
    Path | None, typer.Option(metavar="FOLDER|FILE", help="Your own text; the standard library's when not given.")
]
Workers = Annotated[int | None, typer.Option(help="Worker processes; one a core, or one on a GPU, when not given.")]
TrainDevice = Annotated[
    str | None, typer.Option(help="Where to train: cpu, cuda, cuda:1; cuda where there is one when not given.")
]
FigureFile = Annotated[
    Path | None, typer.Option(metavar="FILE.png", help="Also draw it, as PNG, SVG or PDF by the ending.")
]
Port = Annotated[int, typer.Option(help="Port on this machine; any free one when 0.")]
