"""Is the counted memory of activations what training takes? `python benchmarks/activation_memory.py`, a minute.

A process a length trains one sequence of it (forward and backward, float32, transformers' own network) and prints its
largest resident memory. The rise from one length to the next, a token, is that of the activations alone.
"""

from __future__ import annotations

import resource
import subprocess
import sys

from interlaw.recommendation.cost import ENTRY_BYTES, LOGIT_BYTES, activation_bytes_per_token
from interlaw.shapes import LlamaShape

VOCAB = 8192  # small beside the widths: logits must not hide the layers
# depth, width: 19M to 28M parameters in layers, ratios that differ twentyfold
SHAPES = {f"{depth} x {width}": (depth, width) for depth, width in ((4, 768), (8, 512), (24, 256))}
CONTEXT = 2048  # above the lengths that are run
LENGTHS = (512, 1536)  # tokens; the fixed part of memory falls out of their difference
FLOAT_BYTES = 4  # what a CPU trains in


def shape_of(name: str) -> LlamaShape:
    depth, width = SHAPES[name]
    return LlamaShape(
        depth=depth, width=width, head_dim=64, num_kv_heads=2, vocab_size=VOCAB, context=CONTEXT, tied=True
    )


def peak_bytes(name: str, length: int) -> int:
    """Largest resident memory of this process after one step on one sequence."""
    import torch

    from interlaw.recommendation.timing import build

    torch.set_num_threads(1)
    network, vocab, _ = build(shape_of(name), device=torch.device("cpu"), dtype=torch.float32)
    tokens = torch.randint(vocab, (1, length), generator=torch.Generator().manual_seed(0))
    network(tokens, labels=tokens, use_cache=False).loss.backward()
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux counts it in kB


def main() -> None:
    print("| shape | counted (kB a token) | the same at 4 bytes an entry | measured | measured / counted |")
    print("|---|---|---|---|---|")
    for name in SHAPES:
        commands = [[sys.executable, __file__, name, str(length)] for length in LENGTHS]
        peaks = [int(subprocess.check_output(command)) for command in commands]  # noqa: S603 (this very file)
        measured = (peaks[1] - peaks[0]) / (LENGTHS[1] - LENGTHS[0])
        counted = activation_bytes_per_token(shape_of(name))
        logits = LOGIT_BYTES * VOCAB
        wide = (counted - logits) * FLOAT_BYTES / ENTRY_BYTES + logits
        cells = (name, *(f"{one / 1e3:.0f}" for one in (counted, wide, measured)), f"{measured / wide:.2f}")
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(peak_bytes(sys.argv[1], int(sys.argv[2])))
    else:
        main()
