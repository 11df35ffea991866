"""What needs no cluster: the resources of a trial, and whether a folder and its locks are shared."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import pytest

from interlaw.errors import InterlawError
from interlaw.runs import RunFolder
from interlaw.sweep import RayOptions, cluster, parse_resources


def test_resources_are_read() -> None:
    assert parse_resources("cpu=2,gpu=0.5") == RayOptions(num_cpus=2.0, num_gpus=0.5)
    assert parse_resources("gpu=4", num_devices=4) == RayOptions(num_gpus=4.0, num_devices=4)


@pytest.mark.parametrize("text", ["", "cpu", "cpu=two", "cpu=-1", "tpu=1", "cpu=nan"])
def test_wrong_resources_are_refused(text: str) -> None:
    with pytest.raises(InterlawError, match=r"expected resources such as cpu=2,gpu=0\.5"):
        parse_resources(text)


def test_no_device_is_refused() -> None:
    with pytest.raises(InterlawError, match="expected at least 1 device per trial, found 0"):
        parse_resources("cpu=1", num_devices=0)


class FakeRay:
    """A cluster of nodes with these resources."""

    def __init__(self, *resources: dict[str, float]) -> None:
        self._resources = resources

    def nodes(self) -> list[dict[str, object]]:
        return [{"Alive": True, "Resources": found} for found in self._resources]


@pytest.mark.parametrize(
    ("options", "room"),
    [
        (RayOptions(), 12),
        (RayOptions(num_cpus=3), 3),
        (RayOptions(num_cpus=0.5, num_gpus=0.5), 6),
        (RayOptions(num_cpus=16), 0),
        (RayOptions(num_gpus=3, num_devices=3), 1),  # spans both nodes
        (RayOptions(num_cpus=6, num_devices=2), 1),
        (RayOptions(num_gpus=4, num_devices=4), 0),
    ],
)
def test_how_many_trials_fit(options: RayOptions, room: int) -> None:
    assert cluster.room(FakeRay({"CPU": 8, "GPU": 2}, {"CPU": 4, "GPU": 1}), options) == room


def test_whether_a_folder_and_its_locks_are_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = tmp_path / "probe"
    assert cluster._look(str(probe)) == "missing"
    with probe.open("w") as file:
        assert cluster._look(str(probe)) == "unlocked"
        fcntl.flock(file, fcntl.LOCK_EX)
        assert cluster._look(str(probe)) == "shared"

    def no_locks(*arguments: object) -> None:
        raise OSError(37, os.strerror(37))

    monkeypatch.setattr(cluster.fcntl, "flock", no_locks)
    assert cluster._look(str(probe)) == "unlocked"


def test_a_node_that_does_not_share_is_named(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    cluster._require_seen("shared", run, "10.0.0.7")
    with pytest.raises(InterlawError, match=r"expected .* on every node, found a node without it \(10\.0\.0\.7\)"):
        cluster._require_seen("missing", run, "10.0.0.7")
    with pytest.raises(InterlawError, match=r"expected locks in .* found none on 10\.0\.0\.7; mount the storage"):
        cluster._require_seen("unlocked", run, "10.0.0.7")
