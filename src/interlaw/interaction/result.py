"""The value that a measurement is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from interlaw.interaction.energies import QUANTITIES, Energies
from interlaw.interaction.estimates import Estimate
from interlaw.interaction.grams import Grams


@dataclass(frozen=True, kw_only=True)
class Interaction:
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
        excess: aofe_ratio - null.
        plugin: The same quantities of the averaged matrix, without correction.
        settings: The options of the measurement that have no field of their own.
        target_met: Whether the precision asked for was reached; None when none was asked for.
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
    settings: Mapping[str, Any]
    target_met: bool | None = None
    grams: Grams | None = None

    @property
    def null_ratio(self) -> float:
        """The AOFE-ratio by chance."""
        return self.null.value

    @property
    def excess_ratio(self) -> float:
        """How far the AOFE-ratio lies above chance."""
        return self.excess.value

    def to_dict(self) -> dict[str, Any]:
        """Everything but the Gram matrices, ready for JSON."""
        plain = ("view", "layer", "dim", "num_clusters", "num_probes", "seed", "estimator")
        found: dict[str, Any] = {name: getattr(self, name) for name in plain}
        found |= {name: getattr(self, name).to_dict() for name in (*QUANTITIES, "null", "excess")}
        found |= {"null_ratio": self.null_ratio, "excess_ratio": self.excess_ratio}
        return found | {
            "plugin": self.plugin.to_dict(),
            "settings": dict(self.settings),
            "target_met": self.target_met,
        }

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Interaction:
        """The measurement that `to_dict` wrote."""
        estimates = {name: Estimate(**found[name]) for name in (*QUANTITIES, "null", "excess")}
        rest = {field.name for field in fields(cls)} - set(estimates) - {"plugin", "grams"}
        plain: dict[str, Any] = {name: found[name] for name in rest} | dict(estimates)
        return cls(**plain, plugin=Energies(**found["plugin"]))
