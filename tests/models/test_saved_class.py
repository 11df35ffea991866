"""What is measured is the network that was saved: its head, its half, its language model, with its own outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tr

from interlaw.interaction import measure
from interlaw.models import load_pretrained

SIZES: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
T5 = {"vocab_size": 50, "d_model": 16, "d_kv": 8, "d_ff": 24, "num_layers": 2, "num_heads": 2, "pad_token_id": 1}
BART = {
    **{"vocab_size": 50, "d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "max_position_embeddings": 40},
    **{"encoder_attention_heads": 2, "decoder_attention_heads": 2, "encoder_ffn_dim": 24, "decoder_ffn_dim": 24},
}
GPT2 = {
    "vocab_size": 50,
    "n_embd": 16,
    "n_layer": 2,
    "n_head": 2,
    "n_positions": 40,
    "pad_token_id": 1,
    "eos_token_id": 2,
}
VISION = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
IDS = torch.randint(3, 49, (3, 7), generator=torch.Generator().manual_seed(0))


def eos(ids: torch.Tensor) -> torch.Tensor:
    """Sequences that end as BART's classifier wants them to."""
    return torch.cat([ids[:, :-1], torch.full_like(ids[:, :1], 2)], 1)


HEADS: dict[str, Callable[[], Any]] = {
    "BertForSequenceClassification": lambda: tr.BertForSequenceClassification(tr.BertConfig(**SIZES, num_labels=3)),
    "DistilBertForSequenceClassification": lambda: tr.DistilBertForSequenceClassification(
        tr.DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=40)
    ),
    "RobertaForTokenClassification": lambda: tr.RobertaForTokenClassification(tr.RobertaConfig(**SIZES, num_labels=5)),
    "ElectraForMaskedLM": lambda: tr.ElectraForMaskedLM(tr.ElectraConfig(**SIZES, embedding_size=16)),
    "BertForMaskedLM": lambda: tr.BertForMaskedLM(tr.BertConfig(**SIZES)),
    "GPT2ForSequenceClassification": lambda: tr.GPT2ForSequenceClassification(tr.GPT2Config(**GPT2, num_labels=3)),
    "LlamaForSequenceClassification": lambda: tr.LlamaForSequenceClassification(tr.LlamaConfig(**SIZES, num_labels=3)),
    "BartForSequenceClassification": lambda: tr.BartForSequenceClassification(
        tr.BartConfig(**BART, num_labels=3, pad_token_id=1, eos_token_id=2, bos_token_id=0)
    ),
    "GPT2LMHeadModel": lambda: tr.GPT2LMHeadModel(tr.GPT2Config(**GPT2)),
    "GPT2Model": lambda: tr.GPT2Model(tr.GPT2Config(**GPT2)),
    "BertModel": lambda: tr.BertModel(tr.BertConfig(**SIZES)),
    "T5EncoderModel": lambda: tr.T5EncoderModel(tr.T5Config(**T5)),
    "MT5EncoderModel": lambda: tr.MT5EncoderModel(tr.MT5Config(**T5)),
    "UMT5EncoderModel": lambda: tr.UMT5EncoderModel(tr.UMT5Config(**T5)),
    "CLIPTextModel": lambda: tr.CLIPTextModel(tr.CLIPTextConfig(**SIZES)),
    "Gemma3ForConditionalGeneration": lambda: tr.Gemma3ForConditionalGeneration(
        tr.Gemma3Config(
            text_config={**SIZES, "num_key_value_heads": 1, "head_dim": 8, "sliding_window": 4},
            vision_config={**VISION, "image_size": 28, "patch_size": 14},
            mm_tokens_per_image=4,
        )
    ),
    "LlavaForConditionalGeneration": lambda: tr.LlavaForConditionalGeneration(
        tr.LlavaConfig(
            text_config=tr.LlamaConfig(**SIZES).to_dict(),
            vision_config=tr.CLIPVisionConfig(**VISION, image_size=28, patch_size=14).to_dict(),
            image_token_index=49,
        )
    ),
    "Mistral3ForConditionalGeneration": lambda: tr.Mistral3ForConditionalGeneration(
        tr.Mistral3Config(
            text_config=tr.MistralConfig(**SIZES, num_key_value_heads=1).to_dict(),
            vision_config=tr.PixtralVisionConfig(**VISION, image_size=28, patch_size=14).to_dict(),
            image_token_index=49,
        )
    ),
}
CAUSAL = {
    "GPT2LMHeadModel",
    "Gemma3ForConditionalGeneration",
    "LlavaForConditionalGeneration",
    "Mistral3ForConditionalGeneration",
}


def outputs(model: Any) -> torch.Tensor:
    ids = eos(IDS)
    with torch.no_grad():
        found = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    values = found.logits if hasattr(found, "logits") else found.last_hidden_state
    assert isinstance(values, torch.Tensor)
    return values


def saved(make: Callable[[], Any], folder: Path) -> Any:
    torch.manual_seed(0)
    model = make().eval()
    model.save_pretrained(folder)
    return model


