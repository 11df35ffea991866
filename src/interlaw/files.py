"""Files that appear whole or not at all, a JSON object of the user's, digests, and the tables of the package."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import secrets
from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.plain import Json


def write_atomically(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Writes a file so that it is either whole or not there; if `durable`, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")  # several may write one file at once
    try:
        with temporary.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def save(path: Path, content: bytes) -> None:
    """Writes a user's file whole or not at all, and makes its folder.

    Raises:
        InterlawError: The place cannot be written: it is the user's to change.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise InterlawError(f"expected to write {str(path)!r}, found: {error.strerror}; name another place") from error


def read_object(path: Path, *, wanted: str) -> Json:
    """The JSON object that a file holds; `wanted` names the file in a refusal.

    Raises:
        InterlawError: It is missing, no JSON, or no object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InterlawError(f"expected {wanted}, found nothing at {path}; check the path") from None
    except (ValueError, RecursionError) as error:
        raise InterlawError(f"expected {path} to be JSON, found {error}; give {wanted}") from None
    if not isinstance(document, dict):
        raise InterlawError(f"expected {path} to hold a JSON object, found {type(document).__name__}; give {wanted}")
    return document


def packaged_rows(package: str, name: str) -> list[dict[str, str]]:
    """The rows of a CSV table that a package carries, by column; empty cells, which are unknown values, are left out.

    Example:
        >>> packaged_rows("interlaw.laws", "published.csv")[1]["name"]
        'Levine'
    """
    text = resources.files(package).joinpath(name).read_text(encoding="utf-8")
    return [{column: cell for column, cell in row.items() if cell} for row in csv.DictReader(text.splitlines())]


def digest_of(paths: Iterable[Path]) -> str:
    """SHA-256 over several files, their names and lengths included."""
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            hashlib.file_digest(file, lambda: total)
    return total.hexdigest()
