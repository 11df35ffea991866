"""For every test: tensors are checked for shape and type, torch has one thread, token files to a temporary folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator

import pytest
from jaxtyping import install_import_hook

# must stand before the first import of these stages
install_import_hook(["interlaw.interaction", "interlaw.models", "interlaw.tasks"], "beartype.beartype")


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def token_cache() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="interlaw-tests-") as folder:
        os.environ["INTERLAW_CACHE"] = folder
        yield
        del os.environ["INTERLAW_CACHE"]
