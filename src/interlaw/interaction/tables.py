"""The table of tokens in a network without get_input_embeddings: the nn.Embedding that is fed with the ids.

Tables of positions are fed with other numbers, and those of segments too; the first samples show which is which.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import BESIDE, Batch
from interlaw.interaction.entering import tensors_in

FEW = 4  # samples: ids of one alone may happen to count upwards, as positions do


def fed_tables(model: nn.Module, batch: Batch) -> dict[str, nn.Module]:
    """The tables that are fed with the ids of the batch, by name; several where the ids have several tables."""
    few, fed = batch.take(0, FEW), dict[str, nn.Module]()
    ids = _ids_of(few)
    if ids is None:
        return fed

    def watch(name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if any(_are(tensor, ids) for tensor in tensors_in((args, kwargs))):
            fed[name] = module

    with ExitStack() as stack, torch.no_grad():
        for name, table in _tables_of(model).items():
            stack.callback(table.register_forward_pre_hook(partial(watch, name), with_kwargs=True).remove)
        few.repeated(1).fed_to(model)  # copies: a network may write into them
    return fed


def no_table(model: nn.Module, batch: Batch, *, fed: list[str]) -> InterlawError:
    """The refusal of inputs without a derivative, where no one table says where real numbers begin."""
    name = type(model).__name__
    kinds = {tensor.dtype for key, tensor in batch.inputs.items() if key not in BESIDE}
    for kind in kinds:
        if kind.is_complex:
            return InterlawError(
                f"expected real inputs or token ids, found {kind}; give torch.view_as_real(x) to a network that begins "
                "with torch.view_as_complex, or pass layer= with the module that first sees real numbers"
            )
    if kinds == {torch.bool}:
        return InterlawError("expected real inputs or token ids, found torch.bool; pass x.float()")
    if any(kind.is_floating_point for kind in kinds):
        return InterlawError("expected token ids for their embeddings, found real inputs; measure at the input")
    if fed:
        return InterlawError(
            f"expected one table of tokens, found that {', '.join(fed)} of {name} are all fed with the ids; give it a "
            "get_input_embeddings() that returns the one you mean, or pass layer= with its name"
        )
    tables = ", ".join(_tables_of(model)) or "none"
    return InterlawError(
        f"integer inputs have no derivative, and {name} has no get_input_embeddings() and no nn.Embedding that is fed "
        f"with them as they are (its tables: {tables}); pass layer= with the module that first sees real numbers"
    )


def _tables_of(model: nn.Module) -> dict[str, nn.Module]:
    return {name: module for name, module in model.named_modules() if name and isinstance(module, nn.Embedding)}


def _ids_of(batch: Batch) -> Tensor | None:
    """The token ids among the inputs: under their usual name, or the only whole numbers."""
    kinds = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    whole = {name: one for name, one in batch.inputs.items() if name not in BESIDE and one.dtype in kinds}
    return whole.get("input_ids", next(iter(whole.values())) if len(whole) == 1 else None)


def _are(tensor: Tensor, ids: Tensor) -> bool:
    """Whether these are the ids, in their shape, with tokens first, or one after the other."""
    return tensor.numel() == ids.numel() and (
        torch.equal(tensor.flatten(), ids.flatten()) or (ids.dim() == 2 and torch.equal(tensor, ids.T))
    )
