"""The house rules that a reader relies on: one direction, few doors, small files; the paper as a guest."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "interlaw"
PAPER = Path(__file__).parents[1] / "paper" / "interlaw_paper"
STAGES = (
    "errors",
    "plain",
    "files",
    "charted",
    "machine",
    "size",
    "registry",
    "views",
    "hub",
    "shapes",
    "models",
    "tasks",
    "training",
    "interaction",
    "runs",
    "subject",
    "tracking",
    "sweep",
    "laws",
    "published",
    "recommendation",
    "report",
    "cli",
)
GROUND = {
    "errors",
    "files",
    "charted",
    "plain",
    "machine",
    "size",
    "registry",
    "views",
}  # single files that every stage may use
LEAVES = {
    "interaction": {"torch", "jaxtyping", "numpy", "scipy", "pandas", "pydantic", "lazy_loader"},
    "laws": {"numpy", "scipy", "pandas", "pydantic", "lazy_loader"},
}
# package -> the stages, or single files, that may import it
DOORS = {
    "torch": {
        *("models", "tasks", "training", "interaction", "runs", "subject", "tracking", "sweep", "cli"),
        *("machine.py", "recommendation/timing.py"),
    },
    "psutil": {"machine.py"},
    "altair": {"report"},
    "jinja2": {"report"},
    "vl_convert": {"report"},
    "transformers": {"models", "recommendation/timing.py", "tracking/callback.py"},
    "datasets": {"tasks/corpus.py"},
    "sklearn": {"tasks/images.py"},
    "ray": {"sweep/ray.py", "sweep/spanning.py"},
    "fsspec": {"runs/storage.py"},
    "tensorboard": {"sweep/logs/tensorboard.py"},
    "wandb": {"sweep/logs/wandb.py"},
    "mlflow": {"sweep/logs/mlflow.py"},
    "sqlalchemy": {"sweep/logs/mlflow.py"},
    "typer": {"cli"},
    "rich": {"cli"},
}
OPTIONAL = {"transformers", "datasets", "sklearn", "ray", "tensorboard", "wandb", "mlflow", "sqlalchemy"}
FORBIDDEN_NAMES = {"utils", "util", "common", "helpers", "helper", "core", "base", "misc"}
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
PACKAGES = {"interlaw", "interlaw_paper"}

FILES = sorted(SOURCE.rglob("*.py"))
GUESTS = sorted(PAPER.rglob("*.py"))


def place(path: Path) -> str:
    return path.relative_to(PAPER if path in GUESTS else SOURCE).as_posix()


def stage_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    """Modules imported anywhere in the tree; `from a import b` gives a and a.b, relative names start with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield module
            if "." not in module:
                yield from (f"{module}.{alias.name}" for alias in node.names)


def stage_imports() -> Iterator[tuple[Path, str, str, str]]:
    """File, its stage, the stage it imports, and the whole name after `interlaw.`; imports within a stage left out."""
    for path in FILES:
        own = stage_of(path)
        for name in imports(parsed(path)):
            package, _, inside = name.partition(".")
            other = inside.partition(".")[0]
            # the package's own __init__ loads public names lazily, from wherever they are
            if package == "interlaw" and own != "__init__" and other not in ("", own):
                yield path, own, other, inside


def test_every_file_belongs_to_a_stage() -> None:
    assert {stage_of(path) for path in FILES} - {*STAGES, "__init__"} == set()
    assert len(FILES) > 30  # the walk found the house


def test_imports_are_absolute() -> None:
    assert [
        (place(path), name) for path in FILES + GUESTS for name in imports(parsed(path)) if name.startswith(".")
    ] == []


def test_stages_import_only_leftwards() -> None:
    wrong = [
        (place(path), inside)
        for path, own, other, inside in stage_imports()
        if other != "__version__" and (other not in STAGES or STAGES.index(other) > STAGES.index(own))
    ]
    assert wrong == []


def test_stages_are_entered_by_their_front_door() -> None:
    assert [(place(path), inside) for path, _, other, inside in stage_imports() if inside != other] == []


def test_leaves_stand_alone() -> None:
    assert [
        (place(path), inside) for path, own, other, inside in stage_imports() if own in LEAVES and other not in GROUND
    ] == []
    for path in FILES:
        if stage_of(path) in LEAVES:
            foreign = (
                {name.partition(".")[0] for name in imports(parsed(path))} - sys.stdlib_module_names - {"interlaw"}
            )
            assert foreign <= LEAVES[stage_of(path)], place(path)


def module_of(path: Path) -> str:
    package = "interlaw_paper" if path in GUESTS else "interlaw"
    return ".".join((package, *Path(place(path)).with_suffix("").parts)).removesuffix(".__init__")


