"""Two networks layer by layer: what exceeds chance in each, side by side."""

from __future__ import annotations

from collections.abc import Mapping

from interlaw.interaction import Layers, LayersDifference
from interlaw.plain import Json
from interlaw.report.figure import Drawing, Panel
from interlaw.report.layers_figure import short_names, split_name
from interlaw.report.look import DOT, FLAT, HALF, INK, LINE, OF_THREE, SERIES, SHAPES, THIN, padded
from interlaw.report.marks import Spec, layered, legend, linear_axis, marks, told_apart
from interlaw.size import counted

MOST_PANELS = 12  # roles with a panel of their own; a network with more has all its layers in one


def pair_rows(sides: Mapping[str, Layers]) -> list[Json]:
    """The plotted numbers: one row a layer of either network.

    A layer's place is its block's number, or its part of the depth where the networks have not equally many blocks.
    Its role is its name without that number; where the networks share no role, all layers have the role "all layers".
    """
    places = {side: [split_name(row.name) for row in layers] for side, layers in sides.items()}
    depths = {side: max((n for _, n in rows if n is not None), default=0) for side, rows in places.items()}
    alike = len(set(depths.values())) == 1
    roles = list(dict.fromkeys(role for rows in places.values() for role, _ in rows))
    shared = set.intersection(*({role for role, _ in rows} for rows in places.values()))
    short = dict(zip(roles, short_names(roles), strict=True)) if shared and len(roles) <= MOST_PANELS else {}
    rows = []
    for side, layers in sides.items():
        for order, (row, (role, number)) in enumerate(zip(layers, places[side], strict=True)):
            block = number if number is not None else 0 if order == 0 else depths[side]
            part = block / max(depths[side], 1) if short else order / max(len(layers) - 1, 1)
            excess = row.interaction.excess
            rows.append(
                {
                    "network": side,
                    "layer": row.name,
                    "role": short.get(role, "all layers"),
                    "place": float(block) if alike and short else part,
                    "excess": excess.value,
                    "low": excess.low,
                    "high": excess.high,
                    "said": f"{side}, {row.name}: {excess.value:+.3f} ({excess.low:+.3f} to {excess.high:+.3f})",
                }
            )
    return rows


def draw_layers_pair(sides: Mapping[str, Layers], *, message: str) -> Drawing:
    """One panel a role, one line a network.

    Args:
        sides: The layers of each network, by its name.
        message: What the comparison says.
    """
    values = pair_rows(sides)
    roles = list(dict.fromkeys(row["role"] for row in values))
    by_block = len(roles) > 1 and all(row["place"] == int(row["place"]) for row in values)
    reach = [0.0, *(end for row in values for end in (row["low"], row["high"]))]
    most = max(1.0, *(row["place"] for row in values))
    x = linear_axis(
        "place",
        "block" if by_block else "place in the network (0: first, 1: last)",
        limits=padded([0.0, most]),
        grid=False,
        **({"format": "d", "values": list(range(int(most) + 1))} if by_block else {"format": ".1f"}),
    )
    y = linear_axis("excess", "above chance", limits=padded(reach))
    panels = tuple(
        Panel(
            chart=_panel([row for row in values if row["role"] == role], list(sides), x=x, y=y),
            title=role,
            width=OF_THREE["width"] if len(roles) > 1 else FLAT["width"],
            height=FLAT["height"],
        )
        for role in roles
    )
    level = next(iter(sides.values()))[0].interaction.settings["level"]
    caption = (
        f"AOFE-ratio less what chance gives, with its {level:.0%} interval. Above the line a network uses its "
        "coordinates in combination more than a random basis would."
    )
    return Drawing(message=message, caption=caption, panels=panels)


def _panel(values: list[Json], names: list[str], *, x: Spec, y: Spec) -> Spec:
    """The layers of one role."""
    color, form = (told_apart("network", names, looks=looks, key=legend()) for looks in (SERIES, SHAPES))
    place: Spec = {"x": "place", "color": color}
    return layered(
        x,
        y,
        marks([{"zero": 0.0}], "rule", y="zero", color=INK, strokeWidth=THIN),
        marks(values, "line", **place, y="excess", strokeWidth=LINE),
        marks(values, "rule", **place, y="low", y2="high", strokeWidth=THIN, opacity=HALF),
        marks(values, "point", **place, y="excess", said=True, shape=form, filled=True, size=DOT),
    )


def difference_in_words(difference: LayersDifference, names: tuple[str, str]) -> str:
    """Which network's layers exceed chance by more, in one sentence."""
    mean, level = difference.mean, f"{difference.level:.0%}"
    span = f"{mean.value:+.3f}, {level} interval {mean.low:+.3f} to {mean.high:+.3f}"
    if mean.low <= 0 <= mean.high:
        said = (
            f"On average over the layers, A ({names[0]}) and B ({names[1]}) cannot be told apart in interaction "
            "above chance"
        )
    else:
        larger, name = ("A", names[0]) if mean.value > 0 else ("B", names[1])
        said = f"On average over the layers, {larger} ({name}) has more interaction above chance"
    if not difference.layers:
        return f"{said} (A - B: {span}); they do not have the same layers, so these are not compared one by one"
    a, b, open_ = difference.count()
    counts = (
        f"of {counted(len(difference.layers), 'layer')} A is larger in {a}, B in {b}, and {open_} cannot be told apart"
    )
    return f"{said} (A - B: {span}); {counts} ({level} for all of them together)"
