"""`interlaw diff`: is one network's interaction larger than another's? Two models or two saved measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from interlaw import interaction, report, subject
from interlaw.cli import arguments
from interlaw.cli.output import AsJson, make_console, print_json, shown, tell_written
from interlaw.errors import InterlawError
from interlaw.size import format_range

LAYERS_FIGURE = Path("diff.png")
COLUMNS = {"null": "null_ratio", "excess": "excess_ratio"}  # as `interlaw measure` and tables name them

Named = Argument(help="A model, as `interlaw measure` takes it, or FILE.json that `interlaw measure --out` wrote.")


def diff(
    ctx: typer.Context,
    a: Annotated[str, Named],
    b: Annotated[str, Named],
    text: arguments.Text = None,
    inputs: arguments.Inputs = None,
    view: Annotated[
        str | None, arguments.of_views(f"{', '.join(list(interaction.VIEWS)[:3])}, ...; as in measure.")
    ] = None,
    layer: arguments.Layer = None,
    samples: arguments.Samples = None,
    probes: arguments.Probes = None,
    seed: arguments.Seed = 0,
    context: arguments.Context = None,
    level: arguments.Level = None,
    device: arguments.Device = None,
    float32: arguments.Float32 = False,
    trust_remote_code: arguments.Trust = False,
    by_layer: Annotated[bool, Option("--layers", help="Compare every layer, and draw both models by layer.")] = False,
    figure: Annotated[
        Path | None, Option(metavar="FILE.png|svg|pdf", help=f"The figure of --layers; {LAYERS_FIGURE} when not given.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Two models or saved measurements side by side.

    Ends in one sentence: which has the larger interaction, and how sure that is.
    """
    level = interaction.LEVEL if level is None else level
    options = arguments.chosen(ctx, level=None)
    if by_layer:
        _diff_layers((a, b), options, inputs, figure=figure, level=level, as_json=as_json)
        return
    if figure is not None:
        raise InterlawError("expected --layers with --figure, found --figure alone; add --layers")
    _diff((a, b), options, inputs, level=level, as_json=as_json)


def _diff(
    names: tuple[str, str], options: subject.NamedOptions, inputs: Path | None, *, level: float, as_json: bool
) -> None:
    """Both models or saved measurements as a whole: a table and one sentence."""
    printed: set[str] = set()  # the text of both is one
    first, second = (
        interaction.load(name)
        if Path(name).suffix == ".json"
        else arguments.measured(interaction.measure, name, inputs=inputs, options=options, printed=printed)[1]
        for name in names
    )
    alike = (first.layer, first.dim) == (second.layer, second.dim)
    differences = interaction.compare(
        first, second, paired=interaction.same_clusters(first, second), across=not alike, level=level
    )
    sentence = in_a_sentence(first, second, differences=differences, level=level)
    if as_json:
        document = {"a": first.to_dict(), "b": second.to_dict(), "differences": differences, "sentence": sentence}
        print_json(document)
        return
    _show(first, second, differences=differences, level=level)
    console = make_console(stderr=False)
    console.print(sentence)
    if not alike or first.model != second.model:
        console.print(f"note: {interaction.SCALE}")


