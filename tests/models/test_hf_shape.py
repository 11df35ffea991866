"""Hugging Face architectures as families: every count is the instantiated network's own, and it trains as any other."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tests.recipes import write_recipe

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.interaction import measure
from interlaw.models import build_model, hf_family
from interlaw.models.hf_counts import count
from interlaw.models.hf_network import make_network
from interlaw.runs import RunFolder, load_trial
from interlaw.shapes import GPTShape, LlamaShape, Qwen2Shape, make_shape, match_shapes
from interlaw.sweep import plan_trials, prepare_run, read_recipe, run_trials
from interlaw.training import TrainSettings, parameter_factors

SIZES: dict[str, Any] = {"vocab_size": 96, "context": 32, "head_dim": 8}
FAMILIES: dict[str, dict[str, Any]] = {
    "hf:gpt2": {"tied": True},
    "hf:llama": {"num_kv_heads": 2, "d_ff_ratio": 8 / 3, "d_ff_multiple_of": 4},
    "hf:qwen2": {"num_kv_heads": 1, "tied": True},
    "hf:gpt_neox": {},
    "hf:qwen3": {"num_kv_heads": 3},
    "hf:opt": {},
    "hf:bloom": {},
}


@pytest.mark.parametrize("family", FAMILIES)
def test_counts_are_the_networks_own(family: str) -> None:
    matched = match_shapes(family=family, depths=[1, 3, 6], params="250k", rule="nearest", **SIZES, **FAMILIES[family])
    for shape in matched:
        network = make_network(shape)  # on the CPU, as it will be trained
        assert shape.params == sum(parameter.numel() for parameter in network.parameters())
        assert (shape.params, shape.params_non_embedding) == count(network)[:2]
        assert abs(shape.params / 250_000 - 1) < 0.25
        assert shape.num_heads * 8 == shape.width
        assert shape.to_dict()["family"] == family
        again = make_shape(family, **shape.settings())
        assert again == shape


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (LlamaShape(depth=3, width=48, head_dim=8, num_kv_heads=2, vocab_size=96, context=32, d_ff=100), "hf:llama"),
        (Qwen2Shape(depth=2, width=32, head_dim=8, num_kv_heads=1, vocab_size=96, context=32, tied=True), "hf:qwen2"),
    ],
)
def test_closed_forms_agree(ours: LlamaShape, theirs: str) -> None:
    sizes = {name: getattr(ours, name) for name in ("depth", "width", "d_ff", "num_kv_heads", "tied")}
    shape = make_shape(theirs, **sizes, **SIZES)
    assert shape.params == ours.params
    assert shape.params_non_embedding == ours.params_non_embedding
    assert shape.flops_per_token == ours.flops_per_token


def test_flops_of_gpt2_are_those_of_the_same_matrices() -> None:
    ours = GPTShape(depth=3, width=32, vocab_size=96, context=32, head_dim=8)
    assert make_shape("hf:gpt2", depth=3, width=32, **SIZES).flops_per_token == ours.flops_per_token


def test_other_budgets() -> None:
    (shape,) = match_shapes(family="hf:llama", depths=[4], flops_per_token="2M", rule="nearest", **SIZES)
    assert shape.flops_per_token == pytest.approx(2e6, rel=0.1)
    (shape,) = match_shapes(family="hf:gpt2", depths=[4], params="100k", count="non-embedding", rule="nearest", **SIZES)
    assert shape.params_non_embedding == pytest.approx(1e5, rel=0.2)


def test_counts_that_do_not_grow_as_polynomials_come_from_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """An architecture whose MLP is rounded inside, from a width on that was not probed."""
    from interlaw.models import hf_shape

    made: list[int] = []

    def rounded(shape: Any) -> Any:
        inner = shape.width if shape.width < 60 else shape.width // 3 + 1
        network = torch.nn.Linear(shape.width, inner, device="meta")
        network.get_output_embeddings = lambda: None  # type: ignore[assignment]
        made.append(shape.width)
        return network

    monkeypatch.setattr(hf_shape, "meta_network", rounded)
    monkeypatch.setattr(hf_shape, "_BENT", set())
    sizes = {"vocab_size": 95, "context": 32, "head_dim": 8}
    wide = make_shape("hf:gpt2", depth=1, width=80, **sizes)
    assert wide.params == 81 * 80  # as the narrow ones have it
    assert not wide.is_exact()
    again = make_shape("hf:gpt2", depth=1, width=80, **sizes)
    assert again.params == 81 * 27
    assert again.is_exact()
    (matched,) = match_shapes(family="hf:gpt2", depths=[1], params=3000, **sizes)
    assert matched.params == (matched.width + 1) * (matched.width // 3 + 1) <= 3000


# Layers of several kinds, depths with names of their own, settings that must fit the sizes.
SPECIAL = [
    "gpt_neo",
    "kimi_linear",
    "mimo_v2_flash",
    "bart",
    "mamba2",
    "falcon",
    "zamba2",
    "lfm2_moe",
]
SPECIAL += ["reformer", "cwm", "modernbert-decoder", "xlm", "gemma3n_text", "cohere_compass_text"]


@pytest.mark.slow  # networks of every depth
@pytest.mark.parametrize("name", SPECIAL)
def test_layers_of_several_kinds_are_counted_at_every_depth(name: str) -> None:
    sizes = {"vocab_size": 256, "context": 64, "head_dim": 32}
    for depth in (2, 3, 5, 8):
        for width in (128, 256):
            shape = make_shape(f"hf:{name}", depth=depth, width=width, **sizes)
            assert (shape.params, shape.params_non_embedding) == count(make_network(shape))[:2]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lfm2", "electra"])
def test_families_whose_counts_bend_are_counted_on_the_network(name: str) -> None:
    sizes: dict[str, Any] = {"vocab_size": 256, "context": 64, "head_dim": 32}
    for shape in match_shapes(family=f"hf:{name}", params="2M", depths=[2, 3, 5, 8], **sizes):
        assert (shape.params, shape.params_non_embedding) == count(make_network(shape))[:2]


def looks_ahead(name: str) -> bool:
    """Whether the outputs of a family's network at a token change with later tokens."""
    sizes: dict[str, Any] = {"vocab_size": 64, "context": 64, "head_dim": 32, "depth": 4}
    shape = make_shape(f"hf:{name}", width=256, **sizes)
    network = build_model(shape).eval()
    ids = torch.randint(2, 62, (1, 24), generator=torch.Generator().manual_seed(0))
    other = torch.cat([ids[:, :16], ids[:, 16:].flip(1)], 1)
    try:
        with torch.no_grad():
            one, two = network(ids), network(other)
    except (TypeError, RuntimeError):
        _ = shape.flops_per_token  # refused in words, as its networks do not run here
        raise
    return float((one - two)[:, :16].abs().max()) > 1e-4 * float(one.abs().max())


