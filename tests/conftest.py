"""For every test: tensors are checked for shape and type, torch has one thread, tokens go to a temporary folder.

Ctrl-C works, too.
"""

from __future__ import annotations

import gc
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from jaxtyping import install_import_hook

# must stand before the first import of these stages
install_import_hook(["interlaw.interaction", "interlaw.models", "interlaw.tasks"], "beartype.beartype")

# a suite started in the background is deaf to Ctrl-C, and so would be every process that a test starts and interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish() -> None:
    """Python's collector else looks at what is loaded by now again and again: 4 to 9% of the time of the tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000)


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


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run, two depths by two seeds; not to be changed."""
    from tests.recipes import write_recipe

    from interlaw.sweep import prepare_run, read_recipe, run_trials

    path = write_recipe(tmp_path_factory.mktemp("sweep"))
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=path.parent / "run", folder=path.parent)
    run_trials(run, trials, executor="local", listen=lambda event: None)
    return run.path