def _diff_layers(
    names: tuple[str, str],
    options: subject.NamedOptions,
    inputs: Path | None,
    *,
    figure: Path | None,
    level: float,
    as_json: bool,
) -> None:
    """Both models by layer: a table, one figure, one sentence."""
    figure = report.require_figure_name(LAYERS_FIGURE if figure is None else figure)
    saved = [name for name in names if Path(name).suffix == ".json"]
    if saved or "layer" in options:
        raise InterlawError(
            f"expected two models and no --layer with --layers, found {saved[0] if saved else '--layer'}; "
            "name the models themselves, and leave --layer out"
        )
    printed: set[str] = set()
    (first, a), (second, b) = (
        arguments.measured(
            interaction.measure_layers,
            name,
            inputs=inputs,
            options=options,
            printed=printed,
            most=subject.MOST_BY_LAYER,
        )
        for name in names
    )
    titles = (subject.title_of(first.subject, names[0]), subject.title_of(second.subject, names[1]))
    difference = interaction.compare_layers(a, b, level=level)
    sentence = report.difference_in_words(difference, titles)
    replaced = figure.exists()
    drawn = report.draw_layers_pair({f"A: {titles[0]}": a, f"B: {titles[1]}": b}, message=sentence)
    tell_written(report.write_chart(figure, drawn), replaced=replaced)
    if as_json:
        rows = {"a": [row.to_dict() for row in a], "b": [row.to_dict() for row in b]}
        print_json({**rows, "differences": difference.to_dict(), "sentence": sentence, "figure": str(figure)})
        return
    _show_layers(a, b, difference=difference)
    make_console(stderr=False).print(sentence)


def _show_layers(a: interaction.Layers, b: interaction.Layers, *, difference: interaction.LayersDifference) -> None:
    """One row a layer of either model, in the order of the network."""
    first, second = ({row.name: row.interaction.excess_ratio for row in side} for side in (a, b))
    rows = []
    for name in dict.fromkeys([*first, *second]):
        one = difference.layers.get(name)
        apart = ("-", "-") if one is None else (f"{one.value:+.4f}", format_range(one.low, one.high, form="+.4f"))
        rows.append((name, shown(first.get(name), "+.4f"), shown(second.get(name), "+.4f"), *apart))
    level = f"{difference.level:.0%} interval, all together"
    make_console(stderr=False).print_rows(("layer", "A above chance", "B above chance", "A - B", level), rows)


def in_a_sentence(
    a: interaction.Interaction,
    b: interaction.Interaction,
    *,
    differences: dict[str, interaction.Estimate],
    level: float,
) -> str:
    """Which has more interaction beyond what chance gives each; the ratio itself, which says less, stands second."""
    excess, ratio = differences["excess"], differences["aofe_ratio"]
    differ = not excess.low <= 0 <= excess.high
    said = (
        f"{'A' if excess.value > 0 else 'B'} has the larger interaction above chance"
        if differ
        else "the two cannot be told apart in interaction above chance"
    )
    names = (a.model or "A", b.model or "B")
    values = [f"{one.excess_ratio:+.4f} in {name}" for one, name in zip((a, b), names, strict=True)]
    second = f"the AOFE-ratio itself is {a.aofe_ratio.value:.4f} and {b.aofe_ratio.value:.4f} ({_span(ratio)})"
    if not differ and not ratio.low <= 0 <= ratio.high:
        second += ", a difference that chance alone can give"
    return (
        f"{said}: the AOFE-ratio's excess over chance is {' and '.join(values)} "
        f"({_span(excess)}, {level:.0%} interval); {second}"
    )


def _span(one: interaction.Estimate) -> str:
    """A difference with its interval."""
    return f"A - B: {one.value:+.4f}, {format_range(one.low, one.high, form='+.4f')}"


def _show(
    a: interaction.Interaction,
    b: interaction.Interaction,
    *,
    differences: dict[str, interaction.Estimate],
    level: float,
) -> None:
    """One row a quantity: both values and their difference."""
    console = make_console(stderr=False)
    for letter, one in (("A", a), ("B", b)):
        console.print(
            f"{letter}: {one.model}, {one.view} view at {one.layer}, {one.dim} coordinates, {one.num_clusters} samples",
        )
    rows = []
    for name, difference in differences.items():
        values = (getattr(a, name).value, getattr(b, name).value, difference.value)
        rows.append(
            (
                COLUMNS.get(name, name),
                *(f"{value:.5g}" for value in values),
                format_range(difference.low, difference.high, form=".5g"),
            )
        )
    console.print_rows(("quantity", "A", "B", "A - B", f"{level:.0%} interval"), rows)