def own_imports(tree: ast.Module) -> Iterator[str]:
    """Absolute names that the imports of this package name, `module.name` of each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield str(node.module)


def circles(edges: dict[str, set[str]]) -> list[tuple[str, ...]]:
    """Groups of modules that reach each other, and modules that import themselves."""

    @cache
    def reached(module: str) -> frozenset[str]:
        seen, left = set(), [module]
        while left:
            for other in edges.get(left.pop(), set()) - seen:
                seen.add(other)
                left.append(other)
        return frozenset(seen)

    groups = {tuple(sorted(other for other in reached(module) if module in reached(other))) for module in edges}
    return sorted(group for group in groups if group)


def test_no_module_imports_what_imports_it() -> None:
    """Within functions and for types alone too, where a circle would pass unseen."""
    modules = {module_of(path): path for path in FILES + GUESTS}
    edges = {
        module: {name for name in own_imports(parsed(path)) if name in modules and name not in PACKAGES}
        for module, path in modules.items()
        if path.name != "__init__.py"  # these load public names lazily
    }
    assert sum(map(len, edges.values())) > 500  # the walk saw the imports
    assert circles(edges) == []


def test_circles_are_seen() -> None:
    """The net itself."""
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"d"}}
    assert circles(edges) == [("b", "c"), ("d",)]
    source = """if TYPE_CHECKING:
    from interlaw.a import b

def f():
    from interlaw.c import d
"""
    assert set(own_imports(ast.parse(source))) == {"interlaw.a.b", "interlaw.a", "interlaw.c.d", "interlaw.c"}


def test_no_two_public_classes_share_a_name() -> None:
    places: dict[str, list[str]] = {}
    for path in FILES:
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(place(path))
    assert len(places) > 150  # the walk saw them
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_packages_come_in_by_few_doors() -> None:
    wrong = [
        (place(path), name)
        for path in FILES
        for name in imports(parsed(path))
        if not {stage_of(path), place(path)} & DOORS.get(name.partition(".")[0], {stage_of(path)})
    ]
    assert wrong == []


def test_optional_packages_are_imported_inside_functions() -> None:
    wrong = [
        (place(path), name)
        for path in FILES
        for node in parsed(path).body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in imports(ast.Module(body=[node], type_ignores=[]))
        if name.partition(".")[0] in OPTIONAL
    ]
    assert wrong == []


def test_files_are_short() -> None:
    lengths = {place(path): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES + GUESTS}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_functions_are_short() -> None:
    """Without their docstrings: what is explained at length need not be split."""
    long = {}
    for path in FILES + GUESTS:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node
                length = (node.end_lineno or 0) - first.lineno + 1
                if length > LONGEST_FUNCTION:
                    long[f"{place(path)}:{node.name}"] = length
    assert long == {}


def test_names_say_what_they_hold() -> None:
    assert [
        place(path) for path in FILES + GUESTS if FORBIDDEN_NAMES & set(Path(place(path)).with_suffix("").parts)
    ] == []


def test_no_name_is_found() -> None:
    """The word says nothing of what a name holds."""
    names = [
        (place(path), name)
        for path in FILES + GUESTS
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Name | ast.arg | ast.FunctionDef)
        for name in [node.id if isinstance(node, ast.Name) else node.arg if isinstance(node, ast.arg) else node.name]
        if name.strip("_").partition("_")[0] == "found"
    ]
    assert names == []


def test_the_pipeline_does_not_know_the_paper() -> None:
    assert [place(path) for path in FILES for name in imports(parsed(path)) if name.startswith("interlaw_paper")] == []


def test_the_paper_uses_public_names_alone() -> None:
    """What a stage's `__init__` offers, and what a single file for every stage holds without an underscore."""
    assert [(place(path), name) for path in GUESTS for name in private_names(parsed(path))] == []
    assert len(GUESTS) > 10  # the walk found the package


def private_names(tree: ast.AST) -> Iterator[str]:
    """What is imported of interlaw and is not public."""
    doors = {*STAGES, *importlib.import_module("interlaw").__all__}
    for name in imports(tree):
        package, _, inside = name.partition(".")
        if package == "interlaw" and inside and inside not in doors:
            yield name
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("interlaw."):
            module = importlib.import_module(node.module or "")
            public = getattr(module, "__all__", None) or [each for each in vars(module) if each[0] != "_"]
            yield from (f"{node.module}.{alias.name}" for alias in node.names if alias.name not in public)


def test_imports_of_every_form_are_seen() -> None:
    """The nets themselves."""
    source = "import a.b as c\nfrom d.e import f\n\ndef g():\n    from h import i, j\n    from . import k\n"
    assert list(imports(ast.parse(source))) == ["a.b", "d.e", "h", "h.i", "h.j", "."]
    inner = "from interlaw.sweep import run_trials, local\nimport interlaw.sweep.local\nfrom interlaw.size import _x"
    assert list(private_names(ast.parse(inner))) == ["interlaw.sweep.local", "interlaw.sweep.local", "interlaw.size._x"]
