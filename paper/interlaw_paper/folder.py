"""An experiment's folder: whose it is, and the parts that are kept there so that a stopped run can resume."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from pydantic import ConfigDict

from interlaw.errors import InterlawError
from interlaw.files import write_atomically
from interlaw.plain import Json
from interlaw.runs import Document, storage_faults

MARK = "experiment.json"
OUTCOME = "outcome.json"


class _Owner(Document):
    """Which experiment a folder belongs to."""

    model_config = ConfigDict(frozen=True)
    what: ClassVar[str] = "an experiment's name"
    remedy: ClassVar[str] = "choose another --out"

    experiment: str
    scale: str


class _Kept(Document):
    """One finished part, and the settings that it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    what: ClassVar[str] = "figures of this experiment"
    remedy: ClassVar[str] = "delete the file and run again"

    stamp: Json
    rows: list[Json]


@contextmanager
def experiment_folder(out: Path, *, experiment: str, scale: str) -> Iterator[None]:
    """Holds a folder for one experiment at one scale; leaves nothing behind where a mistake ends it at once.

    Raises:
        InterlawError: The folder belongs to something else, or cannot be written to.
    """
    ours = _Owner(experiment=experiment, scale=scale)
    if out.exists() and not out.is_dir():
        raise InterlawError(f"expected a folder for --out, found the file {str(out)!r}; name another place")
    owner = _owner(out)
    if owner not in (None, ours):
        words = f"{owner.experiment} ({owner.scale})" if isinstance(owner, _Owner) else owner
        raise InterlawError(
            f"expected a new folder or one of {experiment} ({scale}), found one of {words} in {str(out)!r}; "
            "choose another --out"
        )
    fresh = not out.exists()
    with storage_faults(out):
        write_atomically(out / MARK, (ours.model_dump_json() + "\n").encode())
        try:
            yield
        except InterlawError:
            if {path.name for path in out.iterdir()} == {MARK}:
                (out / MARK).unlink()
                if fresh:
                    with suppress(OSError):
                        out.rmdir()
            raise


def keep(place: Path, *, stamp: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> None:
    """Writes one finished part whole, with the settings that decide its numbers."""
    content = {"stamp": dict(stamp), "rows": list(rows)}
    write_atomically(place, (json.dumps(content, indent=1) + "\n").encode())


def read_kept(place: Path, *, stamp: Mapping[str, Any]) -> list[Json] | None:
    """The rows of a part that was kept, or None when there is none.

    Raises:
        InterlawError: It is damaged, or came from other settings.
    """
    if not place.exists():
        return None
    kept = _Kept.read(_text(place), source=str(place))
    ours = json.loads(json.dumps(dict(stamp)))
    if kept.stamp != ours:
        other = sorted(name for name in {*ours, *kept.stamp} if ours.get(name) != kept.stamp.get(name))
        raise InterlawError(
            f"expected results of these settings in {place}, found others (of another {', another '.join(other)}); "
            "choose another --out or delete it"
        )
    return kept.rows


def _owner(out: Path) -> _Owner | str | None:
    """What a folder belongs to; None for a new one."""
    for name in (MARK, OUTCOME):
        if (out / name).exists():
            return _Owner.read(_text(out / name), source=str(out / name))
    return "a sweep" if (out / "recipe.toml").exists() else None


def _text(path: Path) -> str:
    """A file's text; what is not UTF-8 is no JSON either."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise InterlawError(f"expected to read {path}, found: {error.strerror}; delete it and run again") from error
