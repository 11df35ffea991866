"""The token embeddings of networks that do not say which they are: the table that is fed with the ids."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from interlaw.errors import InterlawError
from interlaw.interaction import list_layers, measure, measure_layers

IDS = torch.randint(0, 11, (10, 7), generator=torch.Generator().manual_seed(1))


class Block(nn.Module):
    """Attention to earlier tokens, or to all of them, and a projection."""

    def __init__(self, width: int, *, causal: bool) -> None:
        super().__init__()
        self.c_attn, self.c_proj, self.causal = nn.Linear(width, 3 * width), nn.Linear(width, width), causal

    def forward(self, h: Tensor) -> Tensor:
        mixed = nn.functional.scaled_dot_product_attention(*self.c_attn(h).chunk(3, -1), is_causal=self.causal)
        return h + self.c_proj(mixed.tanh())


class PlainGPT(nn.Module):
    """A GPT as nanoGPT writes it, without get_input_embeddings."""

    def __init__(self, *, causal: bool = True, segments: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        tables = {"wte": nn.Embedding(11, 8), "wpe": nn.Embedding(12, 8)}
        if segments:
            tables["wse"] = nn.Embedding(11, 8)
        h = nn.ModuleList([Block(8, causal=causal) for _ in range(2)])
        self.transformer = nn.ModuleDict({**tables, "drop": nn.Dropout(0.0), "h": h})
        self.lm_head = nn.Linear(8, 11, bias=False)

    def forward(self, idx: Tensor) -> Tensor:
        parts = self.transformer
        h = parts["wte"](idx) + parts["wpe"](torch.arange(idx.shape[1]))
        if "wse" in parts:
            h = h + parts["wse"](idx)
        h = parts["drop"](h)
        for block in parts["h"]:
            h = block(h)
        return self.lm_head(h)


class Says(PlainGPT):
    """The same, which says where its tokens are."""

    def get_input_embeddings(self) -> nn.Module:
        return self.transformer["wte"]


@pytest.mark.parametrize("view", ["loss", "input", "projected", "token"])
def test_the_table_fed_with_the_ids_is_taken(view: str) -> None:
    plain, says = (
        measure(PlainGPT().eval(), IDS, view=view, name="one"),
        measure(Says().eval(), IDS, view=view, name="one"),
    )
    assert plain.layer == "embeddings"
    assert plain.to_dict() == says.to_dict()


def test_a_table_by_name_means_its_output() -> None:
    by_name = measure(PlainGPT().eval(), IDS, view="loss", layer="transformer.wte")
    assert by_name.layer == "transformer.wte"
    assert by_name.energy == measure(PlainGPT().eval(), IDS, view="loss").energy
    with pytest.raises(InterlawError, match=r"expected a part of 'transformer\.wpe' for each of 4 samples"):
        measure(PlainGPT().eval(), IDS, view="loss", layer="transformer.wpe")


def test_a_named_batch_of_ids() -> None:
    model = PlainGPT().eval()
    first = torch.arange(7).expand(10, 7)  # as positions would be
    batch = [{"idx": IDS, "labels": first}]
    assert measure(model, batch).energy == measure(model, IDS).energy


def test_ids_that_count_upwards_are_no_positions() -> None:
    assert measure(PlainGPT().eval(), torch.stack([(torch.arange(7) + n) % 11 for n in range(8)])).layer == "embeddings"


def test_several_tables_are_named() -> None:
    model = PlainGPT(segments=True).eval()
    with pytest.raises(
        InterlawError,
        match=r"that transformer\.wte, transformer\.wse of PlainGPT are all fed .* pass layer= with its name",
    ):
        measure(model, IDS)
    assert measure(model, IDS, layer="transformer.wse").dim == 8


def test_no_table_names_those_that_there_are() -> None:
    class Shifted(PlainGPT):
        def forward(self, idx: Tensor) -> Tensor:
            return super().forward((idx + 1) % 11)

    message = (
        r"Shifted has no get_input_embeddings\(\) and no nn\.Embedding that is fed with them as they are \(its tables: "
        r"transformer\.wte, transformer\.wpe\); pass layer="
    )
    for layer in (None, "embeddings"):
        with pytest.raises(InterlawError, match=message):
            measure(Shifted().eval(), IDS, layer=layer)
    assert measure(Shifted().eval(), IDS, layer="transformer.wte").dim == 8
    with pytest.raises(
        InterlawError, match=r"expected real numbers at 'input', found torch\.int64; name a module that real"
    ):
        measure(Shifted().eval(), IDS, layer="input")
    with pytest.raises(InterlawError, match="found real inputs; measure at the input"):
        measure(nn.Linear(3, 2), torch.randn(6, 3), layer="embeddings")


def test_layers_are_those_of_a_network_that_says() -> None:
    plain, says = (measure_layers(model.eval(), IDS, view="loss", name="one") for model in (PlainGPT(), Says()))
    assert [row.to_dict() for row in plain] == [row.to_dict() for row in says]
    assert plain.left_out == says.left_out
    listed = [row["name"] for row in list_layers(PlainGPT().eval(), IDS[:1])]
    assert listed == [row["name"] for row in list_layers(Says().eval(), IDS[:1])]
    assert "transformer.wte" in listed
    assert "transformer.wpe" not in listed


def test_a_loss_that_sees_its_targets_is_refused() -> None:
    with pytest.raises(InterlawError, match="logits of PlainGPT depend on later ones, so it sees its targets"):
        measure(PlainGPT(causal=False).eval(), IDS, view="loss")
    with pytest.raises(InterlawError, match="logits of PlainGPT depend on later ones"):
        measure(PlainGPT(causal=False, segments=True).eval(), IDS, view="loss", layer="lm_head")
