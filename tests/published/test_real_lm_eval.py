"""The real harness, on a task and a model that are on this disk: is its results file still the one that we read?"""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest

from interlaw.published import compare_models, place_rows, published_rows, read_lm_eval, rows_from_lm_eval

pytestmark = pytest.mark.slow

TASK = """\
task: letters
dataset_path: json
dataset_kwargs:
  data_files:
    test: {data}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{q}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: gold
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
"""


def save_model(folder: Path) -> int:
    """A two-layer Llama with a tokenizer of letters; returns its parameters."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, pre_tokenizers

    names = ["<s>", "</s>", "<unk>", *string.ascii_lowercase, " ", "?"]
    tokenizer = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    special = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "</s>"}
    transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special).save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(names),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=128,
    )
    model = transformers.LlamaForCausalLM(config)
    model.save_pretrained(folder)
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.filterwarnings("default")
def test_a_results_file_of_the_real_harness_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lm_eval", reason="lm-evaluation-harness is not installed: pip install 'lm-eval[hf]'")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    from lm_eval import simple_evaluate
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    params = save_model(tmp_path / "tiny")
    data = tmp_path / "letters.jsonl"
    rows = [{"q": f"is {c} a letter", "choices": ["yes", "no"], "gold": i % 2} for i, c in enumerate("abcdefgh")]
    data.write_text("\n".join(json.dumps(row) for row in rows))
    (tmp_path / "letters.yaml").write_text(TASK.format(data=data))
    tracker = EvaluationTracker(output_path=str(tmp_path / "out"))
    results = simple_evaluate(
        model="hf",
        model_args={"pretrained": str(tmp_path / "tiny"), "dtype": "float32"},
        tasks=["letters"],
        task_manager=TaskManager(include_path=str(tmp_path), include_defaults=False),
        device="cpu",
        batch_size=4,
        evaluation_tracker=tracker,
    )
    samples = results.pop("samples", None)
    tracker.save_results_aggregated(results=results, samples=samples)
    (written,) = (tmp_path / "out").rglob("results_*.json")

    (score,) = read_lm_eval(written, task="letters")
    assert (score.protocol, score.params) == ("letters 0-shot acc", params)
    assert score.percent == 100 * results["results"]["letters"]["acc,none"]
    (row,) = rows_from_lm_eval([score], known=published_rows(), config=tmp_path / "tiny")
    assert (row.name, row.depth, row.width, row.params_total) == ("tiny", 2, 32, params)
    comparison = compare_models((row, *published_rows()))
    (placement,) = place_rows([row], comparison.models, interval=comparison.interval)
    assert (placement.position, placement.compared) == ("inside", False)
