"""The paper's procedure for the projected view, transcribed plainly, and a small trained GPT to run it on.

Legend: P the fixed projection (m x V); J the Jacobian of the last token's logits at the embedded sequence (T * d).
"""

from __future__ import annotations

import math
import time
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from interlaw.interaction.output_side import PROJECTED_OUTPUTS, PROJECTION_SEED
from interlaw.models import GPT
from interlaw.shapes import GPTShape
from interlaw.tasks import open_corpus

DEPTH, WIDTH, CONTEXT, HEAD_DIM, BYTES = 4, 64, 64, 16, 256  # small: the plain procedure must end in minutes
# enough for the network to have learned what follows what; a warm-up of a tenth
STEPS, WARM_UP, RATE, BATCH = 500, 50, 3e-3, 32


@cache
def trained_gpt(steps: int = STEPS) -> nn.Module:
    """Depth 4, width 64, context 64, trained on the bytes of the embedded corpus."""
    shape = GPTShape(depth=DEPTH, width=WIDTH, context=CONTEXT, vocab_size=BYTES, head_dim=HEAD_DIM)
    model = GPT(shape, generator=torch.Generator().manual_seed(0))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, step / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * step / steps))
        x = sequences(BATCH, CONTEXT + 1, seed=step, split="train")
        loss = nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


@cache
def corpus(split: str) -> Tensor:
    """The bytes of a split of the embedded corpus."""
    return torch.from_numpy(open_corpus().tokens(split)[:].astype("int64"))


def sequences(count: int, length: int, *, seed: int, split: str = "validation") -> Tensor:
    """Windows of the embedded corpus at random places."""
    tokens = corpus(split)
    starts = torch.randint(0, len(tokens) - length, (count,), generator=torch.Generator().manual_seed(seed))
    return tokens[starts[:, None] + torch.arange(length)]


def paper_contributions(model: nn.Module, ids: Tensor, *, probes: int = 64, batch_size: int = 64) -> Tensor:
    """A_n = mean over probes of (P J u)(P J u)^T, each J u by differentiating the gradient once more: (n, m, m)."""
    P = torch.randn(PROJECTED_OUTPUTS, BYTES, generator=torch.Generator().manual_seed(PROJECTION_SEED))
    P = P / PROJECTED_OUTPUTS**0.5
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    contributions = []
    for batch in ids.split(batch_size):
        embedded = model.get_input_embeddings().weight[batch].detach().requires_grad_(True)
        handle = model.get_input_embeddings().register_forward_hook(lambda module, args, output, h=embedded: h)
        with sdpa_kernel(SDPBackend.MATH):
            y = model(batch)[:, -1] @ P.T
        handle.remove()
        v = torch.zeros_like(y, requires_grad=True)
        (g,) = torch.autograd.grad(y, embedded, v, create_graph=True)
        A = torch.zeros(len(batch), PROJECTED_OUTPUTS, PROJECTED_OUTPUTS)
        for _ in range(probes):
            (image,) = torch.autograd.grad(g, v, torch.randn_like(embedded), retain_graph=True)
            A += image[:, :, None] * image[:, None, :] / probes
        contributions.append(A)
    return torch.cat(contributions)


def seconds(start: float) -> float:
    """Processor time since `start`: other programs on the machine do not count."""
    return time.process_time() - start
