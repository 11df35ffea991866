"""Energies of transformers' own architectures equal those of Jacobians taken output by output in float64."""

from __future__ import annotations

import warnings
from contextlib import suppress
from typing import Any

import pytest
import torch
from tests.architectures import VOCABULARY, make_tiny
from torch import Tensor, nn
from torch.nn import functional as F

from interlaw import measure
from interlaw.errors import InterlawError
from interlaw.models import build_model, hf_family

transformers = pytest.importorskip("transformers")

SAMPLES, TOKENS = 3, 5
# Many architectures compute norms and rotations in float32 whatever their weights are; the others agree to 1e-14.
TOLERANCE = 1e-6

# fmt: off
CAUSAL = ["afmoe", "apertus", "arcee", "aria_text", "axk1", "axk2", "bart", "beam", "bigbird_pegasus", "biogpt",
    "bitnet", "blenderbot", "blenderbot-small", "bloom", "cohere", "cohere2", "cohere2_moe", "cwm", "deepseek_v2",
    "deepseek_v3", "deepseek_v32", "diffllama", "doge", "ernie4_5", "exaone4", "falcon", "falcon_mamba", "gemma",
    "gemma2", "gemma3_text", "glm", "glm4", "gpt2", "gpt_neo", "gpt_neox", "gptj", "granite", "granitemoe",
    "helium", "jetmoe", "llama", "mamba", "mistral", "mixtral", "mpt", "nemotron", "olmo", "olmo2", "olmoe", "opt",
    "persimmon", "phi", "phi3", "phimoe", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "recurrent_gemma", "rwkv",
    "gpt_oss", "gpt_bigcode", "openai-gpt", "minimax", "jamba",
    "seed_oss", "smollm3", "stablelm", "starcoder2"]
MASKED = ["albert", "bert", "big_bird", "camembert", "convbert", "data2vec-text", "deberta", "deberta-v2",
    "distilbert", "electra", "ernie", "esm", "esmc", "eurobert", "flaubert", "fnet", "gte", "jina_embeddings_v3",
    "layoutlm", "megatron-bert", "modernbert", "mpnet", "nomic_bert", "nystromformer", "rembert", "roberta",
    "roberta-prelayernorm", "roc_bert", "roformer", "squeezebert", "tapas", "ultrabert", "xlm", "xlm-roberta",
    "xlm-roberta-xl", "yoso"]
# fmt: on
ENCODERS = [("T5EncoderModel", "t5"), ("MT5EncoderModel", "mt5"), ("UMT5EncoderModel", "umt5")]
HALVES = ["t5", "mt5", "umt5", "switch_transformers", "bart", "mbart", "pegasus"]
LOOK_AHEAD = ["bert", "bert-generation", "big_bird", "camembert", "cpmant", "data2vec-text", "xlnet"]


def outputs_of(found: Any) -> Tensor:
    """The logits of a network, or its hidden states."""
    logits = getattr(found, "logits", None)
    return found.last_hidden_state if logits is None else logits


def table_of(network: Any) -> nn.Module:
    """The embedding module that runs; an encoder-only half has a table of its own, with the weights of the shared."""
    part = network.encoder if type(network).__name__.endswith("EncoderModel") else network
    table: nn.Module = part.get_input_embeddings()
    return table


def run_from(network: Any, ids: Tensor, embedded: Any) -> Tensor:
    """What the network makes of one sequence whose embeddings are replaced by `embedded`, a function of them."""
    handle = table_of(network).register_forward_hook(lambda module, args, output: embedded(output))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return outputs_of(network(ids[None]))[0]
    finally:
        handle.remove()


def one_matrix(network: Any, ids: Tensor, view: str) -> Tensor:
    """A of one sequence: sums over outputs, the mean over positions; nothing of interlaw is used but the fixed P."""
    at: list[Tensor] = []

    def leaf(output: Tensor) -> Tensor:
        at.append(output.detach().clone().requires_grad_())
        return at[0]

    def through_one_hot(output: Tensor) -> Tensor:
        at.append(F.one_hot(ids, VOCABULARY).double().requires_grad_())
        return (at[0] @ table)[None]

    table = torch.zeros(0)
    if view == "token":
        table = table_of(network)(torch.arange(VOCABULARY)).detach()
    read = ids[:-1] if view == "loss" else ids
    y = run_from(network, read, through_one_hot if view == "token" else leaf)
    match view:
        case "loss":
            y = F.cross_entropy(y, ids[1:], reduction="sum")[None]
        case "input":
            y = y.flatten()
        case "token":
            y = y[-1]
        case "projected":
            draw = torch.randn(64, y.shape[-1], generator=torch.Generator().manual_seed(42)) / 8
            y = draw.double() @ y[-1].double()
    rows = torch.stack([torch.autograd.grad(one, at[0], retain_graph=True)[0] for one in y])
    match view:
        case "token":
            return rows.flatten(1).T @ rows.flatten(1)
        case "projected":
            return rows.flatten(1) @ rows.flatten(1).T
    return torch.einsum("cntd,cnte->de", rows, rows) / len(read)


