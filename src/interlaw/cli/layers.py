"""`interlaw layers`: interaction, superposition and their agreement, layer by layer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interlaw.cli.completion import LAYER_VIEWS, among
from interlaw.cli.measure import (
    Context,
    Device,
    Float32,
    Groups,
    Inputs,
    Level,
    Model,
    Positions,
    Probes,
    Samples,
    Seed,
    Text,
    Trust,
    progress_bar,
)
from interlaw.cli.output import AsJson, make_console, print_json, tell_written, write_json
from interlaw.cli.subject import open_subject, read_inputs
from interlaw.cli.wording import span
from interlaw.subject import MOST_BY_LAYER, title_of

if TYPE_CHECKING:
    from interlaw.interaction import LayerInteraction


def layers(
    model: Model,
    text: Text = None,
    inputs: Inputs = None,
    groups: Groups = None,
    view: Annotated[str | None, typer.Option(help="input or loss.", autocompletion=among(LAYER_VIEWS))] = None,
    layer: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this layer; repeat for more.")] = None,
    samples: Samples = None,
    probes: Probes = None,
    seed: Seed = 0,
    context: Context = None,
    positions: Positions = None,
    level: Level = None,
    device: Device = None,
    float32: Float32 = False,
    trust_remote_code: Trust = False,
    figure: Annotated[
        Path | None, typer.Option(metavar="FILE.png|svg|pdf", help="Also draw a heat map and lines over depth.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="Also save the table as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Interaction and superposition, layer by layer.

    With the agreement of the two: whether the Neural Feature Ansatz holds (AGOP ~ W^T W).
    """
    import torch

    from interlaw.interaction import LEVEL, Options, measure_layers

    if figure is not None:
        from interlaw.report import draw_layers, require_figure_name, write_chart

        require_figure_name(figure)
    subject = open_subject(model, device=device, trust_remote_code=trust_remote_code)
    what: dict[str, Any] = {
        "view": view or subject.default_view,
        "probes": probes,
        "seed": seed,
        "positions": positions,
        "level": LEVEL if level is None else level,
        "dtype": torch.float32 if float32 else None,
    }
    Options(**what)  # refused before anything is read
    given = read_inputs(
        subject,
        view=what["view"],
        text=text,
        inputs=inputs,
        samples=samples,
        most=MOST_BY_LAYER,
        context=context,
        seed=seed,
        groups=groups,
    )
    with progress_bar(given.inputs) as advance:
        beside: dict[str, Any] = {"groups": given.groups, "progress": advance}
        found = measure_layers(subject.model, given.inputs, layers=layer or None, **what, **beside)
    if figure is not None:
        drawing = draw_layers(found, whose=f"{title_of(subject, model)}, {what['view']} view")
        tell_written(write_chart(figure, drawing))
    for name, reason in found.left_out.items():
        make_console().print(f"note: '{name}' is left out: {reason}")
    written = {"layers": [row.to_dict() for row in found], "left_out": found.left_out}
    if out is not None:
        write_json(written, out)
        tell_written(out)
    if as_json:
        print_json(written)
    else:
        show(found)


def show(found: tuple[LayerInteraction, ...]) -> None:
    """Prints one row a layer."""
    heads = (
        *("layer", "kind", "dim", "AOFE-ratio", "by chance", "above chance", "interval"),
        *("of W^T W", "by chance", "NFA", "centred"),
    )
    rows = []
    for row in found:
        own, excess, weights = row.interaction, row.interaction.excess, row.superposition
        of_weights = (weights.aofe_ratio, weights.null_ratio, row.nfa, row.nfa_centered)
        ratio, chance, *others = (f"{level:.3f}" for level in (own.aofe_ratio.value, own.null_ratio, *of_weights))
        above = (f"{excess.value:+.3f}", span(excess.low, excess.high, "+.3f"))
        rows.append((row.name, row.kind, str(own.dim), ratio, chance, *above, *others))
    make_console(stderr=False).print_rows(heads, rows)
