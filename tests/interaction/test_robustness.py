"""Models and inputs as users have them: handled, or refused with the cure."""

import gc
import warnings
import weakref
from collections.abc import Callable, Iterator

import pytest
import torch
from tests.cases import TinyAttention, build, cnn
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from interlaw.errors import InterlawError
from interlaw.interaction import energies, measure, measure_layers
from interlaw.interaction.batches import LONE, Batch
from interlaw.interaction.network import find_place, frozen
from interlaw.interaction.place import LEAST_PIECE, Places


def test_batchnorm_in_train_mode_is_refused_by_name() -> None:
    with pytest.raises(InterlawError, match=r"train mode: 1; call model.eval\(\)"):
        measure(cnn().train(), torch.randn(6, 2, 6, 6))


def test_batchnorm_without_running_statistics_is_refused_in_eval_mode_too() -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3, track_running_stats=False)).eval()
    with pytest.raises(InterlawError, match="batch normalisation"):
        measure(model, torch.randn(6, 3))


def test_in_place_operation_on_the_input_is_handled() -> None:
    class InPlace(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x.mul_(2.0).relu_())

    model, x = build("mlp", 6)
    outside = nn.Sequential(nn.ReLU(), model)
    expected = measure(outside, 2 * x).energy.value * 16
    before = x.clone()
    assert measure(InPlace(model), x).energy.value == pytest.approx(expected)
    assert torch.equal(x, before)


