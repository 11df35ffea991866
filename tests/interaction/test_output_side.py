"""The `output` view: J J^T over the outputs as they are."""

import numpy as np
import pytest
import torch
from tests.cases import build
from torch import nn

from interlaw.interaction import agop, energies, measure
from interlaw.interaction.output_side import WIDEST_MATRICES


def test_linear_network_gives_w_w_transposed() -> None:
    model = nn.Linear(5, 4).double()
    W = model.weight.detach()
    x = torch.randn(7, 5, dtype=torch.float64)
    assert torch.allclose(agop(model, x, view="output"), W @ W.T)
    found, expected = measure(model, x, view="output", probes="exact"), energies(W @ W.T)
    for name in ("energy", "aofe", "aofe_ratio", "trace", "participation_ratio"):
        assert getattr(found, name).value == pytest.approx(expected[name])
        assert getattr(found, name).stderr == pytest.approx(0, abs=1e-9)
    # the outputs have a basis of their own: chance is a random one, not a projection
    assert found.null_ratio == pytest.approx(expected.null_ratio)
    assert (found.view, found.layer, found.dim, found.settings["null"]) == ("output", "input", 4, "haar")


@pytest.mark.parametrize("name", ["gru", "mlp", "gpt"])
def test_equals_the_jacobian_of_the_last_step(name: str) -> None:
    model, inputs = build(name, 4)
    G = 0
    for sample in inputs:

        def f(h: torch.Tensor, sample: torch.Tensor = sample) -> torch.Tensor:
            if name != "gpt":
                return model(h[None])[0]
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(model.tokens, "forward", lambda _ids: h[None])
                return model(sample[None])[0, -1]

        h = model.tokens(sample).detach() if name == "gpt" else sample
        J = torch.autograd.functional.jacobian(f, h).flatten(1).detach()
        G = G + J @ J.T / len(inputs)
    assert torch.allclose(agop(model, inputs, view="output"), G)


@pytest.mark.parametrize("route", [None, "gram", "dense"])
def test_probes_are_unbiased(route: str | None) -> None:
    model, x = build("gru", 300)
    exact = measure(model, x, view="output", probes="exact")
    probed = measure(model, x, view="output", seed=5, route=route)
    assert (probed.dim, probed.num_probes) == (3, 1)
    for name in ("energy", "aofe_ratio", "trace"):
        one, other = getattr(exact, name), getattr(probed, name)
        assert abs(one.value - other.value) < 3 * np.hypot(one.stderr, other.stderr)


def test_projection_of_the_outputs_is_the_projected_view() -> None:
    model, ids = build("gpt", 4)
    P = torch.randn(64, 11, generator=torch.Generator().manual_seed(42)).double() / 8
    G = agop(model, ids, view="output")
    assert torch.allclose(P @ G @ P.T, agop(model, ids, view="projected"))


class Heeding(nn.Module):
    """A network over token ids that can be asked for its last logits alone, and notes when it is."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network, self.asked = network, set()

    def get_input_embeddings(self) -> nn.Module:
        return self.network.get_input_embeddings()

    def forward(
        self, ids: torch.Tensor, attention_mask: torch.Tensor | None = None, logits_to_keep: int = 0
    ) -> torch.Tensor:
        if len(ids) > 1:  # a lone sequence ends with itself
            self.asked.add(logits_to_keep)
        return self.network(ids)[:, -logits_to_keep:]


@pytest.mark.parametrize("view", ["output", "projected", "token"])
def test_only_the_logits_that_are_read_are_asked_for(view: str) -> None:
    network, ids = build("gpt", 6)
    heeding = Heeding(network)
    found, expected = (measure(model, ids, view=view, seed=1) for model in (heeding, network))
    assert found.aofe.value == pytest.approx(expected.aofe.value, rel=1e-9)
    assert heeding.asked == {1}


def test_every_logit_is_asked_for_where_sequences_end_apart() -> None:
    network, ids = build("gpt", 6)
    heeding, mask = Heeding(network), torch.ones_like(ids)
    mask[0, -2:] = 0
    measure(heeding, [{"ids": ids, "attention_mask": mask}], view="output")
    measure(heeding, ids, view="output", positions="all")
    assert heeding.asked == {0}


def test_many_outputs_are_never_a_matrix_each() -> None:
    torch.manual_seed(0)
    model = nn.Linear(5, WIDEST_MATRICES + 1)
    found = measure(model, torch.randn(40, 5), view="output")
    W = model.weight.detach()
    assert found.dim == WIDEST_MATRICES + 1
    assert found.grams is not None
    assert len(found.grams.counts) == 40
    assert abs(found.energy.value - energies(W @ W.T).energy) < 3 * found.energy.stderr
