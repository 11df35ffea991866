"""A user's own network from `module.py:factory`: the one way in which this package runs code that it did not bring."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from torch import nn

from interlaw.errors import InterlawError, near_path


def load_factory(reference: str) -> nn.Module:
    """Runs a function of a Python file that returns a network.

    Args:
        reference: "path/to/module.py:factory"; the factory takes no arguments. Importing the file runs it.

    Raises:
        InterlawError: No such file or function, an error inside it, or no `nn.Module` returned.
    """
    path, _, name = reference.rpartition(":")
    if not path.endswith(".py") or not name.isidentifier():
        raise InterlawError(f"expected module.py:factory, found '{reference}'; name a file and a function in it")
    module = _import(Path(path))
    factory = getattr(module, name, None)
    if not callable(factory):
        functions = ", ".join(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        raise InterlawError(f"expected a function '{name}' in {path}, found {functions or 'no functions'}")
    try:
        model = factory()
    except (Exception, SystemExit) as error:
        raise InterlawError(f"{name}() in {path} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise InterlawError(f"expected {name}() to return an nn.Module, found {type(model).__name__}")
    return model


def _import(path: Path) -> ModuleType:
    """The file as a module; files beside it can be imported from it."""
    if not path.is_file():
        raise InterlawError(f"expected a Python file, found nothing at '{path}'; check the path{near_path(path)}")
    # a name that no other module has; where a name has dots, imports take what is before them for a package
    spec = importlib.util.spec_from_file_location(str(path.resolve()).replace(".", "_"), path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up annotations that are not evaluated
    folder = str(path.resolve().parent)
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InterlawError(f"importing {path} failed: {type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(folder)
    return module
