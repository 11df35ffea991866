"""The interaction of a network at hand, or of one that is named, loaded and given something to read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from interlaw.errors import InterlawError
from interlaw.subject.inputs import Given, read_inputs
from interlaw.subject.model import open_subject

if TYPE_CHECKING:
    from torch import nn

    from interlaw.interaction import Interaction, MeasureOptions


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
    if not isinstance(model, str | Path):
        reading = {"text": text, "samples": samples, "context": context, "device": device}
        given = [name for name, value in reading.items() if value is not None]
        if given:
            raise InterlawError(
                f"expected {given[0]}= with a model's name, measure('folder', text='book.txt'), found "
                f"{type(model).__name__}; give a network its inputs: measure(model, x)"
            )
        return _measure(model, inputs, **options)
    return _measure_named(
        str(model),
        inputs,
        {"text": None if text is None else Path(text), "samples": samples, "context": context},
        options,
        device=device,
        trust_remote_code=trust_remote_code,
    )


def _measure(model: Any, inputs: object, **options: Any) -> Interaction:
    """The measurement of a network at hand."""
    from interlaw.interaction import measure as measure_network

    return measure_network(model, inputs, **options)


def _measure_named(
    name: str,
    inputs: object,
    reading: dict[str, Any],
    options: MeasureOptions,
    *,
    device: str | None,
    trust_remote_code: bool,
) -> Interaction:
    """Loads the model, reads the inputs, and says in the measurement's warnings what the command line would print."""
    from interlaw.interaction import Options

    if inputs is not None and reading["text"] is not None:
        raise InterlawError("expected text= or inputs=, found both; give one")
    if options.get("view") is not None:
        Options(view=options["view"])  # refused before anything is loaded
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
    measured = _measure(subject.model, given.inputs, **how)
    assumed = (f"read {given.text}",) if given.text is not None and reading["text"] is None else ()
    return replace(measured, warnings=(*subject.notes, *assumed, *given.notes, *measured.warnings))
