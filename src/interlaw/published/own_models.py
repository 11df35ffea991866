"""A model of the user's own as a row: its shape from Hugging Face's `config.json`, its scores from a results file.

EleutherAI's lm-evaluation-harness has two tasks of nearly one name: `leaderboard_mmlu_pro` compares the log-likelihoods
of the options (acc), `mmlu_pro` lets the model write a chain of thought and extracts a letter (exact_match). They are
two protocols here, and so is a run cut short with `--limit`: none of these is ever set beside another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interlaw.errors import InterlawError
from interlaw.files import read_object
from interlaw.plain import Json
from interlaw.published.row import SCORE_FIELDS, PublishedRow, Variant
from interlaw.published.table import HOMOGENEOUS_PROTOCOL, validated_row
from interlaw.shapes import make_shape

# What one thing is called in different architectures' configurations.
_NAMES = {
    "depth": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "width": ("hidden_size", "n_embd", "d_model"),
    "num_heads": ("num_attention_heads", "n_head", "n_heads"),
    "num_kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "d_ff": ("intermediate_size", "n_inner", "ffn_dim"),
    "vocab_size": ("vocab_size",),
    "tied_embeddings": ("tie_word_embeddings",),
}
MOST_SHOWN = 40  # characters of a wrong value: the message stays one line
# model_type: the family whose closed form counts it, and its key-value heads where config.json leaves them to its class
# (transformers 4.50 to 5.23); Llama has one a head.
_COUNTED = {"llama": ("llama", None), "mistral": ("llama", 8), "qwen2": ("qwen2", 32)}
# task: (metric, what its protocol is called after the number of shots)
_TASKS = {
    "leaderboard_mmlu_pro": ("acc,none", HOMOGENEOUS_PROTOCOL.removeprefix("5-shot ")),
    "mmlu_pro": ("exact_match,custom-extract", "CoT generation"),
}
# of which the first that is there is read
_METRICS = ("acc", "exact_match", "acc_norm", "pass@1", "f1", "em", "mc2", "inst_level_strict_acc")


def row_from_config(
    path: str | Path,
    *,
    name: str | None = None,
    family: str | None = None,
    params: int | None = None,
    scored: tuple[float, str, str] | None = None,
) -> PublishedRow:
    """A model as a row: its shape, and its score if given.

    Args:
        path: A `config.json`, or a folder that holds one.
        name: What to call the model; the folder's name when not given.
        family: What it descends from; its own name when not given, so that it counts as independent of all others.
        params: Total parameters. Needed where neither a closed form (Llama, Mistral and Qwen2 layers) nor transformers,
            by its own network, counts them.
        scored: MMLU-Pro in per cent, its protocol, and `base` or `inst`.

    Raises:
        InterlawError: When the file is no such configuration, or `params` is needed and missing.
    """
    path = Path(path) / "config.json" if Path(path).is_dir() else Path(path)
    config = read_object(path, wanted="a config.json")
    name = name or path.resolve().parent.name
    cells = {
        field: next((config[key] for key in keys if config.get(key) is not None), None)
        for field, keys in _NAMES.items()
    }
    for field, value in cells.items():
        if not isinstance(value, int) and (field in ("depth", "width") or value is not None):
            raise InterlawError(
                f"expected one of {', '.join(_NAMES[field])} in {path} as a whole number, found "
                f"{'none' if value is None else repr(value)[:MOST_SHOWN]}; give a model's config.json"
            )
    counted = params or _count(config, cells)
    if counted is None:
        from interlaw.models import count_config  # torch and transformers, which a closed form does without

        counted = count_config(config)
    if counted is None:
        kind = config.get("model_type", "an unnamed type")
        raise InterlawError(
            f"expected a configuration whose parameters can be counted ({', '.join(_COUNTED)}, or any decoder that "
            f"transformers builds), found {kind}; put the model in a CSV with params_total"
        )
    row: Json = {field: value for field, value in cells.items() if value is not None}
    if scored is not None:
        row |= dict(zip(("mmlu_pro", "protocol", "variant"), scored, strict=True))
        row |= {"score_source": "given by the user", "shape_source": str(path)}
    return validated_row({**row, "name": name, "family": family or name, "params_total": counted}, where=str(path))


def _count(config: Mapping[str, Any], cells: Mapping[str, Any]) -> int | None:
    """Parameters by closed form, where the configuration describes a layer that has one."""
    family, kv_heads = _COUNTED.get(str(config.get("model_type")), (None, None))
    heads = cells["num_heads"]
    needed = (heads, cells["d_ff"], cells["vocab_size"])
    if family is None or not all(isinstance(value, int) and value > 0 for value in needed):
        return None
    uneven = (cells["head_dim"] or 0) * heads not in (0, cells["width"])
    if uneven or config.get("attention_bias") or config.get("mlp_bias"):
        return None
    return make_shape(
        family,
        depth=cells["depth"],
        width=cells["width"],
        head_dim=cells["width"] // heads,
        num_kv_heads=cells["num_kv_heads"] or kv_heads or heads,
        d_ff=cells["d_ff"],
        vocab_size=cells["vocab_size"],
        tied=bool(cells["tied_embeddings"]),
    ).params


@dataclass(frozen=True, kw_only=True)
class HarnessScore:
    """One task's score in a results file.

    Attributes:
        model: The model's name or folder as the harness was given it.
        task: The task.
        protocol: Our name of how it was measured.
        percent: The score in percent.
        params: The harness's own count of parameters, where it wrote one.
    """

    model: str
    task: str
    protocol: str
    percent: float
    params: int | None


def read_lm_eval(path: str | Path, *, task: str | None = None) -> tuple[HarnessScore, ...]:
    """The MMLU-Pro scores of a results file, or those of a named task.

    Args:
        path: The `results_*.json` that the harness writes.
        task: Another task to read instead, or `TASK:METRIC`; its protocol is then the task's name, shots and metric.

    Returns:
        One score a task: of `leaderboard_mmlu_pro` and `mmlu_pro`, those that the file has.

    Raises:
        InterlawError: When it is no results file, or has none of the tasks.
    """
    payload = read_object(Path(path), wanted="a results_*.json of lm-evaluation-harness")
    results = payload.get("results")
    if not isinstance(results, dict):
        raise InterlawError(
            f"expected {path} to hold 'results', found none; give a results_*.json of lm-evaluation-harness"
        )
    asked = None
    if task is not None and task not in results:
        task, _, asked = task.partition(":")
    wanted = [task] if task is not None else [name for name in _TASKS if name in results]
    if not wanted or any(name not in results for name in wanted):
        expected = task or " or ".join(_TASKS)
        raise InterlawError(
            f"expected the task {expected} in {path}, found {', '.join(results) or 'none'}; name one of them"
        )
    return tuple(_score(payload, name, asked=asked or None, path=Path(path)) for name in wanted)


def rows_from_lm_eval(
    scores: Iterable[HarnessScore],
    *,
    known: Iterable[PublishedRow],
    variant: Variant = "base",
    config: str | Path | None = None,
) -> tuple[PublishedRow, ...]:
    """Joins scores with shapes.

    Args:
        scores: From `read_lm_eval`.
        known: Rows whose shape is used when their `hf_id` or `name` is the scored model's, without regard to capitals.
        variant: Variant of a model that is not known by its `hf_id`.
        config: The model's `config.json` or folder, for a model that is not known.

    Raises:
        InterlawError: When a model is neither known nor described by a configuration.
    """
    known = tuple(known)
    by_id = {row.hf_id.casefold(): row for row in known if row.hf_id}
    by_name = {row.name.casefold(): row for row in known}
    rows = []
    for score in scores:
        same = by_id.get(score.model.casefold())
        row = same or by_name.get(score.model.casefold())
        if config is not None:
            row = row_from_config(config, name=Path(score.model).name, params=score.params)
        if row is None:
            raise InterlawError(
                f"expected a model of the table, found {score.model}; give its config.json beside the results"
            )
        cells = {
            **row.model_dump(exclude=set(SCORE_FIELDS)),
            "variant": (same.variant if same and config is None else None) or variant,
            "protocol": score.protocol,
            "mmlu_pro": score.percent,
            "setting": f"lm-evaluation-harness, task {score.task}",
            "score_source": "a results file of the user's",
        }
        rows.append(validated_row(cells, where=f"results of {score.model}"))
    return tuple(rows)


def _only_metric(figures: Json, task: str, *, path: Path) -> str:
    """The metric to read when none was named: `acc,none`, or the old schema's `acc`, or the same behind one filter."""
    for metric in _METRICS:
        filtered = [name for name in figures if name.partition(",")[0] == metric]
        plain = [name for name in filtered if name in (metric, f"{metric},none")]
        if len(plain or filtered) == 1:
            return (plain or filtered)[0]
        if filtered:
            raise InterlawError(
                f"expected one {metric} of {task} in {path}, found {', '.join(filtered)}; name one as "
                f"--task {task}:{filtered[0]}"
            )
    raise InterlawError(
        f"expected a metric such as {', '.join(_METRICS[:3])} of {task} in {path}, found {_choices(figures)}; name one "
        f"as --task {task}:METRIC"
    )


