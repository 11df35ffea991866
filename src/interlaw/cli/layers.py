"""`interlaw layers`: interaction, superposition and their agreement, layer by layer."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from typer import Option

from interlaw import interaction, report, subject
from interlaw.cli import arguments
from interlaw.cli.output import AsJson, make_console, print_json, tell, write_figure, write_json
from interlaw.size import format_range


def layers(
    ctx: typer.Context,
    model: arguments.Model,
    text: arguments.Text = None,
    inputs: arguments.Inputs = None,
    groups: arguments.Groups = None,
    view: Annotated[
        str | None,
        arguments.of_views(f"{' or '.join(interaction.OF_EVERY_LAYER)}; as in measure.", interaction.OF_EVERY_LAYER),
    ] = None,
    layer: Annotated[list[str] | None, Option(metavar="NAME", help="Only this layer; repeat for more.")] = None,
    samples: arguments.Samples = None,
    probes: arguments.Probes = None,
    seed: arguments.Seed = 0,
    context: arguments.Context = None,
    positions: arguments.Positions = None,
    level: arguments.Level = None,
    device: arguments.Device = None,
    float32: arguments.Float32 = False,
    trust_remote_code: arguments.Trust = False,
    figure: Annotated[
        Path | None, Option(metavar="FILE.png|svg|pdf", help="Also draw a heat map and lines over depth.")
    ] = None,
    out: Annotated[Path | None, Option(metavar="FILE.json", help="Also save the table as JSON.")] = None,
    as_json: AsJson = False,
) -> None:
    """Interaction and superposition, layer by layer.

    With the agreement of the two: whether the Neural Feature Ansatz holds (AGOP ~ W^T W).
    """
    if figure is not None:
        report.require_figure_name(figure)
    options = arguments.chosen(ctx, groups=None, layer=None)
    work, most = partial(interaction.measure_layers, layers=layer or None), subject.MOST_BY_LAYER
    named, measured = arguments.measured(work, model, inputs=inputs, options=options, most=most, groups=groups)
    whose = f"{subject.title_of(named.subject, model)}, {named.options['view']} view"
    write_figure(figure, lambda: report.draw_layers(measured, whose=whose))
    for name, reason in measured.left_out.items():
        tell(f"note: '{name}' is left out: {reason}")
    written = {"layers": [row.to_dict() for row in measured], "left_out": measured.left_out}
    write_json(written, out)
    if as_json:
        print_json(written)
    else:
        show(measured)


def show(measured: tuple[interaction.LayerInteraction, ...]) -> None:
    """Prints one row a layer, and what the two last columns are."""
    level = f"{measured[0].interaction.settings['level']:.0%} interval"
    heads = (
        *("layer", "kind", "dim", "AOFE-ratio", "by chance", "above chance", level),
        *("of W^T W", "by chance", "NFA", "centred"),
    )
    rows = []
    for row in measured:
        own, excess, weights = row.interaction, row.interaction.excess, row.superposition
        of_weights = (weights.aofe_ratio, weights.null_ratio, row.nfa, row.nfa_centered)
        ratio, chance, *others = (f"{value:.3f}" for value in (own.aofe_ratio.value, own.null_ratio, *of_weights))
        above = (f"{excess.value:+.3f}", format_range(excess.low, excess.high, form="+.3f"))
        rows.append((row.name, row.kind, str(own.dim), ratio, chance, *above, *others))
    console = make_console(stderr=False)
    console.print_rows(heads, rows)
    console.print(
        "NFA (Neural Feature Ansatz: W^T W is proportional to the AGOP at the layer's input): the cosine of the two; "
        "centred: after the mean entry of each is taken away"
    )
