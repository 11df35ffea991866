import json

import numpy as np
import pytest
import torch
from tests.cases import CASES, TinyAttention, build
from torch import nn
from torch.nn import functional as F

from interlaw.interaction import Interaction, agop, energies, measure

KEYS = {"view", "layer", "dim", "num_clusters", "num_probes", "seed", "null_ratio", "excess_ratio", "plugin"}
ESTIMATES = {
    "energy",
    "diagonal_energy",
    "aofe",
    "aofe_ratio",
    "aofe_scale_free",
    "trace",
    "participation_ratio",
    "mean_cos2",
}


@pytest.mark.parametrize("name", CASES)
def test_input_view_equals_the_full_jacobian(name: str) -> None:
    model, inputs = build(name, 6)
    batches = inputs if isinstance(inputs, torch.Tensor) else [inputs]
    found = measure(model, batches, probes="exact")
    G = agop(model, batches)
    assert torch.allclose(G, jacobian_agop(model, inputs, tokens=CASES[name].tokens), atol=1e-12)
    assert found.plugin.energy == pytest.approx(energies(G).energy)
    assert found.dim == len(G)


def jacobian_agop(model: nn.Module, inputs: torch.Tensor | dict[str, torch.Tensor], *, tokens: bool) -> torch.Tensor:
    """E[J^T J] from the full Jacobian, one sample at a time."""
    if isinstance(inputs, dict):
        inputs = next(iter(inputs.values()))
    total = 0
    for x in inputs:

        def f(h: torch.Tensor, x: torch.Tensor = x) -> torch.Tensor:
            if not tokens:
                out = model(h[None])
            else:
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(model.tokens, "forward", lambda ids: h[None])
                    out = model(x[None])
            out = out["logits"] if isinstance(out, dict) else out
            return (out[0] if isinstance(out, tuple) else out).flatten()

        h = model.tokens(x) if tokens else x
        J = torch.autograd.functional.jacobian(f, h.detach())
        J = J.flatten(1)[:, None] if h.dim() in (1, 3) else J
        total = total + torch.einsum("ctd,cte->de", J, J) / J.shape[1]
    return total / len(inputs)


def test_linear_network_gives_w_transposed_w() -> None:
    model = nn.Linear(5, 4, bias=False).double()
    W = model.weight.detach()
    x = torch.randn(7, 5, dtype=torch.float64)
    assert torch.allclose(agop(model, x), W.T @ W)
    found, expected = measure(model, x), energies(W.T @ W)
    for name in ESTIMATES:
        assert getattr(found, name).value == pytest.approx(expected[name])
        assert found.plugin[name] == pytest.approx(expected[name])
    assert found.null_ratio == pytest.approx(expected.null_ratio)
    assert found.excess_ratio == pytest.approx(expected.excess_ratio)


def test_probes_agree_with_exact_outputs() -> None:
    model, x = build("mlp", 1000)
    exact, probed = measure(model, x), measure(model, x, probes=1, seed=3)
    assert exact.num_probes == 0
    assert probed.num_probes == 1
    for name in ("energy", "aofe_ratio", "participation_ratio"):
        one, other = getattr(exact, name), getattr(probed, name)
        assert abs(one.value - other.value) < 3 * np.hypot(one.stderr, other.stderr)
        assert other.stderr < 0.2 * abs(other.value)


def test_loss_view_equals_one_gradient_per_token() -> None:
    model, ids = build("gpt", 5)
    A = []
    for row in ids:
        h = model.tokens(row[:-1]).detach().requires_grad_(True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(model.tokens, "forward", lambda _ids, h=h: h[None])
            loss = F.cross_entropy(model(row[None, :-1])[0], row[1:], reduction="sum")
        (g,) = torch.autograd.grad(loss, h)
        A.append((g.T @ g / len(g)).numpy())
    found = measure(model, ids, view="loss")
    assert np.allclose(agop(model, ids, view="loss"), np.mean(A, 0))
    pairs = [(a * b).sum() for i, a in enumerate(A) for j, b in enumerate(A) if i != j]
    assert found.energy.value == pytest.approx(np.mean(pairs))
    assert found.dim == 8
    assert found.layer == "embeddings"
    assert found.num_clusters == 5


def test_projected_view_exact_equals_the_jacobian_by_definition() -> None:
    model, ids = build("gpt", 4)
    P = torch.randn(64, 11, generator=torch.Generator().manual_seed(42)) / 8
    G = 0
    for row in ids:

        def f(h: torch.Tensor, row: torch.Tensor = row) -> torch.Tensor:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(model.tokens, "forward", lambda _ids: h[None])
                return P.double() @ model(row[None])[0, -1]

        J = torch.autograd.functional.jacobian(f, model.tokens(row).detach()).flatten(1).detach()
        G = G + J @ J.T / len(ids)
    assert torch.allclose(agop(model, ids, view="projected"), G)


def test_projected_view_by_probes_is_unbiased() -> None:
    model, ids = build("gpt", 250)
    exact = measure(model, ids, view="projected", probes="exact")
    probed = measure(model, ids, view="projected", seed=5)
    assert probed.dim == 64
    assert probed.num_probes == 1
    for name in ("energy", "aofe_ratio", "trace"):
        one, other = getattr(exact, name), getattr(probed, name)
        assert abs(one.value - other.value) < 3 * np.hypot(one.stderr, other.stderr)


@pytest.mark.parametrize("view", ["input", "loss", "projected"])
def test_batching_and_device_of_randomness_do_not_matter(view: str) -> None:
    model, ids = build("gpt", 10)
    probes = None if view == "loss" else 2
    whole = measure(model, ids, view=view, probes=probes, seed=1)
    ragged = measure(model, [ids[:3], ids[3:4], ids[4:]], view=view, probes=probes, seed=1)
    other = measure(model, ids, view=view, probes=probes, seed=2)
    assert ragged.aofe_ratio.value == pytest.approx(whole.aofe_ratio.value)
    if view != "loss":
        assert other.aofe_ratio.value != pytest.approx(whole.aofe_ratio.value, rel=1e-4)


def test_the_record_keeps_its_names_through_json() -> None:
    model, x = build("mlp", 12)
    found = measure(model, x, probes=2, seed=4)
    written = json.loads(json.dumps(found.to_dict()))
    assert set(written) >= KEYS | ESTIMATES
    for name in ESTIMATES:
        assert set(written[name]) == {"value", "stderr", "low", "high"}
    assert isinstance(written["null_ratio"], float)
    assert isinstance(written["plugin"]["aofe_ratio"], float)
    assert Interaction.from_dict(written).to_dict() == found.to_dict()
    assert (found.view, found.layer, found.num_clusters, found.num_probes, found.seed) == ("input", "input", 12, 2, 4)


def test_the_model_is_left_as_it_was() -> None:
    model = TinyAttention().train()
    model.head.weight.requires_grad_(False)
    before = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    measure(model, torch.randint(0, 11, (6, 9)), view="projected")
    assert {name: parameter.requires_grad for name, parameter in model.named_parameters()} == before
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.backends.mha.get_fastpath_enabled()
    assert torch.backends.cuda.flash_sdp_enabled()
