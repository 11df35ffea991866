"""Objects under a URL (s3://bucket/run, memory://run, or any other that fsspec opens), and leases among processes.

One write is one object, whole or not there. `create` writes only what is not there yet, which the store itself decides
(`If-None-Match` on S3): that is all that leases and records stand on.
"""

from __future__ import annotations

import contextlib
import functools
import json
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from interlaw.errors import InterlawError, MissingExtraError, one_line
from interlaw.plain import Json

if TYPE_CHECKING:
    from fsspec.implementations.dirfs import DirFileSystem

BEAT_SECONDS = 5.0  # from one sign of life of a trial's holder to the next
# after so long without one the holder is taken for dead: several may be lost, and clocks differ by less
LEASE_SECONDS = 6 * BEAT_SECONDS
ASK_SECONDS = 0.25  # between two looks at a held lease: a request over the network takes about as long


def is_url(location: object) -> bool:
    """Whether a run's place is storage that only fsspec reaches.

    Example:
        >>> is_url("s3://bucket/run"), is_url("runs/first"), is_url("file:///runs/first")
        (True, False, False)
    """
    protocol, separator, _ = str(location).partition("://")
    return bool(separator) and protocol != "file"


@dataclass(frozen=True)
class Storage:
    """Objects under a URL without a slash at its end; storage that refuses or is out of reach raises InterlawError."""

    url: str

    def below(self, *parts: str) -> Storage:
        """The objects of a folder in it."""
        return Storage("/".join([self.url, *parts]))

    def names(self) -> list[str]:
        """Names of all objects, relative to the URL, sorted."""
        with self._reached() as files:
            return sorted(map(str, files.find("")))

    def read(self, name: str) -> bytes | None:
        """One object's content; None when it is not there."""
        return self.read_all([name]).get(name)

    def read_all(self, names: Collection[str]) -> dict[str, bytes]:
        """The content of many objects at once; what is not there is left out."""
        with self._reached() as files:
            contents = files.cat(list(names), on_error="return") if names else {}
            for content in contents.values():
                if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                    raise content
        return {str(name): content for name, content in contents.items() if isinstance(content, bytes)}

    def write(self, contents: Mapping[str, bytes]) -> None:
        """Writes objects, each whole."""
        with self._reached() as files:
            files.pipe(dict(contents))

    def create(self, name: str, content: bytes) -> bool:
        """Writes an object that is not there yet; False when it is."""
        with self._reached() as files:
            try:
                files.pipe_file(name, content, mode="create")
            except FileExistsError:
                return False
        return True

    def delete(self, names: Collection[str]) -> None:
        """Removes objects; what is not there stays so."""
        with self._reached() as files:
            for name in names:
                with contextlib.suppress(FileNotFoundError):
                    files.rm_file(name)

    @contextlib.contextmanager
    def _reached(self) -> Iterator[DirFileSystem]:
        """What lies under the URL, by names relative to it; says in one line why the storage refuses."""
        try:
            yield _files(self.url)
        except InterlawError:
            raise
        except Exception as error:  # each kind of storage has its own
            raise InterlawError(
                f"expected storage at {self.url!r}, found: {one_line(error)}; check its name, the credentials and the "
                "endpoint"
            ) from error


class Lease:
    """The right to run a trial, renewed while it is used; another process that sees it expired takes the next number.

    Only the highest number counts, and a number is created once: two who find the same lease stale cannot both follow
    it. Clocks that differ by more than the lease's length can let two run one trial; the record of the first stands.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._holder = uuid.uuid4().hex
        self._name = ""

    def acquire(self, *, patience_seconds: float) -> bool:
        """Takes the lease when no live process has it; a holder who does not renew it is waited for until stale."""
        deadline = time.monotonic() + patience_seconds
        first: float | None = None
        while True:
            name, until = newest_lease(self._storage)
            if until <= time.time():
                if self.follow(name):
                    return True
                continue
            renewed = first is not None and until != first
            first = until if first is None else first
            if time.monotonic() >= deadline and renewed:
                return False
            time.sleep(ASK_SECONDS)

    def renew(self, values: Mapping[str, Any]) -> None:
        """A sign of life, with the trial's progress."""
        self._storage.write({self._name: self._content(values)})

    def release(self) -> None:
        """Gives it back."""
        self._storage.delete([self._name])

    def follow(self, stale: str) -> bool:
        """Follows a stale lease, or none."""
        self._name = f"lease-{lease_number(stale) + 1:06d}.json"
        if not self._storage.create(self._name, self._content({})):
            return False
        if stale:
            self._storage.delete([stale])
        return True

    def _content(self, values: Mapping[str, Any]) -> bytes:
        now = time.time()
        return json.dumps({**values, "holder": self._holder, "updated": now, "until": now + LEASE_SECONDS}).encode()


def newest_lease(storage: Storage) -> tuple[str, float]:
    """Name of the lease that counts and until when it holds; an empty name and 0 when there is none."""
    names = [name for name in storage.names() if lease_number(name)]
    if not names:
        return "", 0.0
    content = storage.read(names[-1])
    return names[-1], 0.0 if content is None else read_lease(content).get("until", 0.0)


def read_lease(content: bytes) -> Json:
    """What the holder wrote last; empty when it cannot be read."""
    with contextlib.suppress(ValueError, RecursionError):
        values = json.loads(content)
        return values if isinstance(values, dict) else {}
    return {}


def lease_number(name: str) -> int:
    """The number in a lease's name; 0 for other names.

    Example:
        >>> lease_number("lease-000012.json"), lease_number("record.json")
        (12, 0)
    """
    digits = name.removeprefix("lease-").removesuffix(".json")
    return int(digits) if name.startswith("lease-") and digits.isdigit() else 0


@functools.cache
def _files(url: str) -> DirFileSystem:
    import fsspec  # runs in folders do without
    from fsspec.implementations.dirfs import DirFileSystem

    try:
        files, root = fsspec.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        if url.startswith(("s3://", "s3a://")):
            raise MissingExtraError(f"storage at {url!r}", "remote") from error
        raise InterlawError(f"expected storage that fsspec can open, found {url!r}: {error}") from error
    except ValueError as error:
        raise InterlawError(f"expected a folder or a URL such as s3://bucket/run, found {url!r}: {error}") from error
    root = str(root).rstrip("/")
    if not root:
        raise InterlawError(f"expected a folder in the storage, found the storage itself, {url!r}; add a folder's name")
    return DirFileSystem(root, files)
