"""`interlaw doctor`: what is here to work with, and what each optional part still needs."""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Annotated

from typer import Option

from interlaw.cli.output import AsJson, make_console, print_json
from interlaw.machine import free_bytes, num_cores, total_bytes
from interlaw.plain import Json

PACKAGE = "interlaw"
# extras for those who work on the package itself: a user misses none of them
OWN = ("dev", "docs", "notebooks", "dist", "browser", "cluster-tests")
GIB = 2**30  # bytes


def doctor(
    quick: Annotated[bool, Option("--quick", help="Do not load torch: no devices, no threads.")] = False,
    as_json: AsJson = False,
) -> None:
    """Versions, devices, and what is missing.

    Memory too, and for each extra which packages it lacks.
    """
    here = examine(torch=not quick)
    if as_json:
        print_json(here)
        return
    show(here)


def examine(*, torch: bool = True) -> Json:
    """Everything that the command prints."""
    here, declared = Path.cwd(), metadata.metadata(PACKAGE).get_all("Provides-Extra") or []
    extras = {name: wanted for name in declared if (wanted := packages(name))}
    return {
        "interlaw": metadata.version(PACKAGE),
        "python": platform.python_version(),
        "executable": sys.executable,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": num_cores(),
        "memory_bytes": total_bytes(),
        "memory_free_bytes": free_bytes(),
        "folder": str(here),
        "folder_writable": is_writable(here),
        "folder_free_bytes": shutil.disk_usage(here).free,
        "chromium": next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None),
        "torch": torch_devices() if torch else None,
        "packages": packages(""),
        "extras": {name: wanted for name, wanted in extras.items() if name not in OWN},
        "own_extras": {name: wanted for name, wanted in extras.items() if name in OWN},
    }


def is_writable(folder: Path) -> bool:
    """Whether a file can be made in the folder: permissions alone say yes on a file system that is read-only."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def torch_devices() -> Json:
    """What torch can compute on, and with how many threads."""
    import torch

    devices = [
        {"device": f"cuda:{index}", "name": each.name, "memory_bytes": each.total_memory}
        for index in range(torch.cuda.device_count())
        for each in [torch.cuda.get_device_properties(index)]
    ]
    return {"version": torch.__version__, "threads": torch.get_num_threads(), "devices": devices}


def packages(extra: str) -> list[dict[str, str | None]]:
    """The packages that an extra asks for beyond the base (or the base itself), each with the version that is here."""
    from packaging.requirements import Requirement

    wants: dict[str, dict[str, str | None]] = {}
    for line in metadata.requires(PACKAGE) or []:
        wanted = Requirement(line)
        if wanted.marker is not None and not wanted.marker.evaluate({"extra": extra}):
            continue
        if extra and (wanted.marker is None or "extra" not in str(wanted.marker)):
            continue
        if wanted.name == PACKAGE:  # an extra made of others
            for part in sorted(wanted.extras):
                wants |= {str(each["name"]): each for each in packages(part)}
            continue
        version = _version(wanted.name)
        fits = version is not None and wanted.specifier.contains(version, prereleases=True)
        state = "missing" if version is None else "ok" if fits else "too old or too new"
        wants[wanted.name] = {"name": wanted.name, "wanted": str(wanted.specifier), "found": version, "state": state}
    return list(wants.values())


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def show(here: Json) -> None:
    """Prints it for people."""
    console = make_console(stderr=False)
    for name, value in _facts(here):
        console.print(f"{name:<10} {value}")
    console.print()
    parts = [("base", here["packages"], f"pip install {PACKAGE}")]
    parts += [(extra, wanted, f"pip install '{PACKAGE}[{extra}]'") for extra, wanted in here["extras"].items()]
    console.print_rows(
        ("part", "state", "to complete it"), [(name, *_state(wanted, remedy)) for name, wanted, remedy in parts]
    )
    console.print("\nFor work on the package itself (CONTRIBUTING.md):")
    own = here["own_extras"].items()
    console.print_rows(
        ("", ""), [(extra, _state(wanted, "")[0].replace("missing", "not here:")) for extra, wanted in own]
    )


def _facts(here: Json) -> list[tuple[str, str]]:
    writable = "writable" if here["folder_writable"] else "NOT writable: choose --out elsewhere"
    torch = here["torch"]
    facts = [
        ("interlaw", f"{here['interlaw']}, Python {here['python']} ({here['executable']})"),
        ("system", f"{here['system']}, {here['cores']} cores"),
        ("memory", f"{_size(here['memory_free_bytes'])} free of {_size(here['memory_bytes'])}"),
        ("folder", f"{here['folder']}: {writable}, {_size(here['folder_free_bytes'])} free"),
        ("chromium", here["chromium"] or "none: only the browser tests need it (make browser-test)"),
    ]
    if torch is not None:
        names = [f"{each['device']} {each['name']}, {_size(each['memory_bytes'])}" for each in torch["devices"]]
        devices = "; ".join(names) or "no accelerator"
        facts.append(("torch", f"{torch['version']}, {torch['threads']} threads, {devices}"))
    return facts


def _state(wanted: list[dict[str, str | None]], remedy: str) -> tuple[str, str]:
    """Whether a part is complete, and if not, what to do."""
    lacking = [f"{each['name']} ({each['found']} is {each['state']})" if each["found"] else str(each["name"])
               for each in wanted if each["state"] != "ok"]  # fmt: skip
    return ("complete", "") if not lacking else (f"missing {', '.join(lacking)}", remedy)


def _size(number: int) -> str:
    """Bytes for people."""
    return f"{number / GIB:.1f} GiB"