def expected(matrices: Tensor) -> dict[str, float]:
    """Trace and energies of their mean: plugged in, and without bias."""
    count, diagonals = len(matrices), matrices.diagonal(dim1=1, dim2=2)

    def unbiased(values: Tensor) -> float:
        flat = values.flatten(1)
        return float((flat.sum(0).square().sum() - flat.square().sum()) / (count * (count - 1)))

    return {
        "plugin energy": float(matrices.mean(0).square().sum()),
        "plugin diagonal": float(diagonals.mean(0).square().sum()),
        "energy": unbiased(matrices),
        "diagonal": unbiased(diagonals),
        "trace": float(diagonals.sum(1).mean()),
    }


def measured(network: nn.Module, ids: Tensor, view: str) -> dict[str, float]:
    """The same by interlaw."""
    exact: dict[str, Any] = {} if view == "loss" else {"probes": "exact"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = measure(network, [{"input_ids": ids}], view=view, **exact)
    return {
        "plugin energy": found.plugin.energy,
        "plugin diagonal": found.plugin.diagonal_energy,
        "energy": found.energy.value,
        "diagonal": found.diagonal_energy.value,
        "trace": found.trace.value,
    }


def largest_difference(network: nn.Module, view: str) -> float:
    """Of the five quantities, each relative to the plugged-in value."""
    ids = torch.randint(2, VOCABULARY, (SAMPLES, TOKENS), generator=torch.Generator().manual_seed(1))
    should = expected(torch.stack([one_matrix(network, one, view).detach() for one in ids]))
    found = measured(network, ids, view)
    of = {"diagonal": "plugin diagonal", "energy": "plugin energy"}
    return max(abs(found[name] - should[name]) / abs(should[of.get(name, name)]) for name in should)


@pytest.mark.slow  # a hundred architectures, half a CPU second each view
@pytest.mark.parametrize("view", ["loss", "projected", "token"])
@pytest.mark.parametrize("name", CAUSAL)
def test_a_decoder_agrees_with_its_jacobian(name: str, view: str) -> None:
    assert largest_difference(make_tiny(name, "AutoModelForCausalLM"), view) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("view", ["input", "projected", "token"])
@pytest.mark.parametrize("name", MASKED)
def test_an_encoder_agrees_with_its_jacobian(name: str, view: str) -> None:
    assert largest_difference(make_tiny(name, "AutoModelForMaskedLM"), view) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("view", ["input", "token"])
@pytest.mark.parametrize(("loader", "name"), ENCODERS)
def test_the_encoder_of_a_pair_agrees_with_its_jacobian(loader: str, name: str, view: str) -> None:
    assert largest_difference(make_tiny(name, loader), view) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("view", ["input", "projected", "token"])
@pytest.mark.parametrize("name", HALVES)
def test_an_encoder_cut_off_from_its_decoder_agrees_with_its_jacobian(name: str, view: str) -> None:
    assert largest_difference(make_tiny(name, "AutoModel", half="encoder"), view) < TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("name", LOOK_AHEAD)
def test_the_loss_of_a_decoder_that_looks_ahead_is_refused(name: str) -> None:
    """Their settings say `is_decoder=False` unless told otherwise; xlnet's attention sees both sides."""
    ids = torch.randint(2, VOCABULARY, (SAMPLES, TOKENS))
    with pytest.raises(InterlawError, match="predicts from earlier tokens alone") as refusal:
        measured(make_tiny(name, "AutoModelForCausalLM"), ids, "loss")
    assert "\n" not in str(refusal.value)


# Sizes of state-space layers follow from each other: a family of interlaw's knows how.
STATE_SPACE = ["mamba2", "bamba", "falcon_h1", "nemotron_h", "granitemoehybrid", "zamba", "zamba2", "lfm2", "lfm2_moe"]
STATE_SPACE += ["olmo_hybrid"]


def make_hybrid(name: str) -> nn.Module:
    """A network in float64 of the narrowest sizes that run, its chunks of eight tokens."""
    for width, head_dim in ((32, 8), (256, 32)):
        try:
            shape = hf_family(name)(depth=3, width=width, head_dim=head_dim, vocab_size=VOCABULARY, context=64)
            network: Any = build_model(shape).network
        except InterlawError:  # its heads do not divide so narrow a layer
            continue
        network.config._experts_implementation = "eager"  # the faster one knows no float64
        for module in network.modules():
            if hasattr(module, "chunk_size"):
                module.chunk_size = 8
        with suppress(RuntimeError), torch.no_grad():
            network.double().eval()(torch.arange(2, 8)[None])
            for parameter in network.parameters():
                if parameter.dim() == 2:
                    parameter.mul_(3)
            break
    whole: nn.Module = network
    return whole


@pytest.mark.slow
@pytest.mark.parametrize("view", ["loss", "token"])
@pytest.mark.parametrize("name", STATE_SPACE)
def test_a_network_with_states_agrees_with_its_jacobian(name: str, view: str) -> None:
    assert largest_difference(make_hybrid(name), view) < TOLERANCE
