"""Mistakes in calls from Python: each ends in one line that says what was expected, of an error that is meant for it.

The calls are made in a process of their own, where nothing but the package checks types.
"""

from __future__ import annotations

import warnings

import pytest
from tests.processes import answer_of

MODULE = ("TypeError", "expected a torch.nn.Module, then its inputs: measure(model, x); found str")
SHAPE = ("InterlawError", "expected inputs of the shape that the model takes, found ")
SEED = ("InterlawError", "expected a whole number as seed, found ")
INPUTS = ("TypeError", "inputs must be a tensor, measure(model, x), or an iterable of batches")
TABLE = ("TypeError", "expected a DataFrame or a dict of columns, fit_law(table), found ")
REAL = ("TypeError", "expected a tensor of real numbers, energies(W.T @ W), found ")

CALLS = {
    "il.measure(3, x)": (MODULE[0], MODULE[1].replace("str", "int")),
    "il.measure('./nowhere')": ("InterlawError", "expected a trial's or model's folder, found nothing at './nowhere'"),
    "il.measure('./nowhere', x, text='book.txt')": ("InterlawError", "expected text= or inputs=, found both"),
    "il.measure('./nowhere', view='lost')": ("InterlawError", "expected a view"),
    "il.measure('./nowhere', seed='a')": SEED,
    "il.measure(linear, x, text='book.txt')": ("InterlawError", "expected text= with a model's name"),
    "il.agop('x', x)": MODULE,
    "il.measure(linear, x, outputs=[0.5])": ("InterlawError", "expected whole numbers as outputs, found [0.5]; write"),
    "il.measure(linear, x, outputs='01')": ("InterlawError", "expected whole numbers as outputs, found '01'; write"),
    "il.measure_layers(3, x)": (MODULE[0], MODULE[1].replace("str", "int")),
    "il.measure_layers('./nowhere', text='book.txt')": ("InterlawError", "expected a trial's or model's folder, found"),
    "il.measure_layers(net, x, text='book.txt')": (
        "InterlawError",
        "expected text= with a model's name, measure_layers('folder', text='book.txt'), found Sequential",
    ),
    "il.measure('./nowhere', text='a long text ' * 99)": (
        "InterlawError",
        "expected the path of a text file or a folder, found 1,188 characters that begin with 'a long text a long",
    ),
    "il.measure('./nowhere', text='two\\nlines')": ("InterlawError", "expected the path of a text file or a folder"),
    "il.measure(linear, torch.randn(8, 4))": SHAPE,
    "il.agop(linear, torch.randn(8, 4))": SHAPE,
    "il.measure_layers(net, torch.randn(8, 4))": SHAPE,
    "il.measure(conv, torch.randn(8, 4, 5, 5))": SHAPE,
    "il.measure(torch.nn.LayerNorm(3), torch.randn(8, 4))": SHAPE,
    "il.measure(words, torch.full((8, 2), 9), layer='1')": ("InterlawError", "expected token ids below the rows of"),
    "il.measure(linear, None)": INPUTS,
    "il.measure(linear, [3])": INPUTS,
    "il.interaction.list_layers(net, [x, x])": INPUTS,
    "il.interaction.list_layers(net, 'x')": INPUTS,
    "il.interaction.list_layers(net, torch.tensor(1.0))": INPUTS,
    "il.measure(linear, x, seed='a')": SEED,
    "il.measure(linear, x, seed=0.5)": SEED,
    "il.measure_layers(net, x, seed='a')": SEED,
    "il.measure(linear, x, level='a')": ("InterlawError", "expected a level between 0 and 1, found 'a'"),
    "il.measure(linear, x, batch_size='a')": ("InterlawError", "expected a whole number or None as batch_size"),
    "il.measure(linear, x, max_clusters=4.5)": ("InterlawError", "expected a whole number or None as max_clusters"),
    "il.measure(linear, x, rel_error='a')": ("InterlawError", "expected a rel_error above 0, found 'a'"),
    "il.measure(linear, x, dtype='float32')": ("InterlawError", "expected a dtype of real numbers, found 'float32'"),
    "il.measure(linear, x, outputs=3)": ("InterlawError", "expected a list of indices as outputs, found 3"),
    "il.energies('x')": REAL,
    "il.energies(None)": REAL,
    "il.energies(torch.eye(2, dtype=torch.complex64))": REAL,
    "il.energies(torch.zeros(0, 0))": ("InterlawError", "expected a square matrix, found shape (0, 0)"),
    "il.fit_law(None)": TABLE,
    "il.fit_law([1])": TABLE,
    "il.recommend()": ("InterlawError", "expected exactly one budget"),
    "il.recommend(params=[])": ("InterlawError", "expected a size such as 300k, 3M or 1.2B, found '[]'"),
    "il.recommend(params='1B', fit='x')": ("TypeError", "expected fit=fit_law(table), a LawFit, found str"),
    "il.recommend(params='1B', interval=3)": ("InterlawError", "expected an interval (low, high) of two numbers"),
    "il.recommend(params='1B', tolerance='a')": (
        "InterlawError",
        "expected tolerance= above 0 and at most 0.5, found 'a'",
    ),
    "il.load_trial('/nowhere')": ("InterlawError", "expected /nowhere/spec.json, found nothing there"),
    "il.load_table('/nowhere')": ("InterlawError", "expected a run folder with recipe.toml, found none"),
}


def complaints(calls: list[str]) -> dict[str, tuple[str, str]]:
    """The kind and the message of the error of each call, made in a process where nothing but the package checks."""
    import torch

    import interlaw as il

    warnings.simplefilter("error")
    linear = torch.nn.Linear(3, 2)
    names = {"il": il, "torch": torch, "linear": linear, "x": torch.randn(8, 3), "net": torch.nn.Sequential(linear)}
    names["conv"] = torch.nn.Conv2d(3, 2, 3)
    names["words"] = torch.nn.Sequential(torch.nn.Embedding(5, 3), torch.nn.Linear(3, 2))
    found = {}
    for call in calls:
        try:
            eval(call, names)
            found[call] = ("nothing", "")
        except Exception as error:
            found[call] = (type(error).__name__, str(error))
    return found


@pytest.fixture(scope="module")
def answers() -> dict[str, tuple[str, str]]:
    found: dict[str, tuple[str, str]] = answer_of(complaints, list(CALLS))
    return found


@pytest.mark.parametrize("call", CALLS)
def test_a_wrong_call_says_what_was_expected(answers: dict[str, tuple[str, str]], call: str) -> None:
    kind, message = answers[call]
    assert (kind, message[: len(CALLS[call][1])]) == CALLS[call]
    assert "\n" not in message