def test_in_place_operation_that_destroys_the_derivative_names_the_cure() -> None:
    class Destroys(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.exp(x)
            y.add_(1.0)
            return y

    with pytest.raises(InterlawError, match="in-place operation overwrote"):
        measure(Destroys(), torch.randn(5, 3))


def test_a_jacobian_of_zeros_is_refused() -> None:
    model = nn.Linear(3, 2)
    nn.init.zeros_(model.weight)
    for view in ("input", "output", "projected"):
        with pytest.raises(InterlawError, match="expected a derivative at 'input', found all zeros"):
            measure(model, torch.randn(8, 3), view=view)


@pytest.mark.parametrize(
    ("scale", "message"),
    [
        (1e20, "squares the precision can hold, found larger ones"),
        (1e-30, "tiny derivatives with dtype=torch.flo"),
    ],
)
def test_derivatives_beyond_the_range_of_float32(scale: float, message: str) -> None:
    model, x = nn.Sequential(nn.Linear(6, 3)), torch.randn(8, 6)
    with torch.no_grad():
        model[0].weight.mul_(scale)
    with pytest.raises(InterlawError, match=message):
        measure(model, x)
    W = model[0].weight.detach().double()
    assert measure(model, x, dtype=torch.float64).aofe_ratio.value == pytest.approx(energies(W.T @ W).aofe_ratio)


def test_inputs_that_torch_stores_otherwise() -> None:
    words = nn.Sequential(nn.Embedding(5, 3), nn.Flatten(), nn.Linear(6, 2))
    with pytest.raises(InterlawError, match=r"expected token ids of 32 or 64 bits, found .*; pass ids.long\(\)"):
        measure(words, torch.ones(6, 2, dtype=torch.int16), layer="2")
    with pytest.raises(InterlawError, match=r"expected dense inputs, found a layout of torch.sparse_coo; pass x"):
        measure(nn.Sequential(nn.Linear(3, 2)), torch.eye(3).to_sparse())
    with pytest.raises(InterlawError, match="64 bits are the most"):
        measure(nn.Sequential(nn.Linear(3, 2)), torch.eye(3), seed=2**64)


def test_networks_without_weights_of_their_own_in_python_are_refused() -> None:
    with pytest.raises(InterlawError, match="found weight without; run the network on a batch first"):
        measure(nn.LazyLinear(3), torch.eye(4))
    net = nn.Sequential(nn.Linear(4, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit itself is on its way out
        scripts = [torch.jit.script(net), torch.jit.trace(net, torch.eye(4))]
    for script in scripts:
        with pytest.raises(InterlawError, match=r"found one of torch.jit; measure what it was made from"):
            measure(script, torch.eye(4))


def test_samples_without_a_direction_in_common_are_refused() -> None:
    class Gate(nn.Module):
        """Each sample depends on a coordinate of its own."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return (x * (x > 0)).sum(1, keepdim=True)

    with pytest.raises(InterlawError, match="a direction in common at 'input', found 4 with nearly none"):
        measure(Gate(), torch.eye(4))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_non_finite_jacobians_are_errors(bad: float) -> None:
    model, x = build("mlp", 6)
    x[2, 0] = bad
    for work in (measure, measure_layers):  # a layer with such a derivative is not left out
        with pytest.raises(InterlawError, match=r"^1 of 6 clusters .* NaN or infinite"):
            work(model, x)


class Returns(nn.Module):
    """Returns whatever it is told to make of its input."""

    def __init__(self, make: object) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.make = make

    def forward(self, x: torch.Tensor) -> object:
        return self.make(self.linear(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda y: "text", "expected the model to return a tensor"),
        (lambda y: {"scores": None}, "expected the model to return a tensor"),
        (lambda y: y.argmax(-1), "return the scores"),
        (lambda y: y.detach(), "outputs do not depend on 'input'; a no_grad or a detach"),
        (lambda y: y.sum(), "one row of outputs per sample"),
        (lambda y: y[:2], "one row of outputs per sample"),
    ],
)
def test_outputs_that_cannot_be_differentiated(make: object, message: str) -> None:
    with pytest.raises(InterlawError, match=message):
        measure(Returns(make), torch.randn(5, 3))


def test_vector_outputs_of_one_number_per_sample() -> None:
    assert measure(Returns(lambda y: y[:, 0]), torch.randn(5, 3)).dim == 3


@pytest.mark.parametrize("inputs", [3, None, "text", {"x": torch.ones(2, 3)}, [[1.0, 2.0]], [torch.tensor(1.0)]])
def test_inputs_of_another_form_are_type_errors(inputs: object) -> None:
    model, _ = build("mlp")
    with pytest.raises(TypeError, match=r"a tensor, measure\(model, x\), or an iterable of batches"):
        measure(model, inputs)


def test_inputs_with_labels_name_the_form_to_pass() -> None:
    model, x = build("mlp", 8)
    loader = DataLoader(TensorDataset(x, torch.zeros(8)), batch_size=4)
    with pytest.raises(
        TypeError, match=r"found a batch of type list; of inputs with labels .*\(batch\[0\] for batch in l"
    ):
        measure(model, loader)
    assert measure(model, (batch[0] for batch in loader)).num_clusters == 8


def test_a_loader_of_a_lone_tensor_is_read() -> None:
    model, x = build("mlp", 8)
    expected = measure(model, x)
    data = TensorDataset(x)
    assert measure(model, DataLoader(data, batch_size=4)).to_dict() == expected.to_dict()
    with pytest.raises(TypeError, match=r"found TensorDataset; measure\(model, torch.utils.data.DataLoader\(dataset"):
        measure(model, data)
    mixed = [[x[:4]], (x[4:],)]
    groups = [0, 1, 0, 1, 2, 2, 3, 3]
    assert measure(model, mixed, groups=groups).to_dict() == measure(model, x, groups=groups).to_dict()


def test_samples_that_do_not_differ_are_told() -> None:
    model, x = build("mlp", 1)
    result = measure(model, x.expand(40, *x.shape[1:]))
    assert result.warnings == (
        "all 40 samples are the same one, so that intervals over them say nothing; give samples that differ",
    )
    assert not any("same one" in warning for warning in measure(*build("mlp", 40)).warnings)


@pytest.mark.parametrize(
    ("inputs", "met"),
    [
        (torch.randn(6, 3) > 0, r"found torch\.bool; pass x\.float\(\)"),
        (torch.randn(6, 3, dtype=torch.complex64), r"found torch\.complex64; give torch\.view_as_real\(x\)"),
        (torch.ones(6, 3, dtype=torch.long), "integer inputs have no derivative"),
    ],
)
def test_inputs_without_a_derivative_are_named(inputs: torch.Tensor, met: str) -> None:
    with pytest.raises(InterlawError, match=met):
        measure(nn.Linear(3, 2), inputs)


class Named(nn.Module):
    """Returns what is given, under names."""

    def __init__(self, outputs: Callable[[torch.Tensor], dict[str, torch.Tensor]]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.body, self.outputs = nn.Linear(3, 4), outputs

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        return self.outputs(self.body(x).tanh())


def test_the_one_real_tensor_of_a_dict_is_the_output() -> None:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    alone = Named(lambda y: {"out": y, "choice": y.argmax(1)})
    expected = measure(nn.Sequential(alone.body, nn.Tanh()), x)
    assert measure(alone, x).energy == expected.energy
    with pytest.raises(InterlawError, match="found dict with the real-valued tensors out, aux; wrap the model"):
        measure(Named(lambda y: {"out": y, "aux": 2 * y}), x)
    with pytest.raises(InterlawError, match="found dict with the real-valued tensors none; wrap the model"):
        measure(Named(lambda y: {"choice": y.argmax(1)}), x)


def test_malformed_dicts_and_missing_samples() -> None:
    model, _ = build("mlp")
    with pytest.raises(InterlawError, match="one first axis"):
        measure(model, [{"a": torch.ones(2, 3), "b": torch.ones(3)}])
    with pytest.raises(InterlawError, match="at least one sample"):
        measure(model, [])
    with pytest.raises(InterlawError, match="at least one sample"):
        measure(model, torch.ones(0, 6))
    with pytest.raises(InterlawError, match="at least 3 clusters"):
        measure(model, torch.ones(2, 6, dtype=torch.float64))


def test_empty_and_ragged_batches_are_handled() -> None:
    model, x = build("mlp", 11)
    whole = measure(model, x)
    ragged = measure(model, iter([x[:0], x[:5], x[5:5], x[5:10], x[10:]]))
    assert ragged.num_clusters == 11
    assert ragged.aofe_ratio.value == pytest.approx(whole.aofe_ratio.value)


def test_two_real_tensors_in_a_batch_need_a_layer() -> None:
    class Two(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 2)

        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return self.linear(a + b)

    batch = {"a": torch.randn(4, 3), "b": torch.randn(4, 3)}
    with pytest.raises(InterlawError, match="expected one real-valued tensor in the batch"):
        measure(Two(), [batch])
    assert measure(Two(), [batch], layer="linear").dim == 3


def test_a_module_that_runs_twice_is_refused() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.Linear(3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.linear(self.linear(x))

    with pytest.raises(InterlawError, match="found 'linear': it runs 2 times in a forward pass; name another"):
        measure(Twice(), torch.randn(4, 3), layer="linear")


def test_keyword_arguments_of_layers() -> None:
    class ByName(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Linear(3, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(input=x)

    model, x = ByName(), torch.randn(5, 3)
    assert measure(model, x, layer="inner").energy == measure(model, x).energy


def test_models_and_inputs_made_in_inference_mode() -> None:
    model, x = build("cnn", 6)
    expected = measure(model, x).energy.value
    with torch.inference_mode():
        assert measure(model, x + 0).energy.value == pytest.approx(expected)
        made, y = build("cnn", 6)
        before = dict(made.named_parameters())
        assert measure(made, y).energy.value == pytest.approx(expected)
    assert measure(made, x, dtype=torch.float32).energy.value == pytest.approx(expected, rel=1e-4)
    assert [row.name for row in measure_layers(made, x)] == ["0", "3", "5"]
    after = dict(made.named_parameters())
    assert all(after[name] is before[name] and after[name].is_inference() for name in before)


def test_a_tensor_of_inference_mode_inside_the_model_names_the_cure() -> None:
    class Hidden(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with torch.inference_mode():
                self.scale = [torch.randn(3)]

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * self.scale[0]

    with pytest.raises(InterlawError, match=r"made under torch\.inference_mode\(\); build the model outside of it"):
        measure(Hidden(), torch.randn(5, 3))


def test_operation_without_forward_derivative_names_the_cure() -> None:
    class Opaque(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
            return x * 1.0

        @staticmethod
        def backward(ctx: object, g: torch.Tensor) -> torch.Tensor:
            return g

    class Fused(TinyAttention):
        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return Opaque.apply(super().forward(ids))

    model, ids = Fused(), torch.randint(0, 11, (5, 9))
    with pytest.raises(InterlawError, match='attn_implementation="eager"'):
        measure(model, ids, view="projected")
    assert measure(model, ids, view="projected", probes="exact").dim == 64
    assert torch.backends.mha.get_fastpath_enabled()


def test_fused_transformer_layers_are_measured_and_switches_restored() -> None:
    class Encoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(11, 8)
            self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)

        def get_input_embeddings(self) -> nn.Module:
            return self.tokens

        def forward(self, ids: torch.Tensor) -> torch.Tensor:
            return self.layer(self.tokens(ids))

    model, ids = Encoder().double().eval(), torch.randint(0, 11, (400, 5))
    probed = measure(model, ids, view="projected")
    exact = measure(model, ids, view="projected", probes="exact")
    assert abs(probed.energy.value - exact.energy.value) < 3 * probed.energy.stderr
    assert torch.backends.mha.get_fastpath_enabled()


def test_no_graph_outlives_a_batch() -> None:
    model, ids = build("gpt", 4)
    graphs: list[weakref.ref[torch.Tensor]] = []
    model.head.register_forward_hook(lambda module, args, output: graphs.append(weakref.ref(output)))

    def batches() -> Iterator[torch.Tensor]:
        for _ in range(5):
            yield ids
            gc.collect(0)
            assert sum(graph() is not None for graph in graphs) <= 1

    for view in ("loss", "projected", "input"):
        measure(model, batches(), view=view)
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_weights_of_low_precision_are_measured_in_float32_and_put_back() -> None:
    torch.manual_seed(0)
    model = TinyAttention().to(torch.bfloat16)
    ids = torch.randint(0, 11, (8, 9))
    reference = TinyAttention()
    reference.load_state_dict({name: value.float() for name, value in model.state_dict().items()})
    before = {name: parameter.data_ptr() for name, parameter in model.named_parameters()}
    found = measure(model, ids, view="loss", dtype=torch.float32)
    assert found.energy.value == pytest.approx(measure(reference, ids, view="loss").energy.value, rel=1e-5)
    assert {name: parameter.data_ptr() for name, parameter in model.named_parameters()} == before
    coarse = measure(model, ids, view="loss")
    assert coarse.energy.value == pytest.approx(found.energy.value, rel=0.1)
    assert coarse.energy.value != found.energy.value


def test_the_model_is_restored_after_a_failure() -> None:
    model, x = build("mlp", 6)
    model.double()
    with pytest.raises(InterlawError, match="NaN"):
        measure(model, x * float("nan"), dtype=torch.float32)
    assert all(parameter.requires_grad and parameter.dtype == torch.float64 for parameter in model.parameters())


def test_pieces_are_sized_by_what_a_sample_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    model, ids = build("gpt", 50)
    batch = Batch(inputs={LONE: ids})
    places = Places(model, [find_place(model, batch, layer=None)])
    with frozen(model):
        monkeypatch.setattr("interlaw.interaction.place.free_bytes", lambda device: 10**12)
        assert places.at_once(batch) == 50
        monkeypatch.setattr("interlaw.interaction.place.free_bytes", lambda device: 400_000)
        few = places.at_once(batch)
        monkeypatch.setattr("interlaw.interaction.place.free_bytes", lambda device: 1)
        assert places.at_once(batch) == 1
    # 9 positions of width 8 to 24 in float64, a dozen of them: some kilobytes a sequence
    assert 2 <= few < 50


@pytest.mark.parametrize("view", ["loss", "projected", "output", "token", "input"])
def test_activations_do_not_grow_with_the_number_of_clusters(view: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interlaw.interaction.place.free_bytes", lambda device: 400_000)
    largest = []
    for count in (60, 120):
        model, ids = build("gpt", count)
        seen: list[int] = []
        model.head.register_forward_hook(lambda module, args, output, seen=seen: seen.append(len(output)))
        assert measure(model, ids, view=view).num_clusters == count
        largest.append(max(seen))
    assert largest[0] == largest[1] < 60


def test_pieces_on_a_processor_fit_its_caches(monkeypatch: pytest.MonkeyPatch) -> None:
    model, ids = build("gpt", 50)
    monkeypatch.setattr("interlaw.interaction.place.free_bytes", lambda device: 10**12)
    batch = Batch(inputs={LONE: ids})
    places = Places(model, [find_place(model, batch, layer=None)])
    with frozen(model):
        monkeypatch.setattr("interlaw.interaction.place.CACHED_BYTES", 200_000)
        assert LEAST_PIECE < places.at_once(batch) < 50
        monkeypatch.setattr("interlaw.interaction.place.CACHED_BYTES", 1)
        assert places.at_once(batch) == LEAST_PIECE


def test_progress_cap_and_target() -> None:
    model, x = build("mlp", 900)
    seen: list[int] = []
    found = measure(model, x.split(50), progress=seen.append, max_clusters=120)
    assert seen == [50, 100, 120]
    assert found.num_clusters == 120
    assert found.target_met is None

    loose = measure(model, x, rel_error=0.5)
    assert loose.target_met is True
    assert loose.num_clusters < 200
    strict = measure(model, x, rel_error=1e-5, max_clusters=150)
    assert strict.target_met is False
    assert strict.num_clusters == 150
    half = max(strict.aofe_ratio.high - strict.aofe_ratio.value, strict.aofe_ratio.value - strict.aofe_ratio.low)
    assert half > 1e-5 * strict.aofe_ratio.value
    assert strict.settings["rel_error"] == 1e-5
