"""Which causal architectures of transformers are shape families, and whether their counts are the networks' own.

Each architecture that the library registers is asked for shapes at eight depths and two widths; every count is compared
with that of the library's own network, and a tiny one is run. Run
`python benchmarks/hf_families.py docs/hf-families.md`.
"""

from __future__ import annotations

import sys
import warnings
from importlib.metadata import version
from pathlib import Path

from interlaw.errors import InterlawError
from interlaw.models import HFShape, hf_family
from interlaw.models.hf_counts import count
from interlaw.models.hf_network import meta_network

DEPTHS, WIDTHS = (2, 3, 4, 5, 6, 8, 12, 16), (128, 256)
DEEPER = tuple(depth + 2 for depth in DEPTHS)  # of architectures that have three layers at least
# small, and large enough that most architectures can be made
SIZES = {"head_dim": 32, "vocab_size": 256, "context": 64}


def makes(shape: HFShape) -> bool:
    """Whether the library makes a network of these sizes."""
    try:
        meta_network(shape)
    except InterlawError:
        return False
    return True


def judged(name: str) -> tuple[str, str]:
    """`exact`, `inexact` or `refused`, and of the latter why."""
    try:
        family = hf_family(name)
        least = family(depth=DEPTHS[0], width=WIDTHS[0], **SIZES)
        depths = DEPTHS if makes(least) else DEEPER
        shapes = [family(depth=depth, width=width, **SIZES) for depth in depths for width in WIDTHS]
        wrong = [shape for shape in shapes if count(meta_network(shape)) != shape._counts]
        _ = shapes[0].flops_per_token  # runs a tiny one
    except InterlawError as error:
        return "refused", str(error)
    what = ", ".join(f"{shape.depth}x{shape.width}" for shape in wrong)
    return ("inexact", f"at {what} until the network itself is counted") if wrong else ("exact", "")


def main() -> None:
    """Writes the table, or prints it."""
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    names = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
    verdicts = {}
    for name in names:
        verdicts[name] = judged(name)
        print(name, *verdicts[name], file=sys.stderr, flush=True)
    totals = {kind: [name for name in names if verdicts[name][0] == kind] for kind in ("exact", "inexact", "refused")}
    lines = [
        "# Causal architectures of transformers as shape families",
        "",
        f"transformers {version('transformers')} registers {len(names)} causal architectures. `hf:NAME` counts "
        f"{len(totals['exact'])} of them exactly at {len(DEPTHS)} depths ({DEPTHS[0]} to {DEPTHS[-1]}) and widths "
        f"{' and '.join(map(str, WIDTHS))}, {len(totals['inexact'])} otherwise, and refuses "
        f"{len(totals['refused'])} in one line. `match_shapes` compares every shape that it gives with the library's "
        "network, and counts again where they differ. Made by "
        "`python benchmarks/hf_families.py docs/hf-families.md`.",
        "",
        "## Exact",
        "",
        ", ".join(f"`{name}`" for name in totals["exact"]),
        "",
    ]
    for kind, title in (("inexact", "Counted again"), ("refused", "Refused, and why")):
        if totals[kind]:
            lines += [f"## {title}", "", "| NAME | |", "|---|---|"]
            lines += [f"| `{name}` | {verdicts[name][1].replace('|', ' ')} |" for name in totals[kind]] + [""]
    text = "\n".join(lines)
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(text, encoding="utf-8")
    else:
        sys.stdout.write(text)


if __name__ == "__main__":
    main()
