"""What `measure` and `layers` are about: a model by any of its names, and the inputs it is to read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from interlaw.cli.output import make_console
from interlaw.errors import InterlawError, did_you_mean

if TYPE_CHECKING:
    from torch import Tensor, nn

    from interlaw.models import Pretrained
    from interlaw.runs import TrialSpec


# What separates documents in files of many, as most tokenizers of language models write it.
END_OF_TEXT = "<|endoftext|>"


@dataclass(frozen=True, kw_only=True)
class Given:
    """Inputs as a measurement takes them, and the group of each sample where samples share a document or a subject."""

    inputs: Any
    groups: list[Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network, and where its inputs come from when none are given.

    Attributes:
        model: The network.
        pretrained: Set for a Hugging Face model.
        trial: Set for a trial of a sweep.
    """

    model: nn.Module
    pretrained: Pretrained | None = None
    trial: TrialSpec | None = None

    @property
    def reads_tokens(self) -> bool:
        """Whether its inputs are token ids."""
        first = getattr(self.model, "main_input_name", None)  # networks of pictures or sound say so there
        if first is None:
            return self.pretrained is not None or hasattr(self.model, "get_input_embeddings")
        return bool(first == "input_ids")

    @property
    def predicts_tokens(self) -> bool:
        """Whether it has a next-token loss."""
        return self.reads_tokens and (self.pretrained is None or self.pretrained.causal)


def title_of(subject: Subject, name: str) -> str:
    """What a figure calls the model: a trial by its shape, anything else by the last part of its name."""
    if subject.trial is None:
        return Path(name).name
    shape = subject.trial.shape
    return f"{subject.trial.family} {shape['depth']}x{shape['width']}"


def open_subject(name: str, *, device: str | None, trust_remote_code: bool) -> Subject:
    """Loads MODEL: a trial's folder, `module.py:factory`, or a Hugging Face name or folder."""
    import torch

    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise InterlawError(f"expected a device of this machine, found '{place}'; use cpu or cuda") from error
    if (Path(name) / "spec.json").is_file():
        from interlaw.runs import load_trial

        model, spec = load_trial(Path(name))
        return Subject(model=model.to(place), trial=spec)
    if (Path(name) / "trials").is_dir():
        raise InterlawError(f"expected one trial, found a run of many: {_some_trials(Path(name))}")
    if ".py:" in name:
        from interlaw.models import load_factory

        model = load_factory(name).to(place)
        leave_training(model)
        return Subject(model=model)
    from interlaw.models import load_pretrained

    require_possible(name)
    loaded = load_pretrained(name, device=place, trust_remote_code=trust_remote_code)
    for note in loaded.notes:
        make_console().print(f"note: {note}")
    return Subject(model=loaded.model, pretrained=loaded)


def require_possible(name: str) -> None:
    """Refuses a path that leads nowhere, before anybody looks for a hub name of that kind.

    Raises:
        InterlawError: There is nothing at that path.
    """
    path = Path(name)
    if path.exists() or (name.count("/") < 2 and not name.startswith((".", "/"))):
        return
    beside: list[str] = []
    with suppress(OSError):  # nothing there, or nothing that may be listed
        beside = sorted(each.name for each in path.parent.iterdir())
    raise InterlawError(
        f"expected a trial's or model's folder, found nothing at {name!r}; check the path"
        f"{did_you_mean(path.name, beside)}"
    )


def _some_trials(run: Path) -> str:
    """What to name instead of a run's folder."""
    ended = sorted(path.parent for path in run.glob("trials/*/record.json"))
    if not ended:
        return "none of its trials has ended; sweep first"
    return f"name one of the {len(ended)} that ended, such as {ended[0]} (`interlaw export {run}` lists them)"


def leave_training(model: nn.Module) -> None:
    """Puts a network into eval mode, and says so where that changes what it computes."""
    from torch import nn

    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    training = {name: module for name, module in model.named_modules() if isinstance(module, kinds) and module.training}
    changed = [name for name, module in training.items() if getattr(module, "p", 1) > 0]
    model.eval()
    if changed:
        some = ", ".join(changed[:3]) + (", ..." if len(changed) > 3 else "")
        make_console().print(f"note: the network came in train mode; measured in eval mode, which matters to {some}")


