"""What a shape costs to train and to run, counted: memory, operations, days, key-value cache, bytes read a token."""

from __future__ import annotations

from dataclasses import dataclass

from interlaw.errors import InterlawError, require_among
from interlaw.plain import Json
from interlaw.shapes import Shape

# Dense bfloat16 products with float32 sums, FLOP/s, without sparsity: the vendors' data sheets.
PEAK_FLOPS = {
    "a100": 312e12,
    "h100": 989e12,
    "h200": 989e12,
    "b200": 2250e12,
    "l40s": 362e12,
    "rtx4090": 165e12,
    "mi300x": 1307e12,
    "tpu-v5e": 197e12,
    "tpu-v5p": 459e12,
}
# Mixed precision with AdamW: bfloat16 weights and gradients, a float32 copy and two moments (ZeRO, 1910.02054).
WEIGHT_BYTES, GRADIENT_BYTES, OPTIMIZER_BYTES = 2, 2, 12
ENTRY_BYTES = 2  # of activations, keys and values
LOGIT_BYTES = 10  # bfloat16 logits, their float32 copy and its gradient
SECONDS_A_DAY = 24 * 60 * 60


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How and where a shape would be trained and run.

    Attributes:
        device: A key of `PEAK_FLOPS`.
        num_devices: How many.
        utilization: Share of the peak that training reaches.
        batch: Sequences of the whole context that one device trains at a time.
    """

    device: str = "h100"
    num_devices: int = 1
    utilization: float = 0.4  # a judgement: reports of tuned trainings lie between .3 and .5 (PaLM: .46)
    batch: int = 1

    def __post_init__(self) -> None:
        require_among("a device", self.device, known=PEAK_FLOPS)
        if not 0 < self.utilization <= 1:
            raise InterlawError(
                f"expected a utilization above 0 and up to 1, found {self.utilization}; 0.4 means 40% of the peak"
            )
        for name in ("num_devices", "batch"):
            if getattr(self, name) < 1:
                raise InterlawError(
                    f"expected {name} of at least 1, found {getattr(self, name)}; choose a positive one"
                )

    def to_dict(self) -> Json:
        """All attributes, and the peak in FLOP/s."""
        return {**vars(self), "peak_flops": PEAK_FLOPS[self.device]}


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one shape costs.

    Attributes:
        train_tokens: Tokens of the whole training.
        train_flops: Operations of the whole training, causal attention included.
        train_days: At the plan's share of its devices' peak.
        train_memory_bytes: Weights, gradients, optimizer and activations of one device's batch, nothing divided between
            devices and nothing recomputed.
        state_bytes: The part of it that does not depend on the batch.
        activation_bytes: The part that does: what fused kernels save for the backward pass, and the logits.
        kv_bytes_per_token: Keys and values of all layers for one token, two bytes an entry.
        kv_cache_bytes: The same for a whole context.
        decode_bytes_per_token: What generating one token reads at a full context: matrices, head, keys and values.
    """

    train_tokens: int
    train_flops: int
    train_days: float
    train_memory_bytes: int
    state_bytes: int
    activation_bytes: int
    kv_bytes_per_token: int
    kv_cache_bytes: int
    decode_bytes_per_token: int


def count_cost(shape: Shape, *, tokens: int, plan: Plan) -> Cost:
    """The cost of a decoder.

    Args:
        shape: A shape of a family with heads and a vocabulary.
        tokens: Training tokens.
        plan: Where it is trained.
    """
    sizes = shape.to_dict()
    context, vocab = int(sizes["context"]), int(sizes["vocab_size"])
    flops = tokens * shape.flops_per_token
    state = (WEIGHT_BYTES + GRADIENT_BYTES + OPTIMIZER_BYTES) * shape.params
    activations = plan.batch * context * activation_bytes_per_token(shape)
    kv = 2 * ENTRY_BYTES * shape.depth * kv_width(shape)
    return Cost(
        train_tokens=tokens,
        train_flops=flops,
        train_days=flops / (PEAK_FLOPS[plan.device] * plan.utilization * plan.num_devices) / SECONDS_A_DAY,
        train_memory_bytes=state + activations,
        state_bytes=state,
        activation_bytes=activations,
        kv_bytes_per_token=kv,
        kv_cache_bytes=kv * context,
        decode_bytes_per_token=WEIGHT_BYTES * (shape.params_non_embedding + shape.width * vocab) + kv * context,
    )


def kv_width(shape: Shape) -> int:
    """Width of the keys, and of the values, of one layer."""
    sizes = shape.to_dict()
    return int(sizes.get("num_kv_heads") or sizes["num_heads"]) * int(sizes["head_dim"])


def activation_bytes_per_token(shape: Shape) -> int:
    """What is kept of one token for the backward pass, with fused norms and attention and nothing recomputed.

    A layer keeps the inputs of its two norms and of its matrices, queries, keys, values and the attention's output, and
    in the MLP the gate, the other half, the activation and their product (two of these without a gate): d entries
    six times, k twice, f four times. Korthikanti et al. 2205.05198 count 34 d bytes for k = d, f = 4 d with masks of
    dropout; this gives 32 d.
    """
    sizes = shape.to_dict()
    d, k, f = shape.width, kv_width(shape), int(sizes["d_ff"] or 4 * shape.width)
    per_layer = shape.params_non_embedding / shape.depth
    is_gated = per_layer - 2 * d * (d + k) > 2.5 * d * f  # three matrices of the MLP, not two
    layer = 6 * d + 2 * k + (4 if is_gated else 2) * f
    return ENTRY_BYTES * (shape.depth * layer + 2 * d) + LOGIT_BYTES * int(sizes["vocab_size"])
