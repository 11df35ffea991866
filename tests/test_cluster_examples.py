"""The cluster files of the examples: whole, parsable, and in words that the command line knows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from interlaw.cli import app
from interlaw.sweep import parse_resources, read_recipe

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "examples" / "cluster"
TEXTS = (*FOLDER.glob("*.*"), FOLDER / "Dockerfile", ROOT / "docs" / "scaling-out.md")
# stands for every other command: notes how it was called
STUB = """#!{python}
import os, sys, time
name = os.path.basename(sys.argv[0])
with open({log!r}, "a") as log:
    log.write(" ".join([name, *sys.argv[1:]]) + "\\n")
words = sys.argv[1:]
if name == "scontrol":
    print("one\\ntwo\\nthree")
elif name == "srun":
    rest = [word for word in words if not word.startswith("--")]
    if words[words.index(rest[0]):][0] == "hostname":
        print("10.0.0.1 fe80::1")
    else:
        os.execvp(rest[0], words[words.index(rest[0]):])
elif name == "interlaw":
    try:
        time.sleep({seconds})
    except KeyboardInterrupt:
        print("stopped", flush=True)
        sys.exit(130)
"""


def commands(text: str) -> list[list[str]]:
    """Every `interlaw ...` of a text, split into words; line ends are joined as the shell or YAML joins them."""
    joined = re.sub(r"\\?\n *(?:#|//)? *(?=--|interlaw)", " ", text)
    found = re.findall(r"(?<![-\w/\"'.\[])interlaw +([a-z-]+ [^\n`&)]*)", joined)
    return [shlex.split(re.sub(r"#.*", "", line)) for line in found if line.split()[0] in known_commands()]


def known_commands() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_option_is_one_of_the_command_line(path: Path) -> None:
    for name, *words in commands(path.read_text()):
        known = {option for parameter in known_commands()[name].params for option in parameter.opts}
        unknown = {word for word in words if word.startswith("--") and word != "--"} - known
        assert unknown == set(), f"interlaw {name} in {path.name}"
        if "--resources-per-trial" in words:
            parse_resources(words[words.index("--resources-per-trial") + 1])


def test_the_net_catches_commands() -> None:
    counts = {path.name: len(commands(path.read_text())) for path in TEXTS}
    assert counts["slurm.sh"] == counts["rayjob.yaml"] == counts["raycluster.yaml"] == 1
    assert counts["scaling-out.md"] >= 5


def containers(document: dict[str, Any]) -> list[dict[str, Any]]:
    spec = document["spec"].get("rayClusterSpec", document["spec"])
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    return [container for group in groups for container in group["template"]["spec"]["containers"]]


@pytest.mark.parametrize(("name", "kind"), [("rayjob.yaml", "RayJob"), ("raycluster.yaml", "RayCluster")])
def test_the_kubernetes_files_are_whole(name: str, kind: str) -> None:
    documents = {document["kind"]: document for document in yaml.safe_load_all((FOLDER / name).read_text())}
    ray = documents[kind]
    assert ray["apiVersion"] == "ray.io/v1"
    spec = ray["spec"].get("rayClusterSpec", ray["spec"])
    version = re.search(r"^ray==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert version is not None
    assert spec["rayVersion"] == version[1]
    assert spec["authOptions"] == {"mode": "token"}
    assert spec["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert {container["image"] for container in containers(ray)} == {"registry.example.com/interlaw:0.1"}
    assert f"FROM rayproject/ray:{version[1]}-" in (FOLDER / "Dockerfile").read_text()
    for container in containers(ray):
        assert container["resources"]["requests"] == container["resources"]["limits"]
        for mount in container.get("volumeMounts", []):
            claim = documents["PersistentVolumeClaim"]["metadata"]["name"]
            volumes = spec["headGroupSpec"]["template"]["spec"]["volumes"]
            assert {"name": mount["name"], "persistentVolumeClaim": {"claimName": claim}} in volumes


def test_the_recipe_is_one() -> None:
    recipe, _ = read_recipe(FOLDER / "sweep.toml")
    assert recipe.name == "cluster"


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    subprocess.run(["shellcheck", str(FOLDER / "slurm.sh")], check=True)


def slurm(folder: Path, *, seconds: float) -> tuple[subprocess.Popen[str], Path]:
    """The script in a world where every command only notes how it was called."""
    log = folder / "calls"
    for name in ("scontrol", "srun", "ray", "interlaw"):
        stub = folder / name
        stub.write_text(STUB.format(python=sys.executable, log=str(log), seconds=seconds))
        stub.chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "SLURM_JOB_ID": "41", "SLURM_JOB_NODELIST": "n[1-3]"}
    script = subprocess.Popen(
        ["bash", str(FOLDER / "slurm.sh"), "my recipe.toml", "/shared/run"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return script, log


def test_the_slurm_script_starts_a_head_then_workers_then_the_sweep(tmp_path: Path) -> None:
    script, log = slurm(tmp_path, seconds=0)
    _, complaint = script.communicate(timeout=60)
    assert script.returncode == 0, complaint
    calls = log.read_text().splitlines()
    ray = [call for call in calls if call.startswith("ray")]
    assert "ray start --head --node-ip-address=10.0.0.1 --port=20041 --include-dashboard=false --block" in ray
    assert "ray health-check --address 10.0.0.1:20041" in ray
    workers = next(call for call in calls if call.startswith("srun") and "--exclude=one" in call)
    assert "--nodes=2 --ntasks=2" in workers
    assert workers.endswith("ray start --address=10.0.0.1:20041 --block")
    sweep = next(call for call in calls if call.startswith("interlaw"))
    assert sweep.startswith("interlaw sweep my recipe.toml --out /shared/run --executor ray --address 10.0.0.1:20041")


@pytest.mark.parametrize("word", [signal.SIGINT, signal.SIGTERM])
def test_the_slurm_script_hands_the_interrupt_on(tmp_path: Path, word: signal.Signals) -> None:
    script, log = slurm(tmp_path, seconds=60)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (not log.exists() or "interlaw" not in log.read_text()):
        time.sleep(0.05)
    time.sleep(0.3)
    script.send_signal(word)
    printed, complaint = script.communicate(timeout=30)
    assert "stopped" in printed, complaint
    assert script.returncode == 130
