"""Attention and layer normalisation by hand against torch's own, values and forward-mode derivatives."""

import pytest
import torch
from torch.autograd import forward_ad
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from interlaw.interaction.output_side import ForwardMode, attend, load_formulas, normalise, transform

load_formulas()  # torch's own derivatives need them, and loading them warns


def drawn(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


QUERY, KEY, VALUE = drawn(2, 4, 5, 3, seed=0), drawn(2, 4, 6, 3, seed=1), drawn(2, 4, 6, 7, seed=2)
SEEN = drawn(2, 1, 5, 6, seed=3) > 0
SEEN[:, :, 2] = False  # a query that sees nothing
OPTIONS = [
    {},
    {"is_causal": True},
    {"scale": 0.3},
    {"attn_mask": SEEN},
    {"attn_mask": drawn(5, 6, seed=4)},
]


def derivative(f: object, tangents: tuple[torch.Tensor | None, ...], **options: object) -> torch.Tensor:
    with torch.no_grad(), forward_ad.dual_level(), sdpa_kernel(SDPBackend.MATH):
        duals = [
            x if t is None else forward_ad.make_dual(x, t) for x, t in zip((QUERY, KEY, VALUE), tangents, strict=True)
        ]
        return forward_ad.unpack_dual(f(*duals, **options)).tangent.clone()


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("moving", [(1, 1, 1), (1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1)])
def test_values_and_derivatives_are_torchs_own(options: dict[str, object], moving: tuple[int, ...]) -> None:
    assert torch.allclose(
        attend(QUERY, KEY, VALUE, **options), F.scaled_dot_product_attention(QUERY, KEY, VALUE, **options)
    )
    tangents = tuple(
        drawn(*x.shape, seed=7) if moves else None for x, moves in zip((QUERY, KEY, VALUE), moving, strict=True)
    )
    found = derivative(attend, tangents, **options)
    assert torch.allclose(found, derivative(F.scaled_dot_product_attention, tangents, **options))


def test_shared_keys() -> None:
    key, value = KEY[:, :2], VALUE[:, :2]
    expected = F.scaled_dot_product_attention(QUERY, key, value, enable_gqa=True)
    assert torch.allclose(attend(QUERY, key, value, enable_gqa=True), expected)


def test_the_mode_takes_calls_without_dropout_and_only_while_active(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr("interlaw.interaction.output_side.attend", lambda *args, **named: calls.append(named))
    with ForwardMode():
        F.scaled_dot_product_attention(QUERY, KEY, VALUE, is_causal=True)
        F.scaled_dot_product_attention(QUERY, KEY, VALUE, dropout_p=0.5)
        F.scaled_dot_product_attention(QUERY, KEY, VALUE, None, 0.5)
        F.scaled_dot_product_attention(QUERY, KEY, VALUE, None, 0.0)
    F.scaled_dot_product_attention(QUERY, KEY, VALUE)
    assert calls == [{"is_causal": True}, {}]


@pytest.mark.parametrize("shape", [(3,), (5, 3)])
@pytest.mark.parametrize("affine", [True, False])
def test_layer_normalisation(shape: tuple[int, ...], affine: bool) -> None:
    weight, bias = (drawn(*shape, seed=8), drawn(*shape, seed=9)) if affine else (None, None)
    found, expected = [], []
    with torch.no_grad(), forward_ad.dual_level():
        x = forward_ad.make_dual(QUERY, drawn(*QUERY.shape, seed=7))
        for f, into in ((normalise, found), (F.layer_norm, expected)):
            into.extend(forward_ad.unpack_dual(f(x, shape, weight, bias, eps=1e-3)))
        for ours, torchs in zip(found, expected, strict=True):
            assert torch.allclose(ours, torchs)
        with ForwardMode():
            assert torch.equal(F.layer_norm(x, shape, weight, bias, 1e-3), found[0])


@pytest.mark.parametrize("bias", [None, drawn(4, seed=9)])
@pytest.mark.parametrize("moving", ["input", "weight", "bias"])
def test_linear_maps(bias: torch.Tensor | None, moving: str) -> None:
    given = {"input": QUERY, "weight": drawn(4, 3, seed=8), "bias": bias}
    if given[moving] is None:
        return
    with torch.no_grad(), forward_ad.dual_level():
        given[moving] = forward_ad.make_dual(given[moving], drawn(*given[moving].shape, seed=7))
        with ForwardMode():
            active = F.linear(**given)
        for ours in (transform(**given), active):
            for found, expected in zip(
                forward_ad.unpack_dual(ours), forward_ad.unpack_dual(F.linear(**given)), strict=True
            ):
                assert torch.allclose(found, expected)
