"""A model by any of its names: a trial's folder, `module.py:factory`, a Hugging Face name or folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from interlaw import interaction, models, runs
from interlaw.errors import InterlawError, near_path
from interlaw.machine import default_device, require_device


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A network, and where its inputs come from when none are given.

    Attributes:
        model: The network.
        pretrained: Set for a Hugging Face model.
        trial: Set for a trial of a sweep.
        notes: What people should know of how it was loaded.
    """

    model: nn.Module
    pretrained: models.Pretrained | None = None
    trial: runs.TrialSpec | None = None
    notes: tuple[str, ...] = ()

    @property
    def reads_tokens(self) -> bool:
        """Whether its inputs are token ids."""
        first = getattr(self.model, "main_input_name", None)  # networks of pictures or sound say so there
        if first is None:
            return self.pretrained is not None or hasattr(self.model, "get_input_embeddings")
        return bool(first == "input_ids")

    @property
    def has_table(self) -> bool:
        """Whether it has a table of embeddings, so that token ids may be its inputs."""
        return any(isinstance(module, nn.Embedding) for module in self.model.modules())

    @property
    def predicts_tokens(self) -> bool:
        """Whether it has a next-token loss."""
        return self.reads_tokens and (self.pretrained is None or self.pretrained.causal)

    @property
    def default_view(self) -> str:
        """Loss for a language model, input for everything else."""
        return interaction.CHEAPEST if self.predicts_tokens else interaction.OF_ANY_NETWORK


def title_of(subject: Subject, name: str) -> str:
    """What a figure calls the model: a trial by its shape, anything else by the last part of its name."""
    if subject.trial is None:
        return Path(name).name
    shape = subject.trial.shape
    return f"{subject.trial.family} {shape['depth']}x{shape['width']}"


def open_subject(name: str, *, device: str | None = None, trust_remote_code: bool = False) -> Subject:
    """Loads a model by its name.

    Args:
        name: A trial's folder, `module.py:factory`, or a Hugging Face name or folder.
        device: Where it goes; cuda where there is one when None.
        trust_remote_code: Run code that comes with a hub model.

    Raises:
        InterlawError: There is no such device or model, or the folder is a run of many trials.
    """
    place = device or default_device()
    require_device(place)
    if (Path(name) / "spec.json").is_file():
        model, spec = runs.load_trial(Path(name))
        return Subject(model=model.to(place), trial=spec)
    if (Path(name) / "trials").is_dir():
        raise InterlawError(f"expected one trial, found a run of many: {_some_trials(Path(name))}")
    if ".py:" in name:
        model = models.load_factory(name).to(place)
        return Subject(model=model, notes=leave_training(model))
    require_possible(name)
    loaded = models.load_pretrained(name, device=place, trust_remote_code=trust_remote_code)
    return Subject(model=loaded.model, pretrained=loaded, notes=loaded.notes)


# A file of each kind of folder that is a model by itself: Hugging Face's and a trial's.
IN_A_FOLDER = ("config.json", "spec.json")


def require_possible(name: str) -> None:
    """Refuses a path that leads nowhere or into a model's folder, before anybody looks for a hub name of that kind."""
    path = Path(name)
    folder = path.parent
    if not path.is_dir() and name != path.name and any((folder / each).is_file() for each in IN_A_FOLDER):
        what = "the file" if path.exists() else "nothing at"
        raise InterlawError(f"expected a trial's or model's folder, found {what} {name!r}; give the folder {folder}")
    if path.exists() or (name.count("/") < 2 and not name.startswith((".", "/"))):
        return
    raise InterlawError(
        f"expected a trial's or model's folder, found nothing at {name!r}; check the path{near_path(path)}"
    )


def _some_trials(run: Path) -> str:
    ended = sorted(path.parent for path in run.glob("trials/*/record.json"))
    if not ended:
        return "none of its trials has ended; sweep first"
    return f"name one of the {len(ended)} that ended, such as {ended[0]} (`interlaw export {run}` lists them)"


NAMED = 3  # modules in a note: enough to see which kind they are


def leave_training(model: nn.Module) -> tuple[str, ...]:
    """Puts a network into eval mode; a note where that changes what it computes."""
    kinds = (nn.modules.dropout._DropoutNd, nn.modules.batchnorm._BatchNorm)
    training = {name: module for name, module in model.named_modules() if isinstance(module, kinds) and module.training}
    changed = [name for name, module in training.items() if getattr(module, "p", 1) > 0]
    model.eval()
    if not changed:
        return ()
    some = ", ".join(changed[:NAMED]) + (", ..." if len(changed) > NAMED else "")
    return (f"the network came in train mode; measured in eval mode, which matters to {some}",)