@pytest.mark.parametrize("name", ["bert", "xlm", "electra", "gpt2", "zamba2"])
def test_a_family_does_not_see_what_it_is_to_predict(name: str) -> None:
    """BERT and its like are decoders only where their settings say so."""
    assert not looks_ahead(name)


@pytest.mark.slow  # some 160 networks
def test_no_family_sees_what_it_is_to_predict() -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    seen = {}
    for name in sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        with suppress(InterlawError):  # no family, or its networks do not run here
            seen[name] = looks_ahead(name)
    assert len(seen) > 150
    assert [name for name, ahead in seen.items() if ahead] == []


@pytest.mark.parametrize(
    ("family", "layers", "window"),
    [
        ("hf:mamba", 0, None),
        ("hf:rwkv", 0, None),
        ("hf:mistral", 4, 4096),
        ("hf:llama", 4, None),
        ("hf:gpt_neo", 2, None),
    ],
)
def test_flops_of_attention_are_those_of_the_layers_that_have_it(family: str, layers: int, window: int | None) -> None:
    """Against a count by hand: 4 d FLOPs forward a visible position and layer, 12 d with the backward pass."""
    sizes: dict[str, Any] = {"depth": 4, "width": 32, "vocab_size": 96, "head_dim": 8}
    longest = 8192
    short, long = (make_shape(family, **sizes, context=context) for context in (16, longest))
    grown = (long.flops_per_token - short.flops_per_token) / (12 * 32)
    seen = [
        (T + 1) / 2 if window is None or window >= T else sum(min(t, window) for t in range(1, T + 1)) / T
        for T in (16, longest)
    ]
    expected = layers * (seen[1] - seen[0])
    if family == "hf:gpt_neo":  # two layers of four see 256 tokens
        expected += 2 * (sum(min(t, 256) for t in range(1, longest + 1)) / longest - 8.5)
    assert grown == pytest.approx(expected, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize(
    ("family", "sizes", "message"),
    [
        ("hf:unheard-of", {}, "expected a causal language model of transformers"),
        ("xx:llama", {}, "or hf:NAME, found 'xx:llama'"),
        ("hf", {}, "bottleneck or hf:NAME, found 'hf'; choose one of them"),
        ("hf:gpt2", {"num_kv_heads": 1}, "one key-value head a head; remove num_kv_heads"),
        ("hf:bloom", {"d_ff": 64}, "sets the width of its MLP itself; remove d_ff"),
        ("hf:llama", {"head_dim": 3}, "expected width to be a multiple of head_dim"),
        ("hf:llama", {"num_kv_heads": 3}, "expected num_kv_heads to divide num_heads"),
        ("hf:llama", {"d_ff_ratio": -1.0}, "expected positive d_ff_ratio"),
        ("hf:llama", {"d_ff": 0}, "expected d_ff to be at least 1"),
        ("hf:llama", {"colour": 3}, "expected settings of hf:llama"),
        ("hf:gemma3", {}, "no one width and depth in its settings .*; choose hf:gemma3_text, its text part"),
        ("hf:cpmant", {}, "hf:cpmant sees the tokens that it is to predict, so it cannot be trained"),
        ("hf:musicgen", {}, "no one width and depth in its settings .*; choose another family"),
    ],
)
def test_mistakes(family: str, sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        make_shape(family, depth=1, width=32, **{**SIZES, **sizes})


def test_head_dim_must_be_positive() -> None:
    with pytest.raises(InterlawError, match="expected head_dim to be at least 1, found 0"):
        match_shapes(family="hf:llama", params="1M", depths=[1], head_dim=0)


def test_sizes_that_the_library_refuses() -> None:
    shape = make_shape("hf:llama", depth=1, width=32, **SIZES)
    object.__setattr__(shape, "head_dim", 5)  # heads that do not fill the width
    with pytest.raises(InterlawError, match="transformers makes no hf:llama of depth 1"):
        make_network(shape)


def test_without_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(MissingExtraError, match=r"interlaw\[hf\]"):
        hf_family("never-asked-for")


def test_initial_weights_are_a_function_of_the_seed() -> None:
    shape = make_shape("hf:llama", depth=1, width=16, **SIZES)
    before = torch.random.get_rng_state()
    one, same, other = (build_model(shape, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), before)
    ids = torch.arange(12)[None]
    assert torch.equal(one(ids), same(ids))
    assert not torch.equal(one(ids), other(ids))
    with pytest.raises(InterlawError, match="at most 32 tokens"):
        one(torch.zeros(1, 33, dtype=torch.long))


@pytest.mark.parametrize("family", ["hf:gpt2", "hf:llama", "hf:qwen2", "hf:gpt_neox"])
def test_parameters_have_roles(family: str) -> None:
    """The rules of width and depth know every matrix: writers are those that the depth's rule damps."""
    settings = TrainSettings(
        steps=1, batch_size=1, learning_rate=1.0, parametrization="completep", base_width=16, base_depth=1
    )
    network = build_model(make_shape(family, depth=2, width=32, **SIZES))
    found = parameter_factors(network, settings)
    matrices = {name: found[name] for name, p in network.named_parameters() if p.dim() >= 2}
    rates = {name: factors.rate for name, factors in matrices.items()}
    assert sorted(set(rates.values())) == [0.25, 0.5, 1.0]
    assert sum(rate == 0.25 for rate in rates.values()) == 2 * 2  # two writers a layer, each 1/2 in width and in depth
    assert sum(rate == 1.0 for rate in rates.values()) == (2 if family == "hf:gpt2" else 1)
    assert rates[next(name for name in rates if "head" in name or "embed_out" in name)] == 0.5


def test_unknown_architectures_have_no_roles() -> None:
    settings = TrainSettings(steps=1, batch_size=1, learning_rate=1.0, parametrization="mup")
    with pytest.raises(InterlawError, match="expected a family whose parameters have roles"):
        parameter_factors(build_model(make_shape("hf:bloom", depth=1, width=16, **SIZES)), settings)


@pytest.mark.parametrize("family", ["hf:gpt2", "hf:llama", "hf:qwen2", "hf:gpt_neox"])
def test_a_sweep_end_to_end(family: str, tmp_path: Path) -> None:
    """Planned, trained by the same loop, measured by the same views, reloaded from its folder."""
    path = write_recipe(
        tmp_path,
        top={"family": family, "depths": [1, 2], "seeds": [0]},
        shape={"context": 8, "head_dim": 4, "tied": True, "d_ff_ratio": 2.5},
        budget={"amounts": ["8k"]},
    )
    recipe, text = read_recipe(path)
    run, trials = prepare_run(recipe, text, out=tmp_path / "run", folder=tmp_path)
    run_trials(run, trials, executor="local", listen=lambda event: None)
    for trial in RunFolder(tmp_path / "run").trials():
        record = trial.record()
        assert record is not None
        assert record.status == "done", record.traceback
        assert record.shape["family"] == family
        assert set(record.measurements) == {"projected", "loss"}
        model, spec = load_trial(trial.path)
        assert spec.make_shape().to_dict() == record.shape
        probes = spec.task.open().probes(num_samples=8, with_targets=True)
        found = measure(model, probes, view="loss", seed=spec.measure[1].seed)
        assert found.energy.value == pytest.approx(record.measurements["loss"]["energy"]["value"], rel=1e-4)
        assert isinstance(model.network, transformers.PreTrainedModel)
    # the plan is the same in a fresh process: a spec names whole sizes alone
    assert [t.key for t in plan_trials(recipe, folder=tmp_path)] == [t.key for t in trials]
    assert all(isinstance(size, int) for size in trials[0].shape.values())
