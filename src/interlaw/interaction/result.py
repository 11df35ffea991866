"""The value that a measurement is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, InstanceOf, TypeAdapter

from interlaw.charted import Charted
from interlaw.interaction.grams import QUANTITIES, Grams
from interlaw.interaction.matrix import Energies
from interlaw.interaction.rotation import RotationTest
from interlaw.interaction.scales import Estimate
from interlaw.plain import Json

if TYPE_CHECKING:
    import pandas as pd

# settings that make two matrices G of one kind
KIND = ("null", "positions", "outputs", "center", "scale")
NOTES = 4  # lines of notes in a print, which then has at most 15


def _whole(settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Refuses settings that a comparison would miss."""
    missing = {*KIND, "level"} - settings.keys()
    if missing:
        raise ValueError(f"settings without {', '.join(sorted(missing))}")
    return settings


@dataclass(frozen=True, kw_only=True, repr=False)
class Interaction(Charted):
    """Neural interaction of one network at one place, with its uncertainty and its level by chance.

    Attributes:
        view: Which matrix G is meant.
        layer: Where h lives: "input", "embeddings", or a module's name.
        dim: D, the number of coordinates of G.
        num_clusters: N, independent clusters (samples, or sequences).
        num_probes: Random vectors per cluster; 0 when every output was taken.
        seed: Seed of the probes.
        estimator: How the numbers were made, in words.
        energy: ||G||_F^2.
        diagonal_energy: sum_i G_ii^2.
        aofe: ||G - diag G||_F^2.
        aofe_ratio: aofe / energy.
        aofe_scale_free: aofe / (tr G)^2.
        trace: tr G.
        participation_ratio: (tr G)^2 / energy.
        mean_cos2: sum_{i != j} G_ij^2 / sum_{i != j} G_ii G_jj.
        null: The AOFE-ratio by chance, for this spectrum in a random basis.
        excess: aofe_ratio - null. Its interval also holds the spread over bases: where it contains 0, a random basis
            may read as much. Its standard error is that over clusters alone.
        plugin: The same quantities of the averaged matrix, without correction.
        settings: The options of the measurement that have no field of their own.
        target_met: Whether the precision asked for was reached; None when none was asked for.
        model: What the network is called: its class, or the name that the caller gave.
        dtype: Precision of the derivatives.
        route: How inner products were formed, "gram" or "dense".
        num_groups: Groups of clusters that were left out in turn for the standard errors.
        inputs: Digest of the clusters in their order; two measurements with one digest can be compared in pairs.
        rotation_test: Whether the basis is special, where it was asked.
        basis_spread: Standard deviation of the ratio of this spectrum over random bases.
        num_samples: Samples behind the clusters; more than those where samples form groups.
        warnings: What to watch for, in words.
        grams: K, H and traces, for further intervals and comparisons; not part of the JSON form.
    """

    view: str
    layer: str
    dim: int
    num_clusters: int
    num_probes: int
    seed: int
    estimator: str
    energy: Estimate
    diagonal_energy: Estimate
    aofe: Estimate
    aofe_ratio: Estimate
    aofe_scale_free: Estimate
    trace: Estimate
    participation_ratio: Estimate
    mean_cos2: Estimate
    null: Estimate
    excess: Estimate
    plugin: Energies
    settings: Annotated[Mapping[str, Any], AfterValidator(_whole)]
    num_groups: int
    target_met: bool | None = None
    model: str | None = None
    dtype: str | None = None
    route: str | None = None
    inputs: str | None = None
    rotation_test: RotationTest | None = None
    basis_spread: float | None = None
    num_samples: int | None = None
    warnings: tuple[str, ...] = ()
    grams: InstanceOf[Grams] | None = None

    @property
    def null_ratio(self) -> float:
        """The AOFE-ratio by chance."""
        return self.null.value

    @property
    def excess_ratio(self) -> float:
        """How far the AOFE-ratio lies above chance."""
        return self.excess.value

    @property
    def estimates(self) -> dict[str, Estimate]:
        """Every quantity, then the ratio by chance and what exceeds it, by the names of their columns."""
        quantities = {name: getattr(self, name) for name in QUANTITIES}
        return {**quantities, "null_ratio": self.null, "excess_ratio": self.excess}

    def __repr__(self) -> str:
        samples = self.num_clusters if self.num_samples is None else self.num_samples
        groups = "" if samples == self.num_clusters else f" in {self.num_clusters} groups"
        lines = [
            f"Interaction of {self.model}: {self.view} view at {self.layer}, {self.dim} coordinates, "
            f"{samples} samples{groups}, {self.settings['level']:.0%} intervals"
        ]
        lines += [
            f"  {name:<19} {one.value:>10.4g}  [{one.low:.4g}, {one.high:.4g}]" for name, one in self.estimates.items()
        ]
        most = NOTES if len(self.warnings) <= NOTES else NOTES - 1
        lines += [f"  note: {warning}" for warning in self.warnings[:most]]
        lines += [f"  {len(self.warnings) - most} more notes in .warnings"] if most < len(self.warnings) else []
        return "\n".join(lines)

    def to_frame(self) -> pd.DataFrame:
        """One row a quantity: value, stderr, low, high, and the plug-in value beside them."""
        import pandas as pd

        rows = {name: {**asdict(one), "plugin": self.plugin[name]} for name, one in self.estimates.items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def _repr_html_(self) -> str:
        title, *_ = repr(self).splitlines()
        notes = "".join(f"<p>note: {escape(warning)}</p>" for warning in self.warnings)
        return f"<p>{escape(title)}</p>{self.to_frame().to_html(float_format='{:.4g}'.format)}{notes}"

    def to_dict(self) -> Json:
        """Everything but the Gram matrices, ready for JSON."""
        written = asdict(replace(self, grams=None))
        del written["grams"]
        by_chance = {"null_ratio": self.null_ratio, "excess_ratio": self.excess_ratio}
        return {**written, "warnings": list(self.warnings), **by_chance}

    @classmethod
    def from_dict(cls, written: Mapping[str, Any]) -> Interaction:
        """The measurement that `to_dict` wrote.

        Raises:
            pydantic.ValidationError: It is none.
        """
        read: Interaction = _reader().validate_python({name: written[name] for name in written if name != "grams"})
        return read


@cache
def _reader() -> Any:
    """What checks a document; made once, for that takes longer than a check."""
    return TypeAdapter(Interaction)
