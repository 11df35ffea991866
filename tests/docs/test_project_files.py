"""Files around the code say the same thing: versions, workflows, citation, changelog, the site's menu."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet
from tests.docs.pages import ROOT, make_commands, make_targets

import interlaw

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_one_version_everywhere() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert (
        PROJECT["version"] == interlaw.__version__ == citation["version"] == citation["preferred-citation"]["version"]
    )


def test_the_citation_has_what_a_reader_of_it_needs() -> None:
    citation = read(ROOT / "CITATION.cff")
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors", "license", "type"} <= set(citation)
    assert citation["license"] == PROJECT["license"]
    assert any("2605.27989" in reference["url"] for reference in citation["references"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflows_are_sound(path: Path) -> None:
    workflow = read(path)
    assert {"name", "jobs", True} <= set(workflow)  # YAML reads the key `on` as true
    for job in workflow["jobs"].values():
        assert job["runs-on"]
        assert job.get("needs", job["runs-on"]) in {*workflow["jobs"], job["runs-on"]}
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            assert "@" in step.get("uses", "@")


def test_pythons_of_the_workflow_are_those_promised() -> None:
    low, high = re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups()  # type: ignore[union-attr]
    tried = read(ROOT / ".github" / "workflows" / "ci.yml")["jobs"]["check"]["strategy"]["matrix"]["python"]
    assert tried == [f"3.{minor}" for minor in range(int(low), int(high))]


def test_continuous_integration_runs_what_check_runs() -> None:
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    asked = [line.removeprefix("make ") for line in lines if line.startswith("make ")]
    assert asked == make_targets()["check"]


def test_one_command_draws_every_committed_picture() -> None:
    """Each is named in the commands of `make figures`, or in the scripts that these run."""
    commands = make_commands("figures")
    scripts = sorted(set(re.findall(r"examples/figures/\w+\.py", commands)))
    assert len(scripts) == 4
    named = commands + "".join((ROOT / script).read_text(encoding="utf-8") for script in scripts)
    listed = subprocess.run(["git", "ls-files", "docs/*.png"], cwd=ROOT, capture_output=True, text=True, check=True)
    pictures = [Path(line).stem for line in listed.stdout.splitlines()]
    assert len(pictures) > 15
    assert [each for each in pictures if each not in named] == []


def test_an_audit_out_of_reach_of_its_advisories_says_so_and_fails_nothing() -> None:
    nowhere = {"https_proxy": "http://127.0.0.1:9", "PATH": os.environ["PATH"]}
    done = subprocess.run([ROOT / ".ci" / "audit"], env=nowhere, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "audit: the advisories at pypi.org are out of reach, nothing was audited\n"


def test_pages_are_tried_in_a_browser_that_either_name_leads_to(tmp_path: Path) -> None:
    assert "browser-test" in (ROOT / ".ci" / "run").read_text()
    (search,) = [line for line in make_commands("browser-test").splitlines() if line.startswith("command -v")]
    for name, found in (("chromium", 0), ("google-chrome", 0), ("firefox", 1)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
        done = subprocess.run(["/bin/sh", "-c", search.rstrip("\\")], env={"PATH": str(folder)}, check=False)
        assert (done.returncode != 0) == found, name


def test_a_release_installs_both_files_with_their_dependencies() -> None:
    steps = read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["build"]["steps"]
    (step,) = [each["run"] for each in steps if "Wheel and sdist" in each.get("name", "")]
    for part in ("*.whl", "*.tar.gz", "--constraint constraints.txt", "interlaw --version", "interlaw shapes"):
        assert part in step
    assert "--no-deps" not in step


def test_publishing_needs_no_stored_token() -> None:
    text = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    assert read(ROOT / ".github" / "workflows" / "release.yml")["jobs"]["publish"]["permissions"] == {
        "id-token": "write"
    }
    assert "secrets." not in text


@pytest.mark.parametrize("path", [path for path in FORMS if path.name != "config.yml"], ids=lambda path: path.name)
def test_issue_forms_are_sound(path: Path) -> None:
    form = read(path)
    assert {"name", "description", "body"} <= set(form)
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)
    assert all(field["attributes"]["label"] for field in form["body"])


def test_release_notes_are_the_changelogs_part() -> None:
    script = ROOT / ".github" / "release-notes"
    done = subprocess.run([script, "Unreleased"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()
    assert "## " not in done.stdout
    assert subprocess.run([script, "99.0.0"], capture_output=True, check=False).returncode == 1


def test_docs_packages_are_pinned() -> None:
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    extras = PROJECT["optional-dependencies"]
    for extra in ("docs", "notebooks", "dist", "bench", "dev"):
        for requirement in extras[extra]:
            name = re.split(r"[\[><=]", requirement)[0].lower()
            assert name == "interlaw" or name in pinned, requirement


def test_pins_install_on_the_first_release_of_each_python() -> None:
    """Debian 12 has Python 3.11.2: a pin that asks for a later 3.11 ends `make quickstart` there."""
    refused = []
    for line in (ROOT / "constraints.txt").read_text().splitlines():
        name = line.partition("==")[0]
        try:
            found = metadata.distribution(name)
        except (metadata.PackageNotFoundError, ValueError):
            continue  # an extra that is not installed, or a comment
        asked = SpecifierSet(found.metadata.get("Requires-Python", ""))
        refused += [f"{line}: {asked}" for python in ("3.11.0", "3.12.0", "3.13.0") if python not in asked]
    assert not refused


PACKAGES = [
    "interlaw_paper",
    *sorted(f"interlaw.{path.parent.name}" for path in (ROOT / "src" / "interlaw").glob("*/__init__.py")),
]


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_in_the_reference(package: str) -> None:
    """A page shows what its package offers; a name that is also a module's must be asked for by its full path."""
    page = (ROOT / "docs" / "reference" / f"{package.removeprefix('interlaw.')}.md").read_text(encoding="utf-8")
    assert f"::: {package}\n" in page
    module = importlib.import_module(package)
    assert module.__all__
    for name in module.__all__:
        if inspect.ismodule(getattr(module, name)):
            assert f"`{package}.{name}`" in page, name
        elif Path(module.__file__ or "").with_name(f"{name}.py").is_file():
            assert f"::: {package}.{name}.{name}\n" in page, name
