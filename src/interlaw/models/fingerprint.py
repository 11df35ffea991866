"""What a pretrained model's figures depend on, as a text that changes when its weights do."""

from __future__ import annotations

import hashlib
from pathlib import Path

from interlaw.models.huggingface import load_config

_READ = {".safetensors", ".bin", ".pt", ".json", ".model", ".txt"}


def pretrained_fingerprint(name: str) -> str:
    """Digest of a local folder's weights, settings and tokenizer; of a hub name the commit that it stands at.

    Args:
        name: A hub name or a folder written by `save_pretrained`.

    Raises:
        MissingExtraError: The library is not installed.
        InterlawError: There is no such model, or the hub cannot be asked.
    """
    config = load_config(name)
    folder = Path(name)
    if not folder.is_dir():
        return f"commit {getattr(config, '_commit_hash', None) or 'unknown'}"
    total = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix in _READ and path.is_file()):
        total.update(f"{path.name} {path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                total.update(block)
    return f"sha256 {total.hexdigest()}"
