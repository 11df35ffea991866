"""The GPT against a transcription in NumPy float64, and what it promises about causality and initial weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import erf

from interlaw.errors import InterlawError
from interlaw.models import build_model
from interlaw.models.gpt import causal_attention
from interlaw.shapes import GPTShape, LlamaShape

Array = NDArray[np.float64]


def layer_norm(x: Array, weight: Array, bias: Array) -> Array:
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5) * weight + bias


def attention(x: Array, qkv: Array, out: Array, head_dim: int) -> Array:
    """One sequence, head by head, position by position."""
    time, width = x.shape
    query, key, value = (x @ qkv[i * width : (i + 1) * width].T for i in range(3))
    mixed = np.zeros_like(x)
    for head in range(width // head_dim):
        part = slice(head * head_dim, (head + 1) * head_dim)
        for t in range(time):
            scores = key[: t + 1, part] @ query[t, part] / math.sqrt(head_dim)
            weights = np.exp(scores - scores.max())
            mixed[t, part] = (weights / weights.sum()) @ value[: t + 1, part]
    return mixed @ out.T


def gelu(x: Array) -> Array:
    return 0.5 * x * (1 + erf(x / math.sqrt(2)))


def transcription(weights: dict[str, Array], shape: GPTShape, ids: list[int]) -> Array:
    """The logits of one sequence."""
    x = np.stack([weights["tokens.weight"][i] + weights["positions.weight"][t] for t, i in enumerate(ids)])
    for layer in range(shape.depth):
        block = {name.split(".", 2)[2]: w for name, w in weights.items() if name.startswith(f"blocks.{layer}.")}
        normed = layer_norm(x, block["norm1.weight"], block["norm1.bias"])
        x = x + attention(normed, block["attention.qkv.weight"], block["attention.out.weight"], shape.head_dim)
        normed = layer_norm(x, block["norm2.weight"], block["norm2.bias"])
        x = x + gelu(normed @ block["up.weight"].T) @ block["down.weight"].T
    return layer_norm(x, weights["norm.weight"], weights["norm.bias"]) @ weights["head.weight"].T


def busy_model(shape: GPTShape) -> torch.nn.Module:
    """A model in float64 whose every parameter is far from its initial value, so that no term hides."""
    model = build_model(shape).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.5, generator=generator)
    return model


@pytest.mark.parametrize(("head_dim", "time"), [(4, 65), (1, 96), (8, 130), (4, 64), (16, 70)])
def test_attention_and_its_gradients_equal_those_written_out(head_dim: int, time: int) -> None:
    """Narrow heads go in blocks, the last of them a part; wide ones and short contexts through the fused kernel."""
    generator = torch.Generator().manual_seed(2)
    inputs = [torch.randn(2, 3, time, head_dim, dtype=torch.float64, generator=generator) for _ in range(4)]
    *parts, weight = inputs
    query, key, value = (part.requires_grad_() for part in parts)
    future = torch.ones(time, time, dtype=torch.bool).triu(1)
    scores = (query @ key.mT / math.sqrt(head_dim)).masked_fill(future, -math.inf)
    expected = scores.softmax(-1) @ value
    found = causal_attention(query, key=key, value=value)
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)
    for ours, theirs in zip(
        torch.autograd.grad((found * weight).sum(), parts),
        torch.autograd.grad((expected * weight).sum(), parts),
        strict=True,
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "shape",
    [
        GPTShape(depth=2, width=12, head_dim=4, vocab_size=9, context=7),
        GPTShape(depth=3, width=8, head_dim=1, vocab_size=5, context=6, d_ff=5),
        GPTShape(depth=1, width=10, head_dim=10, vocab_size=9, context=6, tied=True),
    ],
)
def test_logits_equal_the_transcription(shape: GPTShape) -> None:
    model = busy_model(shape)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    ids = torch.randint(0, shape.vocab_size, (3, 6), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = model(ids).numpy()
    expected = np.stack([transcription(weights, shape, sequence) for sequence in ids.tolist()])
    np.testing.assert_allclose(logits, expected, rtol=1e-10, atol=1e-10)
    assert np.abs(expected).max() > 0.5


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 6), st.integers(0, 8))
def test_the_future_does_not_reach_the_past(place: int, token: int) -> None:
    model = busy_model(GPTShape(depth=2, width=8, head_dim=4, vocab_size=9, context=7))
    ids = torch.arange(7)[None] % 9
    changed = ids.clone()
    changed[0, place] = token
    with torch.no_grad():
        before, after = model(ids)[0], model(changed)[0]
    torch.testing.assert_close(before[:place], after[:place], rtol=0, atol=1e-12)
    if token != int(ids[0, place]):
        assert (before[place:] - after[place:]).abs().amax(1).min() > 1e-9  # and it does reach every later position


def test_shorter_sequences_are_prefixes() -> None:
    model = busy_model(GPTShape(depth=2, width=8, head_dim=4, vocab_size=9, context=7))
    ids = torch.arange(7)[None] % 9
    with torch.no_grad():
        torch.testing.assert_close(model(ids[:, :3]), model(ids)[:, :3], rtol=0, atol=1e-12)


@pytest.mark.parametrize("keep", [1, 2, 5, 9])
def test_the_last_logits_alone(keep: int) -> None:
    model = busy_model(GPTShape(depth=2, width=8, head_dim=4, vocab_size=9, context=7))
    worked_out = []
    model.head.register_forward_hook(lambda module, args, output: worked_out.append(output.shape[1]))
    ids = torch.arange(5)[None] % 9
    with torch.no_grad():
        torch.testing.assert_close(model(ids, logits_to_keep=keep), model(ids)[:, -keep:], rtol=0, atol=1e-12)
    assert worked_out == [min(keep, 5), 5]


def test_initial_weights_have_their_spread() -> None:
    """Normal with std 0.02; 0.02 / sqrt(2 L) for what writes to the residual stream. A matrix of n entries shows its
    std to within std / sqrt(2 n): 5 such errors are allowed."""
    shape = GPTShape(depth=8, width=96, head_dim=16, context=128)
    for name, parameter in build_model(shape).named_parameters():
        if "norm" in name and name.endswith("weight"):
            assert torch.equal(parameter, torch.ones_like(parameter)), name
        elif name.endswith("bias"):
            assert torch.equal(parameter, torch.zeros_like(parameter)), name
        else:
            expected = 0.02 / 4 if name.endswith(("attention.out.weight", "down.weight")) else 0.02
            error = expected / math.sqrt(2 * parameter.numel())
            assert float(parameter.detach().std()) == pytest.approx(expected, abs=5 * error), name
            assert float(parameter.detach().mean()) == pytest.approx(0, abs=5 * expected / math.sqrt(parameter.numel()))


def test_initial_loss_is_that_of_a_guess() -> None:
    """At the start every token is about equally likely: ln V nats."""
    model = build_model(GPTShape(depth=4, width=64, context=32))
    ids = torch.randint(0, 256, (8, 33), generator=torch.Generator().manual_seed(0))
    loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    assert float(loss.detach()) == pytest.approx(math.log(256), abs=0.05)


def test_weights_are_a_function_of_the_seed() -> None:
    shape = GPTShape(depth=2, width=16)
    torch.manual_seed(1)
    one = build_model(shape, seed=3).state_dict()
    torch.manual_seed(2)
    before = torch.get_rng_state()
    two, other = build_model(shape, seed=3).state_dict(), build_model(shape, seed=4).state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not torch.equal(one["tokens.weight"], other["tokens.weight"])
    assert torch.equal(torch.get_rng_state(), before)  # and the caller's own random numbers go on as if nothing was


def test_layers_do_not_share_their_draws() -> None:
    weights = build_model(GPTShape(depth=2, width=16)).state_dict()
    assert not torch.equal(weights["blocks.0.up.weight"], weights["blocks.1.up.weight"])


def test_a_tied_head_is_the_token_table() -> None:
    model = build_model(GPTShape(depth=1, width=16, tied=True))
    assert model.head.weight is model.tokens.weight
    assert model.get_input_embeddings() is model.tokens
    untied = build_model(GPTShape(depth=1, width=16))
    assert untied.head.weight is not untied.tokens.weight


def test_meta_models_allocate_nothing() -> None:
    model = build_model(GPTShape(depth=96, width=12288, head_dim=128), device="meta")  # as deep and wide as GPT-3
    assert all(parameter.is_meta for parameter in model.parameters())


def test_sequences_beyond_the_context_are_refused() -> None:
    model = build_model(GPTShape(depth=1, width=16, context=8))
    with pytest.raises(
        InterlawError, match=r"expected sequences of at most 8 tokens .the context., found 9; shorten them"
    ):
        model(torch.zeros(1, 9, dtype=torch.long))


def test_families_without_a_network_are_refused() -> None:
    with pytest.raises(
        InterlawError, match=r"expected a family with a network .gpt.*, found 'llama'; choose hf:llama, of the Hug"
    ):
        build_model(LlamaShape(depth=1, width=64))


def test_tensors_are_checked_in_tests() -> None:
    """The import hook is on: floating-point ids do not pass."""
    with pytest.raises(Exception, match=r"(?s)ids.*Int\[Tensor, .batch time.\]"):
        build_model(GPTShape(depth=1, width=16))(torch.zeros(1, 4))
