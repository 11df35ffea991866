"""The interaction of a network at hand, or of one that is named, loaded and given something to read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from interlaw.errors import InterlawError
from interlaw.subject.input_files import require_text
from interlaw.subject.inputs import MOST_BY_LAYER, Given, read_inputs
from interlaw.subject.model import open_subject

if TYPE_CHECKING:
    from torch import nn

    from interlaw.interaction import Interaction, Layers, MeasureOptions


def measure(
    model: nn.Module | str | Path,
    inputs: object = None,
    *,
    text: str | Path | None = None,
    samples: int | None = None,
    context: int | None = None,
    device: str | None = None,
    trust_remote_code: bool = False,
    **options: Unpack[MeasureOptions],
) -> Interaction:
    """Measures the AOFE, its ratio and related quantities of a network, without bias, with intervals, against chance.

    Args:
        model: A network with its `inputs`; or the name of one that is loaded, as `interlaw measure` takes it: a Hugging
            Face name or folder, a trial's folder, or `module.py:factory`.
        inputs: A tensor, or an iterable of batches (tensors or dicts), whose first axis counts clusters; with a name
            also a .npy file. A language model or a trial that is named needs none.
        text: For a name: a text file or a folder of them.
        samples: For a name: at most so many samples (sequences).
        context: For a name: tokens a sequence.
        device: For a name: where the model goes; cuda where there is one when None.
        trust_remote_code: For a name: run code that comes with a hub model.
        **options: As in `interlaw.interaction.measure`, such as view=, layer=, probes=, seed=, groups=. The view of a
            name is "loss" for a language model when none is given, "input" otherwise.

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
    from interlaw.interaction import measure as measure_network

    reading = {"text": text, "samples": samples, "context": context}
    if not isinstance(model, str | Path):
        _require_nothing_to_read({**reading, "device": device}, "measure", model)
        return measure_network(model, inputs, **options)
    named = _open(str(model), inputs, reading, options, device=device, trust_remote_code=trust_remote_code)
    measured = measure_network(named.network, named.inputs, **named.options)
    return replace(measured, warnings=(*named.notes, *measured.warnings))


def measure_layers(
    model: nn.Module | str | Path,
    inputs: object = None,
    *,
    layers: Sequence[str] | None = None,
    text: str | Path | None = None,
    samples: int | None = None,
    context: int | None = None,
    device: str | None = None,
    trust_remote_code: bool = False,
    **options: Unpack[MeasureOptions],
) -> Layers:
    """Measures every linear, convolution and embedding layer of a network, at hand or named.

    Args:
        model: As in `measure`.
        inputs: As in `measure`.
        layers: Names of the modules; all of the known kinds when None.
        text: As in `measure`; so are `samples`, of which a name reads fewer by default, `context`, `device` and
            `trust_remote_code`.
        samples: See there.
        context: See there.
        device: See there.
        trust_remote_code: See there.
        **options: As in `interlaw.interaction.measure_layers`.

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
    from interlaw.interaction import Layers
    from interlaw.interaction import measure_layers as measure_network

    reading = {"text": text, "samples": samples, "context": context}
    if not isinstance(model, str | Path):
        _require_nothing_to_read({**reading, "device": device}, "measure_layers", model)
        return measure_network(model, inputs, layers=layers, **options)
    reading["most"] = MOST_BY_LAYER
    named = _open(str(model), inputs, reading, options, device=device, trust_remote_code=trust_remote_code)
    found = measure_network(named.network, named.inputs, layers=layers, **named.options)
    rows = [
        replace(row, interaction=replace(one, warnings=(*named.notes, *one.warnings)))
        for row, one in ((row, row.interaction) for row in found)
    ]
    return Layers(rows, left_out=found.left_out)


def _require_nothing_to_read(reading: dict[str, Any], function: str, model: object) -> None:
    """Refuses what only a named model has a use for."""
    given = [name for name, value in reading.items() if value is not None]
    if given:
        raise InterlawError(
            f"expected {given[0]}= with a model's name, {function}('folder', text='book.txt'), found "
            f"{type(model).__name__}; give a network its inputs: {function}(model, x)"
        )


@dataclass(frozen=True, kw_only=True)
class _Named:
    """A model that was named, with its inputs, the options of its measurement, and what people should know of both."""

    network: nn.Module
    inputs: Any
    options: dict[str, Any]
    notes: tuple[str, ...]


def _open(
    name: str,
    inputs: object,
    reading: dict[str, Any],
    options: MeasureOptions,
    *,
    device: str | None,
    trust_remote_code: bool,
) -> _Named:
    """Loads the model and reads the inputs; the notes say what the command line would print."""
    from interlaw.interaction import Options

    if inputs is not None and reading["text"] is not None:
        raise InterlawError("expected text= or inputs=, found both; give one")
    if options.get("view") is not None:
        Options(view=options["view"])  # refused before anything is loaded
    reading = {**reading, "text": None if reading["text"] is None else require_text(Path(reading["text"]))}
    subject = open_subject(name, device=device, trust_remote_code=trust_remote_code)
    view, seed = options.get("view") or subject.default_view, options.get("seed", 0)
    Options(view=view, seed=seed)
    if inputs is None or isinstance(inputs, str | Path):
        file = None if inputs is None else Path(inputs)
        given = read_inputs(subject, view=view, inputs=file, seed=seed, **reading)
    else:
        given = Given(inputs=inputs)
    how: dict[str, Any] = {"name": name, "groups": given.groups, **options, "view": view}
    if given.inputs is inputs and reading["samples"] is not None:
        how.setdefault("max_clusters", reading["samples"])
    assumed = (f"read {given.text}",) if given.text is not None and reading["text"] is None else ()
    notes = (*subject.notes, *assumed, *given.notes)
    return _Named(network=subject.model, inputs=given.inputs, options=how, notes=notes)
