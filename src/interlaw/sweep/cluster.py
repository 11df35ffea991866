"""A Ray cluster for a sweep: joined, or started for the time of it; and whether its nodes can hold the trials."""

from __future__ import annotations

import contextlib
import fcntl
import math
import os
import secrets
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.plain import Json
from interlaw.runs import RunFolder, is_url

REACH_SECONDS = 10.0  # judgement: a connection over a slow network takes a second or two
_ROUNDING = 1e-9  # of a quotient such as 1 / 0.1 that should be whole; far above float64's, far below a trial
_QUIET = {"log_to_driver": False, "logging_level": "error"}


@dataclass(frozen=True, kw_only=True)
class RayOptions:
    """Which cluster to use and what one trial takes of it.

    Attributes:
        address: Cluster to join; `local` starts one and stops it again; None joins a running one, or else does that.
        num_cpus: Cores of a trial, which are its torch threads too.
        num_gpus: GPUs of a trial; a fraction shares one.
        num_devices: Processes that a trial is divided among, each with a device and an equal part of its resources.
    """

    address: str | None = None
    num_cpus: float = 1.0
    num_gpus: float = 0.0
    num_devices: int = 1


def parse_resources(text: str, *, address: str | None = None, num_devices: int = 1) -> RayOptions:
    """Reads resources such as `cpu=2,gpu=0.5`.

    Raises:
        InterlawError: When the text is not of that form, or there is no device.

    Example:
        >>> parse_resources("cpu=2,gpu=0.5").num_gpus
        0.5
    """
    values = {"cpu": 1.0, "gpu": 0.0}
    for part in text.split(","):
        name, _, amount = part.strip().partition("=")
        try:
            number = float(amount)
        except ValueError:
            number = math.nan
        if name not in values or not 0 <= number < math.inf:
            raise InterlawError(f"expected resources such as cpu=2,gpu=0.5, found {text!r}; write them so")
        values[name] = number
    if num_devices < 1:
        raise InterlawError(f"expected at least 1 device per trial, found {num_devices}; choose a positive number")
    return RayOptions(address=address, num_cpus=values["cpu"], num_gpus=values["gpu"], num_devices=num_devices)


@contextlib.contextmanager
def open_cluster(ray: Any, address: str | None) -> Iterator[None]:
    """Joins a cluster, or starts one where the address is `local`; leaves an already connected driver connected.

    Without an address: that of `RAY_ADDRESS`, a running one on this machine, or else one that is started.

    Raises:
        InterlawError: When there is no cluster at the address.
    """
    if ray.is_initialized():
        yield
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no report to Ray's makers
    address = address or os.environ.get("RAY_ADDRESS") or None
    if address == "local" or not _join(ray, address):
        _start(ray)
    try:
        yield
    finally:
        ray.shutdown()


def _join(ray: Any, address: str | None) -> bool:
    """Whether there is a cluster; one that was asked for must be there."""
    try:
        _reach(address or "auto")
        ray.init(address=address or "auto", **_QUIET)
    except (OSError, ValueError, RuntimeError, ray.exceptions.RayError) as error:
        if address is None and isinstance(error, ConnectionError | ValueError):
            return False
        raise InterlawError(
            f"expected a Ray cluster at {address or 'auto'!r}, found: {str(error).splitlines()[0]}; check the address"
        ) from error
    return True


