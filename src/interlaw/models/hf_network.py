"""A causal language model of the Hugging Face library as a network of this package: token ids in, logits out."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from interlaw.models.hf_config import make_network
from interlaw.models.hf_known import known_of
from interlaw.models.hf_shape import HFShape
from interlaw.models.roles import Roles
from interlaw.models.windows import require_within


class HFNetwork(nn.Module):
    """The library's own network and initial weights; see `HFShape` for its sizes and counts.

    Args:
        shape: The sizes.
        generator: Its initial seed is that of the weights, which the library draws from torch's global generator.
    """

    def __init__(self, shape: HFShape, *, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.shape = shape
        self.network = make_network(shape, seed=generator.initial_seed() if generator else 0)
        self.roles = self._roles()

    def _roles(self) -> Roles | None:
        """The roles of the parameters, where the architecture's are known."""
        known = known_of(self.shape.family)
        if not known.writers:
            return None
        head = self.network.get_output_embeddings()
        names = dict(self.named_modules())
        return Roles(
            inputs=tuple(name for name, module in names.items() if isinstance(module, nn.Embedding)),
            outputs=tuple(name for name, module in names.items() if module is head),
            writers=known.writers,
            depth_scaled=known.depth_scaled,
        )

    def get_input_embeddings(self) -> nn.Module:
        """The token table, under the name that Hugging Face models use."""
        table: nn.Module = self.network.get_input_embeddings()
        return table

    def forward(self, ids: Int[Tensor, "batch time"], logits_to_keep: int = 0) -> Float[Tensor, "batch keep vocab"]:
        """Logits of the next token at every position, or at the last ones alone.

        Args:
            ids: Token ids; time is at most the shape's context.
            logits_to_keep: How many of the last positions are asked for; 0 for all.

        Raises:
            InterlawError: When the sequences are longer than the context.
        """
        require_within(ids, context=self.shape.context)
        asked = {"logits_to_keep": logits_to_keep} if logits_to_keep else {}
        logits: Tensor = self.network(input_ids=ids, **asked).logits
        return logits
