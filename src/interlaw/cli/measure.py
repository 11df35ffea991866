"""`interlaw measure`: neural interaction of a saved model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, cast

import typer
from typer import Option

from interlaw import interaction, subject
from interlaw.cli import arguments
from interlaw.cli.loading import busy, uncollected
from interlaw.cli.output import AsJson, make_console, print_json, shown, tell_written
from interlaw.errors import InterlawError
from interlaw.size import counted, format_range


def measure(
    ctx: typer.Context,
    model: arguments.Model,
    text: arguments.Text = None,
    inputs: arguments.Inputs = None,
    groups: arguments.Groups = None,
    view: Annotated[str | None, arguments.of_views(f"{', '.join(interaction.VIEWS)}; see docs/measuring.md.")] = None,
    layer: arguments.Layer = None,
    samples: arguments.Samples = None,
    probes: arguments.Probes = None,
    exact: Annotated[bool, Option("--exact", help="Take every output instead of probes.")] = False,
    seed: arguments.Seed = 0,
    context: arguments.Context = None,
    positions: arguments.Positions = None,
    outputs: Annotated[str | None, Option(metavar="0,3,5", help="Only these outputs.")] = None,
    center: Annotated[bool, Option("--center", help="Centre the logits.")] = False,
    rms: Annotated[
        bool, Option("--rms", help="Divide the logits by their root mean square over the whole sample.")
    ] = False,
    rel_error: Annotated[
        float | None, Option(help="Stop early when the ratio's interval is this narrow, relative.")
    ] = None,
    interval: Annotated[str | None, Option(help="jackknife, bootstrap-t or percentile.")] = None,
    rotate: Annotated[
        bool, Option("--rotation-test", help="Also test whether the basis is special; up to 1024 coordinates.")
    ] = False,
    route: Annotated[str | None, Option(help="gram or dense; the cheaper one when not given.")] = None,
    level: arguments.Level = None,
    device: arguments.Device = None,
    float32: arguments.Float32 = False,
    trust_remote_code: arguments.Trust = False,
    places: Annotated[
        bool, Option("--list-layers", help="List the layers that can be measured, and measure nothing.")
    ] = False,
    out: Annotated[Path | None, Option(metavar="FILE.json", help="Also save the measurement (JSON and npz).")] = None,
    as_json: AsJson = False,
) -> None:
    """Neural interaction of a saved model.

    With intervals and against chance, at its input or at any layer.
    """
    if exact and probes is not None:
        raise InterlawError("expected --probes or --exact, found both; give one")
    options = arguments.chosen(
        ctx,
        groups=None,
        probes="exact" if exact else probes,
        outputs=None if outputs is None else indices(outputs),
        scale="rms" if rms else None,
    )
    if places:
        show_places(model, options, inputs=inputs, as_json=as_json)
        return
    named, result = arguments.measured(interaction.measure, model, inputs=inputs, options=options, groups=groups)
    if rotate:
        result = with_rotation_test(result, named)
    if out is not None:
        interaction.save(result, out)
        tell_written(out)
    if as_json:
        print_json(result.to_dict())
    else:
        show(result, of=f"{model} on {what_was_read(named.given, inputs, assumed=text is None)}")


def what_was_read(given: subject.Given, inputs: Path | None, *, assumed: bool) -> str:
    """The inputs in words; a text that nobody named is said to be so."""
    if given.text is None:
        return "samples of its own task" if inputs is None else str(inputs)
    return f"{given.text} (no --text was given)" if assumed else given.text


def show_places(model: str, options: subject.NamedOptions, *, inputs: Path | None, as_json: bool) -> None:
    """Name, class, width and calls of every layer; calls need inputs, which a known language model does without."""
    with busy(f"loading {model}"), uncollected():
        trust = options.get("trust_remote_code", False)
        opened = subject.open_subject(model, device=options.get("device"), trust_remote_code=trust)
    text, context = options.get("text"), options.get("context")
    one = subject.any_tokens(opened, context=context)
    if inputs is not None or text is not None:
        given = subject.read_inputs(opened, view="input", text=text, inputs=inputs, samples=1, context=context)
        one = given.inputs[0] if isinstance(given.inputs, list) else given.inputs
    layers = interaction.list_layers(opened.model, one)
    if as_json:
        print_json({"layers": layers})
        return
    make_console(stderr=False).print_rows(
        ("layer", "class", "width", "calls"),
        [(row["name"], row["kind"], str(row["width"]), shown(row["calls"], "d")) for row in layers],
    )


def with_rotation_test(result: interaction.Interaction, named: subject.Named) -> interaction.Interaction:
    """The measurement with the p-value of its basis; a second pass over the inputs forms the matrix."""
    interaction.require_small(result.dim)
    taken = interaction.MatrixOptions.__annotations__
    how = {"probes": "exact", **{name: value for name, value in named.options.items() if name in taken}}
    G = interaction.agop(named.subject.model, named.given.inputs, **cast("interaction.MatrixOptions", how))
    return replace(result, rotation_test=interaction.rotation_test(G, seed=result.seed))


def indices(written: str) -> list[int]:
    """The numbers of "0,3,5"."""
    try:
        return [int(word) for word in written.split(",")]
    except ValueError as error:
        raise InterlawError(f"expected --outputs such as 0,3,5, found {written!r}; write whole numbers so") from error


def show(result: interaction.Interaction, *, of: str) -> None:
    """Prints what was measured, one row a quantity, the null, and what to watch for."""
    console = make_console(stderr=False)
    probes = f"{counted(result.num_probes, 'probe')} a sample"
    console.print(of)
    console.print(
        f"{result.view} view at {result.layer}: {result.dim} coordinates, {_counted(result)}, "
        + (probes if result.num_probes else "exact, without probes")
        + f", {result.settings['interval']} intervals",
    )
    level = f"{result.settings['level']:.0%} interval, {counted(result.num_groups, 'group')}"
    rows = []
    for name, one in result.estimates.items():
        interval = format_range(one.low, one.high, form=".5g")
        rows.append((name, f"{one.value:.5g}", f"{one.stderr:.2g}", interval, f"{result.plugin[name]:.5g}"))
    console.print_rows(("quantity", "value", "standard error", level, "plug-in"), rows)
    if result.basis_spread is not None:
        console.print(
            f"the interval of excess_ratio also holds the spread over random bases, {result.basis_spread:.2g}; "
            "its standard error is over samples alone"
        )
    if result.rotation_test is not None:
        test = result.rotation_test
        console.print(
            f"rotation test: ratio {test.aofe_ratio:.4f}, in {test.draws} random bases {test.null_mean:.4f} "
            f"+- {test.null_std:.4f}, p = {test.p_value:.3g}"
        )
    console.print(_judged(result))
    for warning in result.warnings:
        console.print(f"note: {warning}")
    if result.target_met is False:
        console.print("note: the precision asked for was not reached; give more samples")


def _counted(result: interaction.Interaction) -> str:
    """How many samples there were, and how many groups of them."""
    if result.num_samples in (None, result.num_clusters):
        return f"{result.num_clusters} samples"
    return f"{result.num_samples} samples in {counted(result.num_clusters, 'group')}"


def _judged(result: interaction.Interaction) -> str:
    """The AOFE-ratio against chance, in a sentence; the interval of the excess holds the spread over random bases."""
    low, high = result.excess.low, result.excess.high
    share = f"the coordinates' interaction is {result.aofe_ratio.value:.1%} of the energy"
    if low <= 0 <= high:
        return f"{share}, which {_counted(result)} cannot tell from that of a random basis ({result.null.value:.1%})"
    side = "above" if low > 0 else "below"
    return (
        f"{share}, {100 * abs(result.excess.value):.1f} points {side} that of a random basis ({result.null.value:.1%})"
    )
