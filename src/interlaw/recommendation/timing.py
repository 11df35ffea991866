"""Times of candidates on this machine: the real network of each, random weights, trained, read and decoded.

torch is loaded when something is timed: the explorer offers it without.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from interlaw.errors import InterlawError, MissingExtraError
from interlaw.machine import default_device, free_bytes
from interlaw.recommendation.candidate import NOTABLE, Candidate, Timing
from interlaw.recommendation.recommendation import Recommendation
from interlaw.shapes import Shape
from interlaw.size import format_bytes, format_size

if TYPE_CHECKING:
    import torch

PROMPT = 128  # tokens: long enough that reading is bound by arithmetic, short enough for a CPU
DECODED = 16  # tokens a repeat
REPEATS = 3  # of each, of which the median counts: one interruption moves none
TRAINING_BYTES = 16  # a parameter in float32, its gradient and AdamW's two moments
_SHARE_OF_FREE = 0.8  # the rest is for activations

Say = Callable[[str], None]


def timed(result: Recommendation, *, say: Say) -> Recommendation:
    """The same with times of every candidate, or why it has none; one faster than the pick gets that as a reason.

    Raises:
        InterlawError: See `require_timing`.
    """
    require_timing(result.candidates)
    number = len(result.candidates)
    pick, *others = (
        _timed(one, say=say, place=f"{place} of {number}") for place, one in enumerate(result.candidates, start=1)
    )
    return replace(result, candidates=(pick, *(_with_reason(one, pick) for one in others)))


def require_timing(candidates: Sequence[Candidate]) -> None:
    """Refuses shapes of which none can be timed on this machine.

    Raises:
        MissingExtraError: transformers is not installed.
        InterlawError: Training the smallest takes more memory than is free; the message says the limit.
    """
    if find_spec("transformers") is None:
        raise MissingExtraError("timing a shape", "hf")
    smallest = min(one.shape.params for one in candidates)
    largest = int(_SHARE_OF_FREE * free_bytes(default_device())) // TRAINING_BYTES
    if smallest > largest:
        raise InterlawError(
            f"expected shapes of at most {format_size(largest)} parameters to time here ({TRAINING_BYTES} bytes each, "
            f"in the memory that is free), found {format_size(smallest)}; lower the budget or free memory"
        )


def _timed(candidate: Candidate, *, say: Say, place: str) -> Candidate:
    shape = candidate.shape
    needed, free = TRAINING_BYTES * shape.params, int(_SHARE_OF_FREE * free_bytes(default_device()))
    if needed > free:
        reason = (
            f"{candidate.name} is not timed: training takes {format_bytes(needed)} here, {format_bytes(free)} are free"
        )
        say(reason)
        return replace(candidate, unmeasured=reason)
    return replace(candidate, measured=time_shape(shape, say=lambda words: say(f"{place}, {candidate.name}: {words}")))


def _with_reason(one: Candidate, pick: Candidate) -> Candidate:
    """The latency measured, in the place of the one counted in layers."""
    if one.measured is None or pick.measured is None:
        return one
    saved = 1 - one.measured.decode_ms_per_token / pick.measured.decode_ms_per_token
    kept = tuple(reason for reason in one.reasons if "lower latency" not in reason)
    return replace(one, reasons=(f"decodes in {saved:.0%} less time here", *kept)) if saved >= NOTABLE else one


def time_shape(shape: Shape, *, say: Say = lambda words: None) -> Timing:
    """Builds the network from its configuration (`Shape.to_hf`) and times it; `say` takes what is being timed."""
    import torch

    device = torch.device(default_device())
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    say("building")
    network, vocab, context = build(shape, device=device, dtype=dtype)
    prompt = min(PROMPT, context - DECODED)
    tokens = torch.randint(vocab, (1, prompt), generator=torch.Generator().manual_seed(0)).to(device)
    say("training")
    network.train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-5)  # of any rate: nothing is learned
    step = _median(lambda: _train(network, optimizer=optimizer, tokens=tokens))
    optimizer.state.clear()  # its moments are as large as the network
    network.zero_grad(set_to_none=True)
    network.eval()
    say("reading and decoding")
    with torch.inference_mode():
        prefill = _median(lambda: network(tokens, use_cache=True))
        decode = _median(lambda: _decode(network, tokens, count=DECODED))
    return Timing(
        train_tokens_per_second=prompt / step,
        # milliseconds
        prefill_ms_per_token=1000 * prefill / prompt,
        decode_ms_per_token=1000 * (decode - prefill) / DECODED if decode > prefill else math.nan,
        device=torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        dtype=str(dtype).removeprefix("torch."),
        prompt=prompt,
    )


def build(shape: Shape, *, device: torch.device, dtype: torch.dtype) -> tuple[Any, int, int]:
    """The network of a shape's configuration, its vocabulary and its longest sequence."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    values = shape.to_hf()
    config = AutoConfig.for_model(values.pop("model_type"), **values)
    with torch.random.fork_rng(devices=[]), torch.device(device):
        torch.manual_seed(0)
        network = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return network, int(config.vocab_size), int(config.max_position_embeddings)


def _train(network: Any, *, optimizer: torch.optim.Optimizer, tokens: torch.Tensor) -> None:
    network(tokens, labels=tokens, use_cache=False).loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _decode(network: Any, tokens: torch.Tensor, *, count: int) -> None:
    """Reads the prompt, then writes so many tokens one by one."""
    output = network(tokens, use_cache=True)
    for _ in range(count):
        last = output.logits[:, -1:].argmax(dim=-1)
        output = network(last, past_key_values=output.past_key_values, use_cache=True)


def _median(run: Callable[[], object]) -> float:
    """Median seconds of a call, the first one left out."""
    import torch

    wait: Callable[[], object] = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    seconds = []
    for _ in range(REPEATS + 1):
        wait()
        start = time.perf_counter()
        run()
        wait()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])