def _reach(address: str) -> None:
    """Tries an address once: Ray itself tries for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH_SECONDS).close()


def _start(ray: Any) -> None:
    """Starts a cluster on this machine that listens on loopback alone, and that only its token opens."""
    if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
        # else Ray writes one to the home folder, where others on this machine can read it
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    # Ray puts a node on loopback where it expects no others: on macOS and Windows. Here it does so too. It has no
    # public way to choose the interface (ray-project/ray issue 22732; the switch came with pull request
    # 31166). Needed up to 2.60, the version in constraints.txt; may go once `ray.init` takes the interface.
    constants = ray._private.ray_constants
    before, constants.ENABLE_RAY_CLUSTER = constants.ENABLE_RAY_CLUSTER, False
    try:
        ray.init(address="local", include_dashboard=False, **_QUIET)
    finally:
        constants.ENABLE_RAY_CLUSTER = before


def require_resources(ray: Any, options: RayOptions) -> None:
    """Refuses a trial that no node of the cluster could ever hold: Ray would wait without end.

    On several devices, a trial may span nodes.
    """
    if room(ray, options):
        return
    nodes = [node["Resources"] for node in _living(ray)]
    sizes = "; ".join(f"{node.get('CPU', 0):g} CPUs, {node.get('GPU', 0):g} GPUs" for node in nodes)
    raise InterlawError(
        f"expected {'nodes' if options.num_devices > 1 else 'a node'} with {options.num_cpus:g} CPUs and "
        f"{options.num_gpus:g} GPUs for a trial, found {sizes}; "
        "lower --resources-per-trial or add nodes"
    )


def room(ray: Any, options: RayOptions) -> int:
    """Trials that the cluster's nodes can hold at a time; 0 when not one."""
    return sum(_processes(node, options) for node in _living(ray)) // options.num_devices


def trials_beside(ray: Any, options: RayOptions, *, device: str) -> int:
    """Asked in a task: trials, its own among them, that may share the memory of its node, or of its GPU."""
    if device != "cpu":
        return max(1, int(1 / options.num_gpus + _ROUNDING)) if options.num_gpus else 1
    here = ray.get_runtime_context().get_node_id()
    return max(1, *(_processes(node, options) for node in ray.nodes() if node["NodeID"] == here))


def _processes(node: Json, options: RayOptions) -> int:
    """Processes of a trial that a node can hold."""
    cpus, gpus = options.num_cpus / options.num_devices, options.num_gpus / options.num_devices
    has = node["Resources"]
    fits = [int(has.get(name, 0) / each + _ROUNDING) for name, each in (("CPU", cpus), ("GPU", gpus)) if each]
    return min(fits, default=options.num_devices)


def _living(ray: Any) -> list[Json]:
    return [node for node in ray.nodes() if node["Alive"]]


def require_shared(ray: Any, run: RunFolder) -> None:
    """Asks every node whether it sees the run's folder and a lock that this driver holds there.

    On a folder of its own a node would write records that nobody sees; without shared locks (NFS mounted with
    `nolock` or `local_lock`) two nodes could hold one trial.
    """
    nodes = _living(ray)
    if len(nodes) < 2 or is_url(run.location):
        return
    affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
    look = ray.remote(_look)
    probe = run.path.resolve() / f".nodes-see-this-{os.getpid()}"
    try:
        with probe.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            asked = []
            for node in nodes:
                here = affinity(node["NodeID"], soft=False)
                task = look.options(num_cpus=0, max_retries=0, scheduling_strategy=here)
                asked.append((node["NodeManagerAddress"], task.remote(str(probe))))
            for name, reference in asked:
                try:
                    answer = ray.get(reference)
                except ray.exceptions.RayError:
                    continue  # the node went away; whatever ran on it will run elsewhere
                _require_seen(answer, run, node=name)
    finally:
        probe.unlink(missing_ok=True)


def _look(probe: str) -> str:
    """On a node: `missing`, `unlocked`, or `shared` as it should be."""
    try:
        with Path(probe).open("r+") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return "missing"
    except BlockingIOError:
        return "shared"
    except OSError:
        pass  # no locks at all
    return "unlocked"


def _require_seen(answer: str, run: RunFolder, *, node: str) -> None:
    """Refuses a node that does not share the run's folder and its locks."""
    if answer == "missing":
        raise InterlawError(
            f"expected {str(run.path)!r} on every node, found a node without it ({node}); choose an --out on storage "
            "that all nodes mount under the same path"
        )
    if answer == "unlocked":
        raise InterlawError(
            f"expected locks in {str(run.path)!r} to hold on every node, found none on {node}; mount the storage "
            "there without nolock and local_lock"
        )
