"""A shape: everything about a network that is a whole number, and the counts that follow from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any, ClassVar

from interlaw.errors import InterlawError
from interlaw.plain import Json

# Judgement, one number for MLPs and GRUs. Measured (benchmarks/bench_replicas.py): together, GRUs of 7k parameters and
# MLPs of up to 21k train 1.3 times as fast or faster, MLPs of 100k 1.2 to 1.3 times. This is half way between the two.
MOST_STACKED_ON_CPU = 60_000


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What published models of a family of decoders have; the default of its own size where it is None.

    Attributes:
        vocab_size: Entries of the token table.
        context: Longest sequence, in tokens.
        d_ff_ratio: Hidden units of the MLP over the width.
        heads_per_kv: The most query heads that share a key-value head.
        grouped: Whether they may share one, in a family that has `num_kv_heads`.
        num_experts: Of a mixture; 0 of a dense network.
    """

    vocab_size: int | None = None
    context: int | None = None
    d_ff_ratio: float | None = None
    heads_per_kv: int = 4  # Llama 3 and most others
    grouped: bool = True
    num_experts: int = 0


@dataclass(frozen=True, kw_only=True)
class Shape(ABC):
    """Depth and width of one network of a family; a subclass adds the family's other sizes and its counts.

    Attributes:
        family: Its name.
        network: Called with a shape and a `generator`, builds the network; as text "package.module:name" it is loaded
            when a network is built, for counting loads no torch. None: there is no network.
        decoder: Whether it is a language model that `recommend` sizes by vocabulary, context and heads.
        suits_hardware: Whether `interlaw shapes` sizes it as `recommend` does, by what suits hardware.
        own_head: Whether `recommend` leaves its head untied unless it is asked to tie it.
        usual: What `recommend` takes where nothing is asked for.
        starter: The packaged recipe that `interlaw init` starts from.
        stackable: Whether its networks train together over stacked weights; a test must show that each ends as alone.
        stacked_on_cpu: Parameters of the largest one that is trained so on a CPU.
        depth: Residual blocks: transformer layers, MLP or CNN blocks, recurrent layers.
        width: d_model, hidden units or channels.
    """

    family: ClassVar[str]
    network: ClassVar[Callable[..., Any] | str | None] = None
    decoder: ClassVar[bool] = False
    suits_hardware: ClassVar[bool] = False
    own_head: ClassVar[bool] = False
    usual: ClassVar[Usual] = Usual()
    starter: ClassVar[str] = "quickstart.toml"
    stackable: ClassVar[bool] = False
    stacked_on_cpu: ClassVar[int] = 0
    depth: int
    width: int

    def __post_init__(self) -> None:
        for field in fields(self):
            name, value = field.name, getattr(self, field.name)
            if field.type == "bool" and not isinstance(value, bool):
                raise InterlawError(f"expected {name} to be true or false, found {value!r}; choose one of them")
            if field.type == "int":
                if isinstance(value, bool) or not isinstance(value, Integral):
                    raise InterlawError(f"expected {name} to be a whole number, found {value!r}; choose a positive one")
                if value < 1:
                    raise InterlawError(f"expected {name} to be at least 1, found {value}; choose a positive {name}")

    @property
    def ratio(self) -> float:
        """The depth-width ratio R = depth / width."""
        return self.depth / self.width

    @property
    @abstractmethod
    def params(self) -> int:
        """Trainable parameters, every one counted once (a tied head is the embedding itself)."""

    @property
    @abstractmethod
    def params_non_embedding(self) -> int:
        """Trainable parameters without token table, learned positions and output head."""

    @property
    @abstractmethod
    def flops_per_token(self) -> int:
        """Training floating-point operations (forward and backward) per token or sample."""

    @classmethod
    def width_step(cls, settings: Mapping[str, Any]) -> int:
        """The family's own constraint on the width under these settings: it is a multiple of this."""
        return 1

    @property
    def num_heads(self) -> int | None:
        """Attention heads, where the family has any."""
        return None

    def is_exact(self) -> bool:
        """Whether counts that were read off networks of other sizes are right; a closed form needs no check."""
        return True

    def settings(self) -> Json:
        """The fields that define this shape, without what follows from them."""
        return asdict(self)

    def to_hf(self) -> Json:
        """What `config.json` must say for the Hugging Face library to build it, parameter for parameter.

        Raises:
            InterlawError: The library has no such network.
        """
        raise InterlawError(
            f"expected a family that the Hugging Face library can build, found {self.family}; choose one such as "
            "hf:llama"
        )

    def to_dict(self) -> Json:
        """The shape with its counts, as plain values for a table row."""
        row = {"family": self.family, **asdict(self), "num_heads": self.num_heads}
        row.setdefault("d_ff", None)
        counts = ("params", "params_non_embedding", "flops_per_token", "ratio")
        return row | {name: getattr(self, name) for name in counts}
