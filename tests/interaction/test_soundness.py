"""A measurement is of the network that was given: what would make it one of something else is undone or refused."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers as tr
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from interlaw.errors import InterlawError
from interlaw.interaction import measure, measure_layers

X = torch.randn(12, 8, generator=torch.Generator().manual_seed(0))
SIZES: dict[str, Any] = {
    **{"vocab_size": 30, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2},
    **{"num_attention_heads": 2, "max_position_embeddings": 32, "initializer_range": 0.3},
    **{"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2},
}
ONE_LAYER = SIZES | {"num_hidden_layers": 1}


def mlp() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 4))


# ---- pairs of positions masked on one side only


@pytest.mark.parametrize(
    "make",
    [
        lambda: tr.LlamaForCausalLM(tr.LlamaConfig(**ONE_LAYER)),
        lambda: tr.GPTNeoXForCausalLM(tr.GPTNeoXConfig(**ONE_LAYER)),
    ],
)
@pytest.mark.parametrize("view", ["loss", "input", "projected"])
def test_padding_on_either_side_changes_nothing(make: Callable[[], Any], view: str) -> None:
    """Rotary positions are relative, so the padded sequences have the logits of the plain ones."""
    torch.manual_seed(0)
    model = make().double().eval()
    ids, pad = torch.randint(3, 30, (6, 7)), torch.zeros(6, 3, dtype=torch.long)
    one, none = torch.ones_like(ids), torch.zeros_like(pad)
    options: dict[str, Any] = (
        {"view": view} if view == "loss" else {"view": view, "positions": "last", "probes": "exact"}
    )
    plain = measure(model, [{"input_ids": ids, "attention_mask": one}], **options)
    for order in ((pad, ids), (ids, pad)):
        masks = [none if part is pad else one for part in order]
        batch = {"input_ids": torch.cat(order, 1), "attention_mask": torch.cat(masks, 1)}
        found = measure(model, [batch], **options)
        assert found.energy.value == pytest.approx(plain.energy.value, rel=1e-6)
        assert found.aofe_ratio.value == pytest.approx(plain.aofe_ratio.value, rel=1e-6)


# ---- checkpoints, compiled code, caches


class Saving(nn.Module):
    """The same function under a checkpoint of either kind, a generator of checkpoints, or none."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.f = kind, mlp()

    def forward(self, x: Tensor) -> Any:
        if self.kind == "none":
            return self.f(x)
        if self.kind == "nested":
            return checkpoint(
                lambda y: checkpoint(self.f[2], self.f[1](self.f[0](y)), use_reentrant=False), x, use_reentrant=False
            )
        if self.kind == "keywords":
            return checkpoint(lambda *, y: self.f(y), y=x, use_reentrant=False)
        return checkpoint(self.f, x, use_reentrant=self.kind == "reentrant")


def test_torchs_compiler_is_loaded_for_compiled_networks_alone() -> None:
    """It takes as long to import as torch itself."""
    code = (
        "import sys, torch; from interlaw.interaction import measure\n"
        "measure(torch.nn.Linear(3, 1), torch.randn(8, 3)); print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("kind", ["plain", "reentrant", "nested", "keywords"])
def test_checkpointed_layers_are_measured_as_plain_ones(kind: str) -> None:
    for layer in (None, "f.2"):
        expected = measure(Saving("none"), X, layer=layer)
        assert measure(Saving(kind), X, layer=layer).energy.value == pytest.approx(expected.energy.value, rel=1e-5)
    names = [row.name for row in measure_layers(Saving(kind), X)]
    assert names == ["f.0", "f.2"]
    x = X.requires_grad_(False).clone().requires_grad_(True)  # afterwards the checkpoint is a checkpoint again
    Saving(kind)(x).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("how", ["block", "whole", "in place"])
def test_compiled_blocks_keep_their_layers(how: str) -> None:
    model: nn.Module = Saving("none")
    if how == "block":
        model.f = torch.compile(model.f, backend="eager")  # type: ignore[assignment]
    elif how == "whole":
        model = torch.compile(model, backend="eager")  # type: ignore[assignment]
    else:
        model.f.compile(backend="eager")  # type: ignore[union-attr,operator]
    model(X)  # compiled before it is measured
    rows = measure_layers(model, X)
    expected = measure_layers(Saving("none"), X)
    assert [row.name.replace("_orig_mod.", "") for row in rows] == ["f.0", "f.2"]
    values = [[row.interaction.energy.value for row in found] for found in (rows, expected)]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        lambda: tr.RwkvConfig(
            vocab_size=30,
            hidden_size=16,
            attention_hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            context_length=32,
        ),
        lambda: tr.MambaConfig(vocab_size=30, hidden_size=16, state_size=4, num_hidden_layers=2),
        lambda: tr.LlamaConfig(**SIZES),
    ],
)
def test_caches_are_off_while_measuring_and_on_afterwards(config: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    model = tr.AutoModelForCausalLM.from_config(config()).eval()
    assert model.config.use_cache
    ids = torch.randint(3, 30, (5, 6))
    assert measure(model, [{"input_ids": ids}], view="loss").energy.value > 0
    assert model.config.use_cache


# ---- operators without a derivative


class Residual(nn.Module):
    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, x: Tensor) -> Any:
        return x + self.branch(x)


