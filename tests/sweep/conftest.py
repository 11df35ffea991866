"""One Ray cluster for all tests that need one: starting it takes longer than they do."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sweep.clusters import Nodes


@pytest.fixture(scope="session")
def nodes() -> Iterator[Nodes]:
    found = Nodes()
    yield found
    found.stop()