def read_inputs(
    subject: Subject,
    *,
    view: str,
    text: Path | None,
    inputs: Path | None,
    samples: int | None,
    most: int,
    context: int | None,
    seed: int,
    groups: Path | None = None,
) -> Given:
    """Inputs for the model: from a file of numbers, from text, or the ones that the model itself suggests.

    Says which text was read, and where there are fewer samples than were asked for.

    Args:
        subject: The model.
        view: The loss view reads one token more a sequence.
        text: A text file, or a folder of them.
        inputs: A .npy file whose first axis counts clusters.
        samples: At most so many clusters; `most` when None.
        most: See there.
        context: Tokens a sequence.
        seed: Which sequences of a text are read, from all of it.
        groups: A file of one label a sample of `inputs`.
    """
    from interlaw.interaction import VIEWS

    if groups is not None and inputs is None:
        raise InterlawError(
            "expected --groups with --inputs, found no --inputs; the documents of a text are its groups"
        )

    if text is not None and inputs is not None:
        raise InterlawError("expected --text or --inputs, found both; give one")
    targets, at_most = VIEWS[view].with_targets, samples or most
    if targets and subject.pretrained is not None and not subject.pretrained.causal:
        raise InterlawError(
            f"the loss view needs next-token logits, found {type(subject.model).__name__}, which has none; use a model "
            "with a language-model head, or --view input"
        )
    labels: list[Any] | None = None
    if inputs is not None:
        whole = read_array(inputs)
        found: Any = whole[:at_most]
        if groups is not None:
            labels = read_labels(groups, count=len(whole))[:at_most]
    elif subject.trial is not None and text is None:
        found = subject.trial.task.open().probes(num_samples=at_most, with_targets=targets)
        found = found if context is None else found[:, : context + targets]
    elif text is None and not subject.reads_tokens:
        raise InterlawError("expected --inputs FILE.npy for a model that reads no tokens; save an array of inputs")
    else:
        documents = [embedded_text()] if text is None else documents_of(text)
        reading: dict[str, Any] = {"context": context, "targets": targets, "seed": seed}
        found = sequences_of(subject, "".join(documents), samples=at_most, **reading)
        of_documents = windows_by_document(subject, documents, found, samples=at_most, targets=targets, seed=seed)
        found, labels = of_documents or (found, None)
        beside = "" if labels is None else f", {len(set(labels))} documents, each of them one cluster"
        make_console().print(f"text: {text or 'the held-out part of the standard library'}{beside}", markup=False)
    say_fewer(found, samples)
    return Given(inputs=found, groups=labels)


def windows_by_document(
    subject: Subject, documents: list[str], whole: Any, *, samples: int, targets: bool, seed: int
) -> tuple[Any, list[int]] | None:
    """Windows that cross no document, as long as those of the whole text, and the document of each.

    None where there are too few documents for an interval, or where a model reads lines.
    """
    import torch

    from interlaw.interaction import LEAST_CLUSTERS

    if len(documents) < LEAST_CLUSTERS or (subject.pretrained is not None and not subject.pretrained.causal):
        return None
    window = (whole[0]["input_ids"] if isinstance(whole, list) else whole).shape[1]
    rows, labels = [], []
    for number, document in enumerate(documents):
        with suppress(InterlawError):  # a document shorter than a window has none
            of_one = sequences_of(
                subject, document, samples=10**9, context=window - targets, targets=targets, seed=seed
            )
            rows.append(of_one[0]["input_ids"] if isinstance(of_one, list) else of_one)
            labels += [number] * len(rows[-1])
    if len(rows) < LEAST_CLUSTERS:
        return None
    ids, generator = torch.cat(rows), torch.Generator().manual_seed(seed)
    chosen = torch.randperm(len(ids), generator=generator)[:samples].sort().values
    ids, labels = ids[chosen], [labels[index] for index in chosen.tolist()]
    return ([{"input_ids": ids, "attention_mask": torch.ones_like(ids)}] if isinstance(whole, list) else ids), labels


