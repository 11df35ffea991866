"""What depth costs in latency: five llama shapes of 60M parameters, one thread, decoding after a prompt.

`python benchmarks/decode_latency.py` prints the table of docs/choosing-a-shape.md. Shapes take turns, so that what else
the machine does falls on all alike; the least of the rounds is what the shape needs when left alone.
"""

from __future__ import annotations

import math
import time

import torch

from interlaw.recommendation import Dimensions, believe, equal_budget_shapes
from interlaw.recommendation.timing import _decode, build
from interlaw.shapes import Budget, LlamaShape

# the widths at which some depth meets the budget within 2.2%
PARAMS, WIDTHS = 60_000_000, (960, 640, 512, 384, 256)
PROMPT, DECODED = 64, 16  # tokens: a short question, and enough decoded for a mean
ROUNDS = 12  # the fastest counts: what else the machine does only adds


def main() -> None:
    torch.set_num_threads(1)
    budget = Budget(kind="params", amount=PARAMS)
    by_width = {shape.width: shape for shape in equal_budget_shapes(Dimensions(family="llama"), budget)}
    shapes = [by_width[width] for width in WIDTHS]
    belief = believe(PARAMS)
    networks = [build(shape, device=torch.device("cpu"), dtype=torch.float32)[0].eval() for shape in shapes]
    least = [{0: math.inf, DECODED: math.inf} for _ in shapes]
    tokens = torch.randint(LlamaShape.vocab_size, (1, PROMPT), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for network, own in zip(networks, least, strict=True):
                for count in own:
                    start = time.perf_counter()
                    _decode(network, tokens, count)
                    own[count] = min(own[count], time.perf_counter() - start)
    print("| shape | R | parameters | predicted loss | ms a token | tokens/s |")
    print("|---|---|---|---|---|---|")
    for shape, own in zip(shapes, least, strict=True):
        best = 1000 * (own[DECODED] - own[0]) / DECODED  # of two leasts: the least of differences would be too small
        cells = (
            f"{shape.depth} x {shape.width}",
            f"{shape.ratio:.4f}",
            f"{shape.params / 1e6:.1f}M",
            f"+{belief.penalty(shape.ratio).value:.1%}",
            f"{best:.1f}",
            f"{1000 / best:.0f}",
        )
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