@pytest.mark.parametrize("name", HEADS)
def test_the_class_that_was_saved_is_measured(name: str, tmp_path: Path) -> None:
    model = saved(HEADS[name], tmp_path)
    loaded = load_pretrained(str(tmp_path))
    assert type(loaded.model).__name__ == name.replace("EncoderModel", "Stack")
    torch.testing.assert_close(outputs(loaded.model), outputs(model))
    assert loaded.causal == (name in CAUSAL)
    assert loaded.notes == ()
    batch = {"input_ids": eos(IDS), "attention_mask": torch.ones_like(IDS)}
    if not name.startswith("Bart"):  # which reads its tokens twice, once in each half
        assert measure(loaded.model, [batch], view="loss" if loaded.causal else "input").energy.value > 0


@pytest.mark.parametrize(
    "name", ["GPT2LMHeadModel", "GPT2Model", "BertForMaskedLM", "BertModel", "T5EncoderModel", "LlamaForCausalLM"]
)
@pytest.mark.parametrize("kind", ["none", "unknown"])
def test_a_folder_that_names_no_class_says_what_was_read(name: str, kind: str, tmp_path: Path) -> None:
    """The weights tell: a head that is there is used, and what was taken for what is said."""
    made = {**HEADS, "LlamaForCausalLM": lambda: tr.LlamaForCausalLM(tr.LlamaConfig(**SIZES))}[name]
    model = saved(made, tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    del settings["architectures"]
    settings.update({"architectures": ["OursForWork"]} if kind == "unknown" else {})
    (tmp_path / "config.json").write_text(json.dumps(settings))
    loaded = load_pretrained(str(tmp_path))
    # the tied head of a bare GPT-2 is its token table, so its weights are those of the language model too
    same = name != "GPT2Model"
    if same:
        torch.testing.assert_close(outputs(loaded.model), outputs(model))
    assert loaded.causal == name.startswith(("GPT2", "Llama"))
    assert loaded.notes[0].startswith(f"config.json names {'OursForWork' if kind == 'unknown' else 'no class'}")


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    for name, make, expected in (
        ("pair", lambda: tr.BertForPreTraining(tr.BertConfig(**SIZES)), "the head of BertForPreTraining is left out"),
        ("span", lambda: tr.BertForQuestionAnswering(tr.BertConfig(**SIZES)), "it has several outputs"),
        (
            "t5",
            lambda: tr.T5ForConditionalGeneration(tr.T5Config(**T5)),
            "the encoder of T5ForConditionalGeneration is",
        ),
        ("bart", lambda: tr.BartModel(tr.BartConfig(**BART)), "the encoder of BartModel is measured; its decoder"),
    ):
        saved(make, tmp_path / name)
        loaded = load_pretrained(str(tmp_path / name))
        assert expected in " ".join(loaded.notes), loaded.notes
        assert outputs(loaded.model).shape == (3, 7, 16)
        assert not loaded.causal
    saved(HEADS["BertForSequenceClassification"], tmp_path / "headless")
    path = tmp_path / "headless" / "config.json"
    path.write_text(path.read_text().replace("BertForSequenceClassification", "BertModel"))
    notes = load_pretrained(str(tmp_path / "headless")).notes
    assert notes == ("BertModel leaves 2 weights of the file out, such as classifier.bias, classifier.weight",)


def test_the_warnings_of_the_library_are_passed_on(tmp_path: Path) -> None:
    saved(lambda: tr.BertLMHeadModel(tr.BertConfig(**SIZES)), tmp_path)
    loaded = load_pretrained(str(tmp_path))
    assert any(note.startswith("transformers says: If you want to use `BertLMHeadModel`") for note in loaded.notes)


POSITIONS: dict[str, tuple[Callable[[], Any], int]] = {
    "roberta": (lambda: tr.RobertaModel(tr.RobertaConfig(**SIZES)), 38),
    "xlm-roberta": (lambda: tr.XLMRobertaModel(tr.XLMRobertaConfig(**SIZES)), 38),
    "camembert": (lambda: tr.CamembertForMaskedLM(tr.CamembertConfig(**SIZES)), 38),
    "mpnet": (lambda: tr.MPNetModel(tr.MPNetConfig(**SIZES)), 38),
    "opt": (lambda: tr.OPTForCausalLM(tr.OPTConfig(**{**SIZES, "ffn_dim": 24, "word_embed_proj_dim": 16})), 40),
    "bart": (lambda: tr.BartModel(tr.BartConfig(**BART)), 40),
    "bert": (lambda: tr.BertModel(tr.BertConfig(**SIZES)), 40),
    "gpt2": (lambda: tr.GPT2LMHeadModel(tr.GPT2Config(**GPT2)), 40),
}


@pytest.mark.parametrize("name", POSITIONS)
def test_the_longest_sequence_is_read_and_no_longer_one(name: str, tmp_path: Path) -> None:
    make, longest = POSITIONS[name]
    saved(make, tmp_path)
    loaded = load_pretrained(str(tmp_path))
    assert loaded.context == longest
    ids = torch.randint(3, 50, (1, longest + 1))
    with torch.no_grad():
        loaded.model(input_ids=ids[:, :-1], attention_mask=torch.ones_like(ids[:, :-1]))
        with pytest.raises((IndexError, RuntimeError)):
            loaded.model(input_ids=ids, attention_mask=torch.ones_like(ids))
