from dataclasses import astuple
from typing import Any

import numpy as np
import pytest
import torch
from tests.cases import TinyAttention, build
from torch import nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction import agop, energies, measure
from interlaw.interaction.output_side import FIRST_REFRESH, leading_directions


class Bottleneck(nn.Module):
    """y = relu(x W^T W + b)."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(2, 7, generator=torch.Generator().manual_seed(0)).double())
        self.bias = nn.Parameter(torch.linspace(-0.5, 0.5, 7).double())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(x @ self.weight.T @ self.weight + self.bias)


def test_linear_convolution_gives_w_transposed_w_over_patches() -> None:
    conv = nn.Conv2d(2, 5, 3, padding=1, bias=False).double()
    W = conv.weight.detach().flatten(1)
    x = torch.randn(4, 2, 6, 6, dtype=torch.float64)
    G = agop(nn.Sequential(conv), x, view="convolution")
    assert torch.allclose(G, W.T @ W)
    assert measure(nn.Sequential(conv), x, view="convolution", probes="exact").dim == 18


@pytest.mark.parametrize("layer", [None, "3"])
def test_convolution_view_equals_differentiation_through_unfolded_patches(layer: str | None) -> None:
    model, x = build("cnn", 3)
    name = layer or "0"
    conv = model.get_submodule(name)
    G = 0
    for sample in x:
        h = sample[None]
        for key, module in model.named_children():
            if key == name:
                break
            h = module(h)
        patches = F.unfold(h, conv.kernel_size, padding=conv.padding)[0].T.detach().requires_grad_(True)
        side = h.shape[-1] + 2 * conv.padding[0] - 2
        out = (patches @ conv.weight.flatten(1).T + conv.bias).T.reshape(1, -1, side, side)
        for module in list(model.children())[int(name) + 1 :]:
            out = module(out)
        for y in out[0]:
            (g,) = torch.autograd.grad(y, patches, retain_graph=True)
            G = G + g.T @ g / len(g) / len(x)
    assert torch.allclose(agop(model, x, view="convolution", layer=layer), G)
    found = measure(model, x, view="convolution", layer=layer)
    assert found.plugin.energy == pytest.approx(energies(G).energy)
    assert found.layer == name


@pytest.mark.parametrize("layer", [None, "3"])
def test_patch_view_unfolds_the_gradient_at_the_image(layer: str | None) -> None:
    model, x = build("cnn", 3)
    conv, before = model.get_submodule(layer or "0"), list(model.children())[: int(layer or 0)]
    behind = nn.Sequential(*list(model.children())[len(before) :])
    G = 0
    for h in nn.Sequential(*before)(x).detach():
        J = torch.autograd.functional.jacobian(lambda h: behind(h[None])[0], h)  # (outputs, channels, rows, columns)
        patches = F.unfold(J, conv.kernel_size, padding=conv.padding)
        G = G + torch.einsum("cip,cjp->ij", patches, patches) / patches.shape[2] / len(x)
    assert torch.allclose(agop(model, x, view="patch", layer=layer), G)
    found = measure(model, x, view="patch", layer=layer)
    assert found.plugin.energy == pytest.approx(energies(G).energy)
    assert found.layer == (layer or "input")


@pytest.mark.parametrize("conv", [nn.Conv1d(2, 3, 3, stride=2, dilation=2), nn.Conv3d(2, 3, (1, 3, 3), padding="same")])
def test_patches_of_other_convolutions(conv: nn.Module) -> None:
    sides = [9] if conv.weight.dim() == 3 else [3, 5, 4]
    x = torch.randn(5, 2, *sides, generator=torch.Generator().manual_seed(0))
    G = agop(nn.Sequential(conv, nn.Flatten()), x, view="patch")
    J = torch.autograd.functional.jacobian(lambda x: conv(x[None]).flatten(), x[0])
    if conv.padding == "same":  # of an odd kernel
        J = F.pad(J, [(side - 1) // 2 for side in reversed(conv.kernel_size) for _ in range(2)])
    for axis, (side, step, apart) in enumerate(zip(conv.kernel_size, conv.stride, conv.dilation, strict=True), start=2):
        J = J.unfold(axis, apart * (side - 1) + 1, step)[..., ::apart]  # (outputs, channels, places, entries)
    places = x.dim() - 2
    patches = J.movedim(1, places + 1).flatten(places + 1).flatten(1, places)  # (outputs, patches, C_in * kernel)
    assert torch.allclose(G, torch.einsum("cpi,cpj->ij", patches, patches) / patches.shape[1], atol=1e-5)


def test_the_projection_is_fixed_whatever_torch_uses_by_default() -> None:
    P = torch.randn(64, 17, generator=torch.Generator().manual_seed(42), dtype=torch.float32).double() / 8
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        model = nn.Sequential(nn.Linear(3, 17))
        B = P @ next(model.parameters()).detach()
        assert torch.allclose(agop(model, torch.randn(4, 3), view="projected"), B @ B.T)
    finally:
        torch.set_default_dtype(before)


def test_token_view_equals_the_dense_answer() -> None:
    model, ids = build("gpt", 5)
    ids = ids[:, :4]
    table = model.tokens.weight.detach()
    A = []
    for row in ids:
        one_hot = F.one_hot(row, 11).double().requires_grad_(True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model.tokens, "forward", lambda _ids, h=one_hot: (h @ table)[None])
            y = model(row[None])[0, -1]
        J = torch.stack([torch.autograd.grad(one, one_hot, retain_graph=True)[0].flatten() for one in y])
        A.append(J.T @ J)
    G = torch.stack(A).mean(0)
    assert torch.allclose(agop(model, ids, view="token"), G)
    for route in ("gram", "dense"):
        found = measure(model, ids, view="token", probes="exact", route=route)
        assert found.dim == 44
        assert found.plugin.aofe == pytest.approx(energies(G).aofe)
        pairs = [float((a * b).sum()) for i, a in enumerate(A) for j, b in enumerate(A) if i != j]
        assert found.energy.value == pytest.approx(np.mean(pairs))


def test_token_view_needs_sequences_of_one_length() -> None:
    model, ids = build("gpt", 6)
    with pytest.raises(InterlawError, match="cut the sequences to one length"):
        measure(model, [ids[:3], ids[3:, :5]], view="token")


def test_bottleneck_closed_form_equals_differentiation() -> None:
    model = Bottleneck()
    x = torch.randn(9, 7, dtype=torch.float64)
    G = 0
    for sample in x:
        J = torch.autograd.functional.jacobian(model, sample)
        G = G + J @ J.T / len(x)
    assert torch.allclose(agop(model, x, view="bottleneck"), G)
    gw = model.weight.T @ model.weight
    active = (x @ gw + model.bias > 0).double()
    assert torch.allclose(G, ((gw @ gw) * (active.T @ active / 9)).detach())
    assert measure(model, x, view="bottleneck").plugin.energy == pytest.approx(energies(G).energy)


def test_many_clusters_of_a_bottleneck_are_counted_together() -> None:
    """K and H of 64 groups against every A_n written out."""
    model, dim = Bottleneck(), 7
    x = torch.randn(500, dim, dtype=torch.float64)
    found = measure(model, x, view="bottleneck", route="dense")
    gw = model.weight.detach().T @ model.weight.detach()
    active = (x @ gw + model.bias.detach() > 0).double()
    A = (gw @ gw) * (active[:, :, None] * active[:, None, :])
    assert found.grams is not None
    assert found.grams.counts.tolist() == [8.0] * 62 + [4.0]
    S = torch.stack([part.sum(0) for part in A.split(8)])
    expected = {
        "energy": torch.einsum("gij,hij->gh", S, S),
        "diagonal": torch.einsum("gii,hii->gh", S, S),
        "self_energy": torch.stack([part.square().sum() for part in A.split(8)]),
        "self_diagonal": torch.stack([part.diagonal(dim1=1, dim2=2).square().sum() for part in A.split(8)]),
        "trace": S.diagonal(dim1=1, dim2=2).sum(1),
        "self_trace": torch.stack([part.diagonal(dim1=1, dim2=2).sum(1).square().sum() for part in A.split(8)]),
    }
    for name, value in expected.items():
        torch.testing.assert_close(getattr(found.grams, name), value, rtol=1e-9, atol=1e-9, msg=name)
    paired = measure(model, x, view="bottleneck", route="gram")
    for name in ("energy", "aofe", "aofe_ratio", "trace"):
        assert getattr(found, name).value == pytest.approx(getattr(paired, name).value, rel=1e-9)
        assert getattr(found, name).stderr == pytest.approx(getattr(paired, name).stderr, rel=0.4)


def test_bottleneck_refuses_other_models() -> None:
    x = torch.randn(5, 7, dtype=torch.float64)
    with pytest.raises(InterlawError, match="needs a model with weight"):
        measure(nn.Linear(7, 3).double(), x, view="bottleneck")

    class Other(Bottleneck):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * 2

    with pytest.raises(InterlawError, match="something else"):
        measure(Other(), x, view="bottleneck")
    with pytest.raises(InterlawError, match="shape"):
        measure(Bottleneck(), x[:, :3], view="bottleneck")
    with pytest.raises(InterlawError, match="the bottleneck view has no use for layer"):
        measure(Bottleneck(), x, view="bottleneck", layer="x")


@pytest.mark.parametrize("probes", ["exact", 2])
@pytest.mark.parametrize("positions", ["last", "all"])
@pytest.mark.parametrize("view", ["input", "token", "projected"])
def test_centred_and_scaled_logits(view: str, positions: str, probes: Any) -> None:
    model, ids = build("gpt", 3)
    ids = torch.cat([ids] * 12)[: 3 * FIRST_REFRESH]  # enough for the directions that the projected view takes exactly
    y = model(ids).detach()
    y = y - y.mean(-1, keepdim=True)
    pooled = (y[:, -1] if positions == "last" else y).square().mean().sqrt()  # one constant of the whole sample

    class Standardised(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def get_input_embeddings(self) -> nn.Module:
            return model.tokens

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            y = model(ids)
            return (y - y.mean(-1, keepdim=True)) / pooled

    how: dict[str, Any] = {"view": view, "probes": probes, "positions": positions, "batch_size": 5}
    by_option = measure(model, ids, center=True, scale="rms", **how)
    by_hand = measure(Standardised(), ids, **how)
    plain = measure(model, ids, **how)
    for name in ("energy", "diagonal_energy", "trace", "aofe_ratio", "participation_ratio", "excess"):
        assert astuple(getattr(by_option, name)) == pytest.approx(astuple(getattr(by_hand, name)), rel=1e-6), name
    assert astuple(by_option.plugin) == pytest.approx(astuple(by_hand.plugin), rel=1e-6)
    assert by_option.basis_spread == pytest.approx(by_hand.basis_spread, rel=1e-6)
    assert by_option.energy.value != pytest.approx(plain.energy.value, rel=1e-3)
    assert by_option.settings["center"] is True
    assert by_option.settings["scale"] == "rms"


def test_scale_of_padded_outputs_and_of_the_matrix() -> None:
    class Real(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Embedding(5, 3, dtype=torch.float64)
            self.head = nn.Linear(3, 4, dtype=torch.float64)

        def get_input_embeddings(self) -> nn.Module:
            return self.table

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
            y: torch.Tensor = self.head(self.table(input_ids))
            return y

    torch.manual_seed(0)
    model, ids, mask = Real(), torch.arange(24).reshape(4, 6) % 5, torch.ones(4, 6, dtype=torch.long)
    mask[1, 4:] = mask[2, :3] = 0
    squares = model(ids).detach()[mask.bool()].square().mean()
    W = model.head.weight.detach()
    padded = [{"input_ids": ids[:2], "attention_mask": mask[:2]}, {"input_ids": ids[2:], "attention_mask": mask[2:]}]
    assert torch.allclose(agop(model, padded, scale="rms"), W.T @ W / squares)
    assert measure(model, padded, scale="rms").trace.value == pytest.approx(float(W.square().sum() / squares))


def test_outputs_of_zeros_have_no_scale() -> None:
    with pytest.raises(InterlawError, match="found all zeros; leave scale out"):
        measure(nn.Sequential(nn.Linear(3, 1)), torch.randn(6, 3), center=True, scale="rms")


@pytest.mark.parametrize("scale", [1e-60, 1e60])
def test_outputs_of_any_size_have_one_scale(scale: float) -> None:
    model, x = nn.Sequential(nn.Linear(3, 2, dtype=torch.float64)), torch.randn(12, 3, dtype=torch.float64)
    before = measure(model, x, scale="rms")
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(scale)
    after = measure(model, x, scale="rms")
    assert astuple(after.excess) == pytest.approx(astuple(before.excess))
    assert after.energy.value == pytest.approx(before.energy.value)


def test_layer_positions_and_outputs() -> None:
    model, ids = build("gpt", 4)
    last = agop(model, ids, layer="head", positions="last", outputs=[2, 5])
    W = model.head.weight.detach()[[2, 5]]
    assert torch.allclose(last, W.T @ W / ids.shape[1])
    every = agop(model, ids, layer="head", outputs=[2, 5])
    assert torch.allclose(every, W.T @ W)
    assert measure(model, ids, layer="head").layer == "head"


def test_padding_does_not_count() -> None:
    class FromBatch(TinyAttention):
        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            return super().forward(input_ids)

    torch.manual_seed(0)
    model = FromBatch().double()
    ids = torch.randint(0, 11, (4, 9))
    mask = torch.ones_like(ids)
    mask[:, 6:] = 0
    padded = {"input_ids": ids, "attention_mask": mask}
    cut = {"input_ids": ids[:, :6], "attention_mask": mask[:, :6]}
    for view in ("loss", "projected", "input"):
        positions = "last" if view == "input" else None
        a = measure(model, [padded], view=view, probes="exact", positions=positions)
        b = measure(model, [cut], view=view, probes="exact", positions=positions)
        assert a.energy.value == pytest.approx(b.energy.value)


def test_loss_view_takes_labels() -> None:
    class FromBatch(TinyAttention):
        def forward(self, input_ids: torch.Tensor) -> torch.Tensor:
            return super().forward(input_ids)

    torch.manual_seed(0)
    model = FromBatch().double()
    ids = torch.randint(0, 11, (4, 9))
    plain = measure(model, [{"input_ids": ids}], view="loss")
    same = measure(model, [{"input_ids": ids, "labels": ids}], view="loss")
    ignored = measure(model, [{"input_ids": ids, "labels": ids.masked_fill(ids < 6, -100)}], view="loss")
    assert same.energy.value == pytest.approx(plain.energy.value)
    assert ignored.energy.value < plain.energy.value


def test_leading_directions_reduce_the_noise_of_probes() -> None:
    model, ids = build("gpt", 400)
    plain = measure(model, ids, view="projected", route="gram")
    corrected = measure(model, ids, view="projected")
    assert corrected.energy.stderr < 0.8 * plain.energy.stderr
    assert abs(plain.energy.value - corrected.energy.value) < 3 * plain.energy.stderr


def test_renewing_directions_does_not_depend_on_batches() -> None:
    model, ids = build("gpt", 40)
    whole = measure(model, ids, view="projected", batch_size=40)
    pieces = measure(model, ids, view="projected", batch_size=7)
    assert whole.aofe_ratio.value == pytest.approx(pieces.aofe_ratio.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"view": "nothing"}, "expected a view among"),
        ({"probes": 0}, "positive number"),
        ({"scale": "std"}, "expected scale"),
        ({"positions": "first"}, "expected positions"),
        ({"route": "fast"}, "expected route"),
        ({"outputs": []}, "at least one output"),
        ({"layer": "nowhere"}, "expected the name of a module, found 'nowhere'"),
        ({"view": "patch"}, "needs a convolution"),
        ({"view": "loss"}, "token ids"),
    ],
)
def test_wrong_options(options: dict[str, object], message: str) -> None:
    model, x = build("mlp", 5)
    with pytest.raises(InterlawError, match=message):
        measure(model, x, **options)


def test_grouped_convolutions_are_refused() -> None:
    model = nn.Sequential(nn.Conv2d(4, 4, 3, groups=2))
    with pytest.raises(InterlawError, match="2 groups"):
        measure(model, torch.randn(4, 4, 5, 5), view="convolution")
    assert measure(model, torch.randn(4, 4, 5, 5), view="patch").dim == 36  # of the image, whoever looks at it


def test_inputs_without_patches_are_refused() -> None:
    model = nn.Sequential(nn.Unflatten(1, (1, 4, 4)), nn.Conv2d(1, 2, 3))
    with pytest.raises(InterlawError, match=r"needs inputs \(n, channels, size, size\), found \(.*16\)"):
        measure(model, torch.randn(4, 16), view="patch")
    assert measure(model, torch.randn(4, 16), view="patch", layer="1").dim == 9


def test_directions_are_as_few_as_cover_the_trace() -> None:
    spectrum = torch.tensor([50.0, 34.0, 14.0, 2.0], dtype=torch.float64)
    Q = torch.linalg.qr(torch.randn(4, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)).Q
    W = leading_directions(Q @ spectrum.diag() @ Q.T)
    assert W.shape == (4, 2)
    assert torch.allclose(W @ W.T, Q[:, :2] @ Q[:, :2].T)
    assert leading_directions(torch.eye(64)).shape == (64, 8)
    assert leading_directions(torch.ones(1, 1)).shape == (1, 1)


def test_the_loss_view_demands_logits() -> None:
    class Encoder(TinyAttention):
        def __init__(self, *, hidden: bool) -> None:
            super().__init__()
            self.hidden = hidden

        def forward(self, ids: torch.Tensor) -> object:
            states = super().forward(ids)
            return {"last_hidden_state": states} if self.hidden else states[..., :5]

    ids = torch.arange(12).remainder(11).repeat(4, 1)[:, :9]
    with pytest.raises(InterlawError, match="needs next-token logits, found the hidden states of dict"):
        measure(Encoder(hidden=True), ids, view="loss")
    with pytest.raises(InterlawError, match=r"found shape \(4, 8, 5\) for tokens up to 8"):
        measure(Encoder(hidden=False), ids, view="loss")
