"""What is measured is one function of one sample: what draws, mixes, pads, peeks or rewrites is undone or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers as tr
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw.errors import InterlawError
from interlaw.interaction import measure

X = torch.randn(12, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
IDS = torch.randint(3, 20, (10, 16), generator=torch.Generator().manual_seed(1))
SIZES: dict[str, Any] = {
    **{"vocab_size": 30, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.3},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4)).double()


class After(nn.Module):
    """The function, then what is given."""

    def __init__(self, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.f, self.change = mlp(), change

    def forward(self, x: Tensor) -> Tensor:
        return self.change(self.f(x))


def exact_energy(f: Callable[[Tensor], Tensor]) -> float:
    """Of the mean of J^T J over X, sample by sample."""
    rows = torch.stack([torch.autograd.functional.jacobian(lambda one: f(one[None])[0], x) for x in X])  # type: ignore[no-untyped-call]
    return float((torch.einsum("ncd,nce->de", rows, rows) / len(X)).square().sum())


# ---- outputs that are drawn


class Ageing(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.f, self.age = mlp(), 0

    def forward(self, x: Tensor) -> Any:
        self.age += 1
        return self.f(x) * self.age


@pytest.mark.parametrize(
    "make",
    [
        lambda: nn.Sequential(*mlp(), nn.Dropout(0.5)).train(),
        lambda: After(lambda y: F.dropout(y, 0.3)).eval(),
        lambda: After(lambda y: y + torch.randn_like(y)).eval(),
        Ageing,
    ],
    ids=["dropout in train mode", "dropout without a module", "noise", "a state that is no buffer"],
)
def test_outputs_that_are_drawn_anew_are_refused(make: Callable[[], nn.Module]) -> None:
    with pytest.raises(InterlawError, match=r"expected one output for one input, found another .*; call model\.eval"):
        measure(make(), X)


def test_experts_with_noise_are_refused_in_train_mode_alone() -> None:
    torch.manual_seed(0)
    config = tr.MixtralConfig(**SIZES, num_key_value_heads=1, num_local_experts=4, router_jitter_noise=0.3)
    model = tr.MixtralForCausalLM(config)
    with pytest.raises(InterlawError, match="dropout in train mode, noise"):
        measure(model.train(), IDS, view="loss")
    assert measure(model.eval(), IDS, view="loss").energy.value > 0


# ---- outputs that follow other samples, though no derivative says so


def standardised(y: Tensor) -> Tensor:
    return (y - y.mean(0).detach()) / (1 + y.std(0, correction=0).detach())


def crowded(y: Tensor) -> Tensor:
    """Experts that take two samples each, the first ones."""
    choice = F.one_hot(y[:, :2].argmax(-1), 2)
    return y * (1 + (choice * (choice.cumsum(0) <= 2)).sum(1, keepdim=True))


def ranked(y: Tensor) -> Tensor:
    return y * (1 + y.sum(1).argsort().argsort())[:, None]


@pytest.mark.parametrize("change", [standardised, crowded, ranked])
def test_samples_that_affect_each_other_are_refused_and_measured_alone(change: Callable[[Tensor], Tensor]) -> None:
    model = After(change)
    with pytest.raises(InterlawError, match="samples that do not affect each other, found outputs of one that change"):
        measure(model, X)
    alone = measure(model, X, batch_size=1, probes="exact")
    assert alone.plugin.energy == pytest.approx(exact_energy(model), rel=1e-10)


# ---- what is around the network


@pytest.mark.parametrize("kind", ["register_full_backward_hook", "register_full_backward_pre_hook"])
def test_hooks_on_gradients_do_not_count(kind: str) -> None:
    def halved(module: nn.Module, *gradients: Any) -> Any:
        return (gradients[0][0] / 2,)

    model = mlp()
    getattr(model[1], kind)(halved)
    found = measure(model, X, probes="exact")
    assert found.plugin.energy == pytest.approx(exact_energy(mlp()), rel=1e-10)
    assert len(model[1]._backward_hooks) + len(model[1]._backward_pre_hooks) == 1


def test_inputs_that_the_network_writes_into_stay_as_they_are() -> None:
    class Wraps(nn.Embedding):
        def get_input_embeddings(self) -> nn.Module:
            return self.table

        def __init__(self) -> None:
            super().__init__(20, 8)
            self.table = nn.Embedding(20, 8)

        def forward(self, input_ids: Tensor) -> Any:
            return self.table(input_ids.add_(1).remainder_(20)).tanh().mean(1)

    torch.manual_seed(0)
    model, ids = Wraps(), IDS.clone()
    first = measure(model, [{"input_ids": ids}])
    assert torch.equal(ids, IDS)
    assert measure(model, [{"input_ids": ids}], batch_size=3).energy.value == pytest.approx(
        first.energy.value, rel=1e-5
    )


def test_the_precision_is_that_of_the_weights_within_autocast() -> None:
    model, x = mlp().float(), X.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = measure(model, x, probes="exact")
    assert found.plugin.energy == pytest.approx(exact_energy(mlp()), rel=1e-5)


def test_hidden_states_without_a_name_are_no_logits() -> None:
    torch.manual_seed(0)
    model = tr.LlamaModel(tr.LlamaConfig(**{**SIZES, "hidden_size": 32}))
    model.config.return_dict = False
    with pytest.raises(InterlawError, match="the loss view needs next-token logits, found the hidden states"):
        measure(model, IDS, view="loss")
    assert model.config.return_dict is False


# ---- a loss of something else


class Decoder(nn.Module):
    """One layer of attention; `mask` says from the length which tokens each sees."""

    def __init__(self, mask: Callable[[int], Tensor], after: Callable[[Tensor], Tensor] = lambda y: y) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.mask, self.after = mask, after
        self.table, self.head = nn.Embedding(20, 12), nn.Linear(12, 20)
        self.query, self.key = nn.Linear(12, 12), nn.Linear(12, 12)
        self.double()

    def get_input_embeddings(self) -> nn.Module:
        return self.table

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        x = self.table(input_ids)
        scores = (self.query(x) @ self.key(x).mT).masked_fill(~self.mask(x.shape[1]), -torch.inf)
        return self.after(self.head(x + scores.softmax(-1) @ x))


def causal(time: int) -> Tensor:
    return torch.ones(time, time, dtype=torch.bool).tril()


def prefix(time: int) -> Tensor:
    seen = causal(time)
    seen[:5, :5] = True
    return seen


def island(time: int) -> Tensor:
    """Tokens in the middle that see each other, as those of a picture do."""
    seen = causal(time)
    seen[5:10, 5:10] = True
    return seen


def late(time: int) -> Tensor:
    seen = causal(time)
    seen[time - 3, time - 1] = True
    return seen


def blocks(time: int) -> Tensor:
    block = torch.arange(time) // 4
    return block[:, None] >= block


@pytest.mark.parametrize("mask", [prefix, island, late, blocks])
def test_a_loss_that_sees_some_of_its_targets_is_refused(mask: Callable[[int], Tensor]) -> None:
    with pytest.raises(InterlawError, match="depend on later ones, so it sees its targets"):
        measure(Decoder(mask), IDS, view="loss")
    assert measure(Decoder(causal), IDS, view="loss").energy.value > 0


def test_a_prefix_without_targets_may_see_itself() -> None:
    labels = IDS.clone()
    labels[:, :5] = -100
    assert measure(Decoder(prefix), [{"input_ids": IDS, "labels": labels}], view="loss").energy.value > 0


def test_probabilities_are_no_logits_and_their_logarithms_are() -> None:
    with pytest.raises(InterlawError, match="the loss view needs next-token logits, found probabilities"):
        measure(Decoder(causal, lambda y: y.softmax(-1)), IDS, view="loss")
    found = measure(Decoder(causal, lambda y: y.log_softmax(-1)), IDS, view="loss")
    assert found.energy.value == pytest.approx(measure(Decoder(causal), IDS, view="loss").energy.value, rel=1e-10)


@pytest.mark.parametrize("labels", [IDS[:, 0], IDS[:, :9], IDS / 3], ids=["classes", "too few", "numbers"])
def test_labels_that_are_no_tokens_are_refused(labels: Tensor) -> None:
    with pytest.raises(InterlawError, match="the loss view needs a label a token, -100 where there is none, found"):
        measure(Decoder(causal), [{"input_ids": IDS, "labels": labels}], view="loss")


def test_one_token_alone_predicts_none_by_name_too() -> None:
    for inputs in (IDS[:, :1], [{"input_ids": IDS[:, :1]}]):
        with pytest.raises(InterlawError, match=r"token ids \(batch, time\) with time at least 2"):
            measure(Decoder(causal), inputs, view="loss")


# ---- padding that is read


def batch_of(*parts: tuple[Tensor, int]) -> dict[str, Tensor]:
    """Ids side by side, each part real (1) or padding (0)."""
    masks = [torch.full_like(ids, real) for ids, real in parts]
    return {"input_ids": torch.cat([ids for ids, _ in parts], 1), "attention_mask": torch.cat(masks, 1)}


PAD = torch.zeros(10, 3, dtype=torch.long)


def gpt2() -> Any:
    sizes = {"vocab_size": 30, "n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64, "initializer_range": 0.3}
    return tr.GPT2LMHeadModel(tr.GPT2Config(**sizes, bos_token_id=1, eos_token_id=2))


@pytest.mark.parametrize(
    ("make", "order", "view"),
    [
        (lambda: tr.FNetForMaskedLM(tr.FNetConfig(**{k: v for k, v in SIZES.items() if k != "num_attention_heads"})),
         "right", "input"),
        (lambda: tr.ConvBertForMaskedLM(tr.ConvBertConfig(**SIZES, embedding_size=16)), "right", "projected"),
        (gpt2, "left", "loss"),
    ],
    ids=["fourier", "convolution", "positions"],
)  # fmt: skip
def test_networks_that_read_padding_are_refused(make: Callable[[], Any], order: str, view: str) -> None:
    torch.manual_seed(0)
    model = make().double().eval()
    parts = [(IDS, 1), (PAD, 0)]
    batch = batch_of(*parts if order == "right" else parts[::-1])
    whole = {name: torch.cat([value, value[:, :0]], 1) for name, value in batch_of((IDS, 1)).items()}
    with pytest.raises(InterlawError, match=r"outputs that do not depend on padding, found that those of \w+ do; pad"):
        measure(model, [batch], view=view)
    with pytest.raises(InterlawError, match="outputs that do not depend on padding"):
        measure(model, [whole, batch], view=view)  # where it first occurs


@pytest.mark.parametrize("where", ["left with positions", "right"])
def test_positions_may_be_given_with_padding(where: str) -> None:
    torch.manual_seed(0)
    model = gpt2().double().eval()
    batch = batch_of((IDS, 1), (PAD, 0)) if where == "right" else batch_of((PAD, 0), (IDS, 1))
    batch["position_ids"] = (batch["attention_mask"].cumsum(1) - 1).clamp(min=0)
    found, plain = (measure(model, [each], view="loss") for each in (batch, batch_of((IDS, 1))))
    assert found.energy.value == pytest.approx(plain.energy.value, rel=1e-8)
