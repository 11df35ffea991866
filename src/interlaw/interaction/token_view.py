"""The `token` view: G over one-hot inputs (T * V coordinates), y the logits at the last token; no matrix is formed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction.batches import Batch
from interlaw.interaction.layout import Place
from interlaw.interaction.network import find_place
from interlaw.interaction.options import Contribute, Options, View
from interlaw.interaction.place import Outputs, Places
from interlaw.interaction.routes import Contribution
from interlaw.interaction.views import cotangents_of, ones

# Coordinates of all clusters that are unfolded at once: enough for fast products, little beside the activations.
SLICE_COORDINATES = 2**14


def token_view(options: Options, read: Outputs) -> Contribute:
    """Kept per sequence is the gradient g at the embeddings; its coordinates are the rows of the table times g."""
    draw = cotangents_of(options)

    def contribute(places: Places, batch: Batch) -> dict[str, Contribution]:
        (place,) = places.kept.values()
        assert place.module is not None
        probes = 0

        def cotangents(y: Tensor) -> Iterable[Tensor]:
            nonlocal probes
            drawn, _, probes = draw(y)
            return drawn

        gradients = [found[place.name] for found in places.gradients(batch, read, cotangents)]
        stored = torch.stack([g.flatten(1) for g in gradients], 2)
        table = embedding_table(place.module)
        time, width = gradients[0].shape[1:]
        step = max(1, SLICE_COORDINATES // len(table))

        def slices(compact: Tensor) -> Iterator[Tensor]:
            by_position = compact.reshape(len(compact), time, width, -1)
            for start in range(0, time, step):
                # (n, t, width, r) and (V, width) -> (n, t * V, r)
                piece = torch.einsum("ntwr,vw->ntvr", by_position[:, start : start + step], table.to(compact))
                yield piece.flatten(1, 2)

        dim = time * len(table)
        part = Contribution(content=stored, weights=ones(stored), dim=dim, num_probes=probes, slices=slices)
        return {place.name: part}

    return contribute


def at_embeddings(model: nn.Module, batch: Batch, layer: str | None) -> Place:
    """The token embeddings, also where the batch holds real numbers."""
    return find_place(model, batch, "embeddings")


def embedding_table(module: nn.Module) -> Tensor:
    """What the embedding module makes of every token id, scaling included: (V, width)."""
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor):
        raise InterlawError(f"the token view needs an embedding table, {type(module).__name__} has no weight")
    table: Tensor = module(torch.arange(len(weight), device=weight.device)).detach()
    return table


TOKEN = View(start=token_view, place=at_embeddings, positions="last", useless=("layer",))