class Rounded(nn.Linear):
    """A weight-only quantiser of one's own."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x.detach(), self.weight).mul(64).round().div(64)


class Frozen(nn.Linear):
    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


class Chosen(nn.Module):
    """A hard choice beside a path: it is constant nearly everywhere, so its derivative is truly zero."""

    def forward(self, x: Tensor) -> Tensor:
        return F.one_hot(x.argmax(-1), x.shape[-1]).to(x.dtype)


class Ranked(nn.Module):
    """Takes the four strongest of eight by scores under no_grad, as sparse attention chooses its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.scores = Frozen(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x).scatter(-1, self.scores(x).topk(4).indices, 1.0) * x


class Turns(nn.Module):
    """Takes x for its type alone, as rotary embeddings do."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.arange(x.shape[-1], dtype=x.dtype).cos()[None]


def quantised() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made: nn.Module = torch.ao.quantization.quantize_dynamic(  # type: ignore[no-untyped-call]
            nn.Sequential(nn.Linear(8, 8)), {nn.Linear}, dtype=torch.qint8
        )
        return made


@pytest.mark.parametrize(
    "make", [lambda: Rounded(8, 8), lambda: Frozen(8, 8), quantised], ids=["rounded", "no_grad", "quantised"]
)
def test_operators_without_a_derivative_are_refused_by_name(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    branch = make()
    for model in (Residual(branch), nn.Sequential(nn.Linear(8, 8), Residual(branch), nn.Linear(8, 2))):
        with pytest.raises(InterlawError, match=r"expected layers that have a derivative, found none in .*branch"):
            measure(model, X)
    # without a way around it, the layer before it would otherwise be left out as one that feeds nothing
    for model in (nn.Sequential(nn.Linear(8, 8), each, nn.Linear(8, 2)) for each in (Residual(branch), branch)):
        with pytest.raises(InterlawError, match="expected layers that have a derivative, found none in "):
            measure_layers(model, X)


@pytest.mark.parametrize(
    "branch", [Chosen(), Ranked(), Turns(), nn.ReLU(), nn.Linear(8, 8), nn.Dropout(0.5), nn.Identity()], ids=repr
)
def test_constants_and_decisions_are_no_missing_derivatives(branch: nn.Module) -> None:
    if isinstance(branch, nn.Linear):
        nn.init.zeros_(branch.weight)
    assert measure(Residual(branch).eval(), X).energy.value > 0


# ---- a predictor that sees its targets


@pytest.mark.parametrize(
    "make",
    [
        lambda: tr.BertLMHeadModel(tr.BertConfig(**SIZES)),
        lambda: tr.RobertaForCausalLM(tr.RobertaConfig(**SIZES)),
        lambda: tr.BertForMaskedLM(tr.BertConfig(**SIZES)),
        lambda: tr.ElectraForCausalLM(tr.ElectraConfig(**SIZES, embedding_size=16)),
    ],
)
def test_a_loss_that_sees_its_targets_is_refused(make: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    ids = torch.randint(3, 30, (5, 6))
    with pytest.raises(InterlawError, match="depend on later ones, so it sees its targets; set is_decoder=True"):
        measure(make().eval(), ids, view="loss")


def test_a_decoder_of_the_same_kind_is_measured() -> None:
    torch.manual_seed(0)
    model = tr.BertLMHeadModel(tr.BertConfig(**SIZES, is_decoder=True)).eval()
    assert measure(model, torch.randint(3, 30, (5, 6)), view="loss").energy.value > 0


# ---- weights that are not there; networks that change


@pytest.mark.parametrize("function", [measure, measure_layers])
@pytest.mark.parametrize("which", ["all", "one", "buffer"])
def test_weights_without_numbers_are_refused(function: Callable[..., Any], which: str) -> None:
    model = mlp()
    if which == "all":
        model = model.to("meta")
    elif which == "one":
        model[2].to("meta")
    else:
        model.register_buffer("scale", torch.ones(3, device="meta"))
    with pytest.raises(InterlawError, match=r"expected weights in memory, found \d without numbers .* such as"):
        function(model, X)


def state(model: nn.Module) -> list[Any]:
    tensors = [*model.named_parameters(), *model.named_buffers()]
    numbers = [(name, t.detach().clone(), t.requires_grad, t.dtype) for name, t in tensors]
    return [
        numbers,
        [(name, m.training, len(m._forward_hooks), len(m._forward_pre_hooks)) for name, m in model.named_modules()],
    ]


def same(one: list[Any], two: list[Any]) -> bool:
    pairs = zip(one[0], two[0], strict=True)
    return one[1] == two[1] and all(a[0] == b[0] and torch.equal(a[1], b[1]) and a[2:] == b[2:] for a, b in pairs)


@pytest.mark.parametrize(
    "make",
    [
        lambda: mlp().train(),
        lambda: nn.Sequential(nn.Linear(8, 6), nn.BatchNorm1d(6), nn.Dropout(), nn.Linear(6, 2)).eval(),
        lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 6)), nn.Linear(6, 2)).eval(),
        lambda: nn.Sequential(*mlp()).bfloat16(),
    ],
)
def test_a_network_is_the_same_afterwards(make: Callable[[], nn.Module]) -> None:
    torch.manual_seed(0)
    model = make()
    for parameter in list(model.parameters())[:1]:
        parameter.requires_grad_(False)
    before = state(model)
    for function in (measure, measure_layers):
        function(model, X, dtype=torch.float32)
        assert same(before, state(model))
    with pytest.raises(InterlawError):
        measure(model, X, layer="nowhere")
    assert same(before, state(model))


class Counting(nn.Module):
    def __init__(self, what: str) -> None:
        super().__init__()
        self.linear, self.what = nn.Linear(8, 2), what
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x: Tensor) -> Any:
        if self.what == "buffer":
            self.seen.add_(1)  # type: ignore[operator]
        elif self.what == "weights":
            with torch.no_grad():
                self.linear.weight.mul_(0.99999)  # too little to be seen in the outputs
        else:
            self.linear.eval()
        return self.linear(x)


@pytest.mark.parametrize(
    ("what", "named"), [("buffer", "seen"), ("weights", r"linear\.weight"), ("mode", "the mode of a Linear")]
)
def test_a_network_that_changes_as_it_runs_is_refused(what: str, named: str) -> None:
    model = Counting(what)
    with pytest.raises(InterlawError, match=f"a forward pass leaves as it is, found that it changes {named}"):
        measure(model, X)
    assert model.seen == 0
    assert model.linear.training


def test_spectral_normalisation_in_train_mode_is_refused_and_put_back() -> None:
    model = nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Linear(8, 6)))
    before = state(model)
    with pytest.raises(InterlawError, match=r"found that it changes 0\.parametrizations\.weight"):
        measure(model, X)
    assert same(before, state(model))


# ---- experts


@pytest.mark.parametrize(
    "make",
    [
        lambda: tr.MixtralForCausalLM(tr.MixtralConfig(**SIZES, num_key_value_heads=1, num_local_experts=4)),
        lambda: tr.Qwen2MoeForCausalLM(
            tr.Qwen2MoeConfig(
                **SIZES,
                num_key_value_heads=1,
                num_experts=4,
                moe_intermediate_size=8,
                shared_expert_intermediate_size=8,
            )
        ),
        lambda: tr.OlmoeForCausalLM(
            tr.OlmoeConfig(**SIZES, num_key_value_heads=1, num_experts=4, num_experts_per_tok=2)
        ),
    ],
)
def test_every_matrix_has_a_row_or_a_reason(make: Callable[[], Any]) -> None:
    torch.manual_seed(0)
    model = make().eval()
    found = measure_layers(model, torch.randint(3, 30, (6, 5)), view="loss")
    named = {*(row.name for row in found), *found.left_out}
    unnamed = [name for name, p in model.named_parameters() if p.dim() > 1 and name.rpartition(".")[0] not in named]
    unnamed = [name for name in unnamed if name.rsplit(".", 1)[0] + "." not in "".join(f"{n}." for n in named)]
    tied = [name for name in unnamed if "lm_head" in name]
    assert unnamed == tied
    assert any("expert" in name and "which is no linear" in reason for name, reason in found.left_out.items())


@pytest.mark.parametrize(
    "raises", [TypeError("x"), ValueError("bad\nthing"), AssertionError(), KeyError("k")], ids=repr
)
def test_what_a_network_raises_is_said_of_the_network(raises: Exception) -> None:
    class Broken(nn.Linear):
        def forward(self, x: Tensor) -> Tensor:
            raise raises

    with pytest.raises(InterlawError, match=f"that Broken takes, found that it ends with {type(raises).__name__}: "):
        measure(Broken(8, 2), X)
    assert np.isfinite(X.numpy()).all()
