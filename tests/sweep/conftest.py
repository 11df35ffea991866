"""What takes longer to start than its tests take: a Ray cluster, and workers that import torch."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.processes import loaded
from tests.sweep.clusters import Nodes

from interlaw.sweep import workers


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    found = Nodes()
    yield found
    found.stop()


@pytest.fixture
def quick_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that begin with torch loaded; how they start is tested by `test_workers.py` and `test_extensions.py`."""
    context = loaded()
    monkeypatch.setattr(workers.multiprocessing, "get_context", lambda method: context)
