"""Faults of the place that a run is written to: not a trial's result, but something that the user can fix."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from interlaw.errors import InterlawError

# a write that no retry fixes: no room, no permission to write, a broken or vanished disk
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO, errno.ESTALE}


class StorageError(InterlawError):
    """A run's folder cannot be written to; what was done so far is kept, and the trial resumes another time.

    Args:
        place: The folder.
        reason: What the system said.
    """

    def __init__(self, place: Path, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"expected to write to {str(place)!r}, found: {reason}; make room or give write access, and run the same "
            "command again: it resumes where it stopped"
        )


@contextmanager
def storage_faults(place: Path) -> Iterator[None]:
    """Turns faults of writing to a folder into an error that says so; every other error passes.

    Args:
        place: The folder that is written to.

    Raises:
        StorageError: When the disk is full, read-only or gone, or a file in the folder cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _OF_THE_DISK and not _concerns(error, place):
            raise
        raise StorageError(place, error.strerror or str(error)) from error


def _concerns(error: OSError, place: Path) -> bool:
    """Whether the error names a file of the folder."""
    return isinstance(error.filename, str | bytes | Path) and str(place) in str(error.filename)