def sequences_of(subject: Subject, written: str, *, samples: int, context: int | None, targets: bool, seed: int) -> Any:
    """Text as the model reads it."""
    if subject.pretrained is None:
        return own_windows(subject, written, samples=samples, context=context, targets=targets, seed=seed)
    from interlaw.models import text_batches

    return text_batches(subject.pretrained, written, num_sequences=samples, context=context, targets=targets, seed=seed)


def read_array(path: Path) -> Tensor:
    """A .npy file as a tensor; real numbers in single precision, as weights are."""
    import numpy as np
    import torch

    try:
        array = np.load(path, allow_pickle=False)
    except Exception as error:  # numpy raises many kinds over a damaged header
        raise InterlawError(f"expected a NumPy array in {path}, found {error}; write it with numpy.save") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub" or array.ndim < 1:
        raise InterlawError(f"expected an array of numbers in {path}, found {getattr(array, 'dtype', type(array))}")
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and that is refused
            tensor = torch.from_numpy(array.astype(np.float32, order="C"))
        if not bool(tensor.isfinite().all()):
            raise InterlawError(f"expected finite numbers in {path}, found NaN or infinity; remove those rows")
        return tensor
    if array.dtype == np.uint64 and array.size and array.max() > np.iinfo(np.int64).max:
        raise InterlawError(f"expected whole numbers below 2^63 in {path}, found {array.max()}; write smaller ones")
    return torch.from_numpy(array.astype(np.int64, order="C"))


def read_labels(path: Path, *, count: int) -> list[Any]:
    """One label a sample: an array in a .npy file, or lines of text."""
    labels: list[Any] = read_array(path).tolist() if path.suffix == ".npy" else read_text(path).split()
    if len(labels) != count:
        raise InterlawError(f"expected one group a sample in {path}, found {len(labels)} groups for {count} samples")
    return labels


def documents_of(path: Path) -> list[str]:
    """The documents of a text: the files of a folder, and within a file what stands between end-of-text marks."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    if not files:
        raise InterlawError(f"expected text files in the folder {path}, found none")
    parts = [part for file in files for part in read_text(file).split(END_OF_TEXT)]
    return [part for part in parts if part.strip()] or parts[:1]


def read_text(path: Path) -> str:
    """A text file."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InterlawError(f"expected a text file at {path}, found {error.strerror}; check the path") from error


def embedded_text() -> str:
    """The held-out part of the text that is found on every machine, a few hundred kilobytes of it."""
    from interlaw.tasks import EMBEDDED, open_corpus

    return bytes(open_corpus(EMBEDDED).tokens("validation")[: 2**19]).decode("utf-8", errors="replace")


def own_windows(subject: Subject, text: str, *, samples: int, context: int | None, targets: bool, seed: int) -> Tensor:
    """Windows of text for a model of this package or of the user: in its trial's tokens, else in bytes."""
    from interlaw.models import require_bytes, token_ids, windows_of

    tokenizer = "bytes" if subject.trial is None else str(getattr(subject.trial.task, "tokenizer", "bytes"))
    length = context or getattr(getattr(subject.model, "shape", None), "context", None)
    if length is None:
        raise InterlawError("expected --context for a model that does not say how long its sequences are")
    if tokenizer == "bytes" and subject.trial is None:
        require_bytes(subject.model)
    ids = list(text.encode()) if tokenizer == "bytes" else token_ids(text, tokenizer=tokenizer)
    return windows_of(ids, window=length + targets, most=samples, seed=seed)


def count_samples(inputs: Any) -> int:
    """How many samples the inputs hold."""
    batches = inputs if isinstance(inputs, list) else [inputs]
    return sum(len(batch["input_ids"]) if isinstance(batch, dict) else len(batch) for batch in batches)


def say_fewer(inputs: Any, asked: int | None) -> None:
    """Says so where there are fewer samples than were asked for."""
    found = count_samples(inputs)
    if asked is not None and found < asked:
        make_console().print(
            f"note: {asked} samples were asked for, there are {found}; give more inputs or a smaller context"
        )
