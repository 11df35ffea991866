"""The callback in a real Trainer: what it logs is the measurement, and training ends in the same bits as without."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers as tr
from tokenizers import Tokenizer, models, pre_tokenizers

import interlaw as il
from interlaw.errors import InterlawError
from interlaw.interaction import measure
from interlaw.models import pretrained_of, text_batches

needs_accelerate = pytest.mark.skipif(
    importlib.util.find_spec("accelerate") is None, reason="transformers' Trainer needs accelerate"
)
TEXT = "".join(chr(97 + (number * number) % 23) for number in range(1500))
IDS = torch.tensor([ord(letter) - 97 for letter in TEXT])[:1440].reshape(160, 9)


def tokenizer() -> Any:
    letters = Tokenizer(models.WordLevel({chr(97 + i): i for i in range(26)} | {"?": 26}, unk_token="?"))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    return tr.PreTrainedTokenizerFast(tokenizer_object=letters)


def gpt2() -> Any:
    """Small, with dropout: each step draws random numbers."""
    torch.manual_seed(0)
    return tr.GPT2LMHeadModel(tr.GPT2Config(vocab_size=27, n_positions=16, n_embd=8, n_layer=1, n_head=2))


def trained(folder: Path, *callbacks: Any) -> Any:
    arguments = tr.TrainingArguments(
        output_dir=str(folder),
        max_steps=6,
        per_device_train_batch_size=4,
        learning_rate=1e-2,
        logging_steps=2,
        report_to=["tensorboard"],
        save_strategy="no",
        use_cpu=True,
        disable_tqdm=True,
        seed=3,
    )
    rows = [{"input_ids": row, "labels": row} for row in IDS]
    trainer = tr.Trainer(
        model=gpt2(),
        args=arguments,
        train_dataset=rows,  # type: ignore[arg-type]
        processing_class=tokenizer(),
        data_collator=tr.default_data_collator,
        callbacks=list(callbacks),
    )
    trainer.train()
    return trainer


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any, Any]:
    (tmp_path / "book.txt").write_text(TEXT)
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    callback = il.InteractionCallback(views="loss", every=3, text=tmp_path / "book.txt", samples=12, context=8)
    return trained(tmp_path / "with", callback), trained(tmp_path / "without"), callback


@needs_accelerate
def test_training_with_and_without_it(runs: tuple[Any, Any, Any], tmp_path: Path) -> None:
    watched, alone, callback = runs
    for (name, weight), other in zip(watched.model.named_parameters(), alone.model.parameters(), strict=True):
        assert torch.equal(weight, other), name
    losses = [[entry["loss"] for entry in each.state.log_history if "loss" in entry] for each in (watched, alone)]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 3
    assert [point.step for point in callback.tracker.points] == [0, 3, 6]
    assert not any(point.reason for point in callback.tracker.points)


@needs_accelerate
def test_the_trainer_logs_what_a_measurement_says(runs: tuple[Any, Any, Any], tmp_path: Path) -> None:
    watched, _, callback = runs
    logged = [entry for entry in watched.state.log_history if "loss_view/interaction" in entry]
    assert [entry["step"] for entry in logged] == [0, 3, 6]
    loaded = pretrained_of(watched.model.eval(), tokenizer())
    batches = text_batches(loaded, TEXT, num_sequences=12, context=8, targets=True, seed=0)
    expected = measure(watched.model, batches, view="loss")  # after the last step
    assert logged[-1]["loss_view/interaction"] == expected.aofe_ratio.value
    assert logged[-1]["loss_view/null"] == expected.null.value
    assert logged[-1]["loss_view/excess"] == expected.excess.value
    assert callback.tracker.losses == {
        entry["step"]: entry["loss"] for entry in watched.state.log_history if "loss" in entry
    }
    assert "loss_view/interaction" in scalars(tmp_path)


def scalars(folder: Path) -> set[str]:
    """Names of what TensorBoard would show, without the part before the first slash."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    names: set[str] = set()
    for events in folder.rglob("events.out.*"):
        found = EventAccumulator(str(events))
        found.Reload()
        names |= {name.removeprefix("train/") for name in found.Tags()["scalars"]}
    return names


@pytest.mark.parametrize(("given", "found"), [({}, "neither"), ({"text": "a", "inputs": IDS}, "both")])
def test_one_source_of_inputs(given: dict[str, Any], found: str) -> None:
    with pytest.raises(InterlawError, match=f"expected text= or inputs=, found {found}"):
        il.InteractionCallback(**given)


def test_only_a_trainer_may_call_it() -> None:
    callback = il.InteractionCallback(inputs=IDS)
    assert isinstance(callback, tr.TrainerCallback)
    state = tr.TrainerState(is_world_process_zero=True)
    with pytest.raises(InterlawError, match=r"expected a transformers\.Trainer that calls InteractionCallback"):
        callback.on_train_begin(None, state, None, model=gpt2())


def test_other_processes_do_not_measure() -> None:
    callback = il.InteractionCallback(inputs=IDS)
    callback.on_train_begin(None, tr.TrainerState(is_world_process_zero=False), None, model=gpt2())
    callback.on_step_end(None, tr.TrainerState(is_world_process_zero=False), None)
    assert callback.tracker is None