def _choices(figures: Json) -> str:
    """The metrics of a task, without their standard errors."""
    return ", ".join(name for name in figures if "stderr" not in name and name != "alias") or "none"


def _score(payload: Json, task: str, *, asked: str | None, path: Path) -> HarnessScore:
    """One task's figures; a missing or failed metric is an error, never a zero."""
    figures = _object(payload["results"][task])
    known, kind = _TASKS.get(task, (None, None))
    metric = asked or (known if known in figures else _only_metric(figures, task, path=path))
    value = figures.get(metric)
    if not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InterlawError(
            f"expected {metric} of {task} in {path} between 0 and 1, found {value!r}"
            f"{f' among {_choices(figures)}' if metric not in figures else ''}; run the task again"
        )
    shots = _shots(payload, task)
    protocol = (
        f"{shots}-shot {kind}"
        if kind and metric == known
        else f"{task} {shots}-shot {metric.removesuffix(',none').replace(',', ' ')}"
    )
    config = _object(payload.get("config"))
    limit = config.get("limit")
    cut = f", limit {limit:g}" if isinstance(limit, float) and limit else f", limit {limit}" if limit else ""
    return HarnessScore(
        model=_model_name(payload, config, path=path),
        task=task,
        protocol=protocol + cut,
        percent=100.0 * value,
        params=config.get("model_num_parameters"),
    )


def _shots(payload: Json, task: str) -> str:
    """Shots of a task, or of its parts where the task is a group; `unknown` where the file does not say."""
    table = _object(payload.get("n-shot"))
    parts = _object(payload.get("group_subtasks")).get(task)
    names = [task, *(name for name in parts if isinstance(name, str))] if isinstance(parts, list) else [task]
    shots = {table[name] for name in names if isinstance(table.get(name), int)}
    return str(shots.pop()) if len(shots) == 1 else "unknown"


def _object(value: Any) -> Json:
    """A JSON object, or an empty one where the file has something else."""
    return value if isinstance(value, dict) else {}


def _model_name(payload: Json, config: Json, *, path: Path) -> str:
    """The model as the harness was given it, from whichever place this version wrote it to."""
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        arguments = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    name = payload.get("model_name") or _object(arguments).get("pretrained")
    if not name:
        raise InterlawError(
            f"expected {path} to name its model, found no model_name; give the file as the harness wrote it"
        )
    return str(name)
