from __future__ import annotations

from typing import Any

import pytest

from interlaw.errors import InterlawError
from interlaw.recommendation import Plan, count_cost
from interlaw.recommendation.cost import activation_bytes_per_token
from interlaw.shapes import GPTShape, LlamaShape, make_shape

LLAMA_8B = LlamaShape(depth=32, width=4096, head_dim=128, num_kv_heads=8, d_ff=14336, vocab_size=128_256, context=8192)


def test_the_cost_of_llama_3_8b_is_what_its_numbers_give() -> None:
    cost = count_cost(LLAMA_8B, tokens=15 * 10**12, plan=Plan(num_devices=16_000, utilization=0.4))
    assert cost.state_bytes == 16 * 8_030_261_248
    assert cost.kv_bytes_per_token == 131_072  # 32 layers, 8 heads of 128, keys and values, two bytes
    assert cost.kv_cache_bytes == 2**30
    assert cost.decode_bytes_per_token == 2 * (8_030_261_248 - 128_256 * 4096) + 2**30
    assert cost.train_flops == 15 * 10**12 * LLAMA_8B.flops_per_token
    # 6 N D is 7.2e23; attention adds a little, the token table takes nothing
    assert cost.train_flops == pytest.approx(7.2e23, rel=0.1)
    assert cost.train_days == pytest.approx(cost.train_flops / (16_000 * 989e12 * 0.4) / 86_400)


def test_activations_follow_korthikanti() -> None:
    """Their 34 d bytes a layer and token (2205.05198, without attention scores) hold 2 d bytes of dropout masks."""
    shapes = [GPTShape(depth=depth, width=256, head_dim=64, vocab_size=10) for depth in (2, 3)]
    one, two = map(activation_bytes_per_token, shapes)
    assert two - one == 32 * 256


def test_a_gated_mlp_keeps_four_tensors_and_logits_are_counted_once() -> None:
    settings: dict[str, Any] = {"width": 512, "head_dim": 64, "num_kv_heads": 2, "d_ff": 1024, "vocab_size": 1000}
    one, two = (activation_bytes_per_token(LlamaShape(depth=depth, **settings)) for depth in (1, 2))
    assert two - one == 2 * (6 * 512 + 2 * 128 + 4 * 1024)
    assert 2 * one - two == 2 * 2 * 512 + 10 * 1000


def test_what_autograd_saves_in_transformers_is_of_that_order() -> None:
    """Unfused norms and rotations keep float32 copies: between the count and twice the count."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    tokens, saved = 128, []
    for depth in (2, 4):
        config = transformers.LlamaConfig(
            vocab_size=64, hidden_size=256, intermediate_size=704, num_hidden_layers=depth, num_attention_heads=4,
            num_key_value_heads=4, max_position_embeddings=tokens,
        )  # fmt: skip
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").to(torch.bfloat16)
        seen: dict[int, int] = {}
        weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}

        def keep(tensor: Any, seen: dict[int, int] = seen, weights: set[int] = weights) -> Any:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                seen[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            kept = model(torch.zeros(1, tokens, dtype=torch.long)).logits  # held: storages must not be reused
        saved.append(sum(seen.values()))
        del kept
    per_layer = (saved[1] - saved[0]) / 2 / tokens
    shapes = [LlamaShape(depth=depth, width=256, head_dim=64, d_ff=704, vocab_size=64) for depth in (2, 4)]
    counted = (activation_bytes_per_token(shapes[1]) - activation_bytes_per_token(shapes[0])) / 2
    assert 0.9 * counted < per_layer < 2.5 * counted


def test_families_of_transformers_are_counted_alike() -> None:
    pytest.importorskip("transformers")
    settings: dict[str, Any] = {
        "depth": 3, "width": 512, "head_dim": 64, "num_kv_heads": 2, "d_ff": 1536, "vocab_size": 1000,
    }  # fmt: skip
    same, own = make_shape("hf:llama", **settings), LlamaShape(**settings)
    one, other = (count_cost(shape, tokens=1, plan=Plan()).kv_bytes_per_token for shape in (same, own))
    assert one == other
    assert activation_bytes_per_token(same) == activation_bytes_per_token(own)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"device": "h10"}, "expected a device among a100.* did you mean 'h100'"),
        ({"utilization": 1.5}, "a utilization above 0 and up to 1, found 1.5"),
        ({"utilization": 0.0}, "a utilization above 0"),
        ({"num_devices": 0}, "expected num_devices of at least 1"),
        ({"batch": 0}, "expected batch of at least 1"),
    ],
)
def test_impossible_plans_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        Plan(**changes)
