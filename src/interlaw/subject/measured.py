"""The interaction of a given network, or of one that is named, loaded and given something to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypedDict, Unpack, cast

from torch import nn

from interlaw import interaction
from interlaw.errors import InterlawError
from interlaw.interaction import MeasureOptions
from interlaw.subject.inputs import MOST_BY_LAYER, MOST_SAMPLES, Given, read_inputs, require_one_source, require_sizes
from interlaw.subject.model import Subject, open_subject


class Reading(TypedDict, total=False):
    """How a model that is named is loaded, and what it reads; `measure` documents each."""

    text: str | Path | None
    samples: int | None
    context: int | None
    device: str | None
    trust_remote_code: bool


class NamedOptions(MeasureOptions, Reading, total=False):
    """All options of a model that is named."""


@dataclass(frozen=True, kw_only=True)
class Named:
    """A model that was named, with what it reads.

    Attributes:
        subject: The model.
        given: Its inputs.
        options: Of the measurement, the view among them.
    """

    subject: Subject
    given: Given
    options: MeasureOptions


def measure(
    model: nn.Module | str | Path, inputs: object = None, **options: Unpack[NamedOptions]
) -> interaction.Interaction:
    """Measures the AOFE, its ratio and related quantities of a network, without bias, with intervals, against chance.

    Args:
        model: A network with its `inputs`; or the name of one that is loaded, as `interlaw measure` takes it: a Hugging
            Face name or folder, a trial's folder, or `module.py:factory`.
        inputs: A tensor, or an iterable of batches (tensors or dicts), whose first axis counts clusters; with a name
            also a .npy file. A language model or a trial that is named needs none.
        **options: As in `interlaw.interaction.measure`, such as view=, layer=, probes=, seed=, groups=. The view of a
            name is "loss" for a language model when none is given, "input" otherwise. For a name also the following.
            text: A text file or a folder of them.
            samples: At most so many samples (sequences).
            context: Tokens a sequence.
            device: Where the model goes; cuda where there is one when None.
            trust_remote_code: Run code that comes with a hub model.

    Returns:
        The measurement; what people should know of the model and its inputs is in its `warnings`.

    Raises:
        InterlawError: A mistake; the message says how to correct it.
        TypeError: `model` is neither a torch module nor a name, or the inputs are of another type.

    Example:
        >>> import torch
        >>> model = torch.nn.Linear(3, 2)
        >>> measure(model, torch.randn(8, 3)).dim
        3
    """
    if not isinstance(model, str | Path):
        return interaction.measure(model, inputs, **_of_network(options, function="measure", model=model))
    named = open_named(model, inputs, options=options)
    measured = interaction.measure(named.subject.model, named.given.inputs, **named.options)
    return replace(measured, warnings=(*_notes(named, options), *measured.warnings))


def measure_layers(
    model: nn.Module | str | Path,
    inputs: object = None,
    *,
    layers: Sequence[str] | None = None,
    **options: Unpack[NamedOptions],
) -> interaction.Layers:
    """Measures every linear, convolution and embedding layer of a network, given or named.

    Args:
        model: As in `measure`.
        inputs: As in `measure`.
        layers: Names of the modules; all of the known kinds when None.
        **options: As in `measure`, without `layer`; a name reads fewer samples by default.

    Returns:
        The layers; what people should know of a named model is in the `warnings` of each layer's measurement.

    Raises:
        InterlawError: A mistake; the message says how to correct it.
        TypeError: `model` is neither a torch module nor a name, or the inputs are of another type.

    Example:
        >>> import torch
        >>> len(measure_layers(torch.nn.Sequential(torch.nn.Linear(3, 2)), torch.randn(8, 3)))
        1
    """
    if not isinstance(model, str | Path):
        own = _of_network(options, function="measure_layers", model=model)
        return interaction.measure_layers(model, inputs, layers=layers, **own)
    named = open_named(model, inputs, options=options, most=MOST_BY_LAYER)
    measured = interaction.measure_layers(named.subject.model, named.given.inputs, layers=layers, **named.options)
    notes = _notes(named, options)
    rows = (
        replace(row, interaction=replace(row.interaction, warnings=(*notes, *row.interaction.warnings)))
        for row in measured
    )
    return interaction.Layers(rows, left_out=measured.left_out)


def open_named(
    name: str | Path,
    inputs: object,
    *,
    options: NamedOptions,
    most: int = MOST_SAMPLES,
    groups: Path | None = None,
) -> Named:
    """Loads a model and reads its inputs; a wrong option is refused before anything is loaded.

    Args:
        name: As in `measure`.
        inputs: As in `measure`.
        options: As in `measure`.
        most: Samples where the options do not say how many.
        groups: A file of one label a sample of a file of `inputs`.

    Raises:
        InterlawError: A mistake; the message says how to correct it.
    """
    how = {key: value for key, value in options.items() if key not in Reading.__annotations__}
    require_one_source(options.get("text"), inputs)
    require_sizes(options.get("samples"), options.get("context"))
    if how.get("view") is None:
        how.pop("view", None)  # what the model suggests, which is not known yet
    interaction.options_from(how)  # refused before anything is loaded
    trust = options.get("trust_remote_code", False)
    subject = open_subject(str(name), device=options.get("device"), trust_remote_code=trust)
    how.setdefault("view", subject.default_view)
    checked = interaction.options_from(how)
    samples = options.get("samples")
    given = read_inputs(
        subject,
        view=checked.view,
        text=options.get("text"),
        inputs=inputs,
        samples=samples,
        most=most,
        context=options.get("context"),
        seed=checked.seed,
        groups=groups,
    )
    beside = {"name": str(name), "groups": given.groups, "max_clusters": samples if given.inputs is inputs else None}
    return Named(subject=subject, given=given, options=cast("MeasureOptions", {**beside, **how}))


def _of_network(options: NamedOptions, *, function: str, model: object) -> MeasureOptions:
    """The options of a given network; refuses what only a named model has a use for."""
    given = [key for key in Reading.__annotations__ if options.get(key) is not None and options.get(key) is not False]
    if given:
        raise InterlawError(
            f"expected {given[0]}= with a model's name, {function}('folder', text='book.txt'), found "
            f"{type(model).__name__}; give a network its inputs: {function}(model, x)"
        )
    return cast("MeasureOptions", {key: options[key] for key in options if key not in Reading.__annotations__})  # type: ignore[literal-required]


def _notes(named: Named, options: NamedOptions) -> tuple[str, ...]:
    """What people should know of the model and what it read."""
    chosen = named.given.text is not None and options.get("text") is None
    return (*named.subject.notes, *([f"read {named.given.text}"] if chosen else []), *named.given.notes)
