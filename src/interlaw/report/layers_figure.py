"""Layer by layer: a heat map of every layer, and the same quantities over depth with their intervals.

A layer's place has two parts: its role (`blocks.*.up`, the name without the block's number) and its depth (the number).
Layers without a number stand before the first block or after the last.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from interlaw.errors import InterlawError
from interlaw.interaction import LayerInteraction
from interlaw.plain import Json
from interlaw.report import look
from interlaw.report.figure import Drawing, Panel
from interlaw.report.marks import Spec, layered, legend, linear_axis, marks, shaded, told_apart, when
from interlaw.size import counted

BEFORE, AFTER = "in", "out"
DARK = 0.6  # of the scale: from here on light print reads better on a cell than dark print
MOST_NUMBERED = 16  # columns of a heat map with room for numbers in their cells
CELL = 24  # pixels of a row
LEAST_KEY = 60  # pixels of a scale of colours, so that its three numbers do not meet
LEAST_HEIGHT = 150  # pixels of a panel of lines, so that they do not lie on each other
WIDTH = 280  # so that two columns with the names of roles fit a page of 900 pixels

CAPTION = (
    "Left: each layer by its role (rows) and number (columns); in the upper two red exceeds what chance gives and blue "
    "falls below, in the lowest red is a positive cosine. Right: the same quantities over {number}s, with the "
    "{level:.0%} interval of the AOFE-ratio; the thin line of a role's colour is its chance level. W^T W: the weights "
    "that read the layer's input; agreement: its cosine with the AGOP there."
)
# of each row of panels: quantity and title of the heat map, those of the lines, and their chance level
ROWS = (
    ("excess", "Interaction above chance", "aofe_ratio", "AOFE-ratio at the layer's input", "null"),
    ("weights_excess", "Superposition of W^T W above chance", "weights_ratio", "AOFE-ratio of W^T W", "weights_null"),
    ("nfa", "Agreement of W^T W with the AGOP", "nfa", "Cosine of W^T W and the AGOP", ""),
)


def layer_rows(layers: Sequence[LayerInteraction]) -> list[Json]:
    """The plotted numbers, a row a layer.

    `role` is as short as can be told apart, `depth` the block's number, "in" before the first and "out" after the last;
    `number` says what that number counts: blocks or, as in a Sequential, the layers themselves.
    """
    places = [split_name(row.name) for row in layers]
    numbered = [place for place, (_, number) in enumerate(places) if number is not None]
    first = numbered[0] if numbered else len(layers)
    names = list(dict.fromkeys(role for role, _ in places))
    roles = dict(zip(names, short_names(names), strict=True))
    rows = []
    for place, (row, (role, number)) in enumerate(zip(layers, places, strict=True)):
        measured, weights = row.interaction, row.superposition
        rows.append({
            "role": roles[role],
            "depth": str(number) if number is not None else BEFORE if place < first else AFTER,
            "number": "layer" if role.endswith("*") else "block",
            "aofe_ratio": measured.aofe_ratio.value,
            "low": measured.aofe_ratio.low,
            "high": measured.aofe_ratio.high,
            "null": measured.null_ratio,
            "excess": measured.excess_ratio,
            "excess_low": measured.excess.low,
            "excess_high": measured.excess.high,
            "weights_ratio": weights.aofe_ratio,
            "weights_null": weights.null_ratio,
            "weights_excess": weights.excess_ratio,
            "nfa": row.nfa,
        })  # fmt: skip
    return rows


def split_name(name: str) -> tuple[str, int | None]:
    """Role and depth: the first number among a module's names is its depth.

    Example:
        >>> split_name("blocks.3.attention.out"), split_name("head")
        (('blocks.*.attention.out', 3), ('head', None))
    """
    parts = name.split(".")
    for place, part in enumerate(parts):
        if part.isdigit():
            return ".".join([*parts[:place], "*", *parts[place + 1 :]]), int(part)
    return name, None


def short_names(roles: Sequence[str]) -> tuple[str, ...]:
    """Roles without what stands before the block's number, unless two would read the same.

    Example:
        >>> short_names(["tokens", "blocks.*.up", "*"])
        ('tokens', 'up', 'layer')
    """
    short = [role.rpartition("*.")[2] if role.rpartition("*.")[1] else role.replace("*", "layer") for role in roles]
    return tuple(one if short.count(one) == 1 else role for one, role in zip(short, roles, strict=True))


def draw_layers(layers: Sequence[LayerInteraction], *, whose: str) -> Drawing:
    """Heat maps of what exceeds chance and of agreement, then levels over depth with intervals.

    Args:
        layers: What `measure_layers` gives.
        whose: The model's name, for the title.

    Raises:
        InterlawError: There are no layers.
    """
    if not layers:
        raise InterlawError("expected layers to draw, found none; leave --layer out to take all")
    rows = layer_rows(layers)
    # the end of the scale of both excesses: the largest magnitude, rounded up to a tenth
    excesses = [abs(row[name]) for row in rows for name in ("excess", "weights_excess")]
    largest = max((each for each in excesses if not math.isnan(each)), default=0.0)
    reach = max(0.1, math.ceil(10 * largest) / 10)  # a scale of less would paint noise
    height = CELL * len(_roles(rows))
    panels = []
    for heat, heading, name, title, chance in ROWS:
        chart = _heat(rows, heat, most=1.0 if heat == "nfa" else reach)
        panels += [
            Panel(chart=chart, title=heading, width=WIDTH, height=height),
            Panel(chart=_lines(rows, name, chance=chance), title=title, width=WIDTH, height=max(height, LEAST_HEIGHT)),
        ]
    message = layers_message(rows, whose=whose)
    caption = CAPTION.format(number=_number(rows), level=layers[0].interaction.settings["level"])
    return Drawing(message=message, caption=caption, panels=tuple(panels), columns=2, aligned=False)


def layers_message(rows: Sequence[Mapping[str, Any]], *, whose: str) -> str:
    """In how many layers interaction is above chance by its interval, and in which of them most."""
    above = [row for row in rows if row["excess_low"] > 0]
    if not above:
        return f"{whose}: no layer shows interaction above chance"
    most = max(above, key=lambda row: row["excess"])
    where = _place(most, _number(rows))
    size = f"{most['excess']:+.2f}, {most['excess_low']:+.2f} to {most['excess_high']:+.2f}"
    count = f"{len(above)} of {counted(len(rows), 'layer')}"
    return f"{whose}: interaction is above chance in {count}, most at {where} ({size})"


def _number(rows: Iterable[Mapping[str, Any]]) -> str:
    """What the columns count: blocks, or layers where no block holds several."""
    numbers = {row["number"] for row in rows if row["depth"] not in (BEFORE, AFTER)}
    return "layer" if numbers == {"layer"} else "block"


def _place(row: Mapping[str, Any], number: str) -> str:
    """A layer's role and place, such as "up in block 3"; a role of numbered layers goes with its number alone."""
    ends = {BEFORE: f"before the {number}s", AFTER: f"after the {number}s"}
    numbered = row["depth"] if row["number"] == "layer" else f"in block {row['depth']}"
    return f"{row['role']} {ends.get(row['depth'], numbered)}"


def _known(rows: Iterable[Mapping[str, Any]], name: str) -> list[Json]:
    """The layers that have the quantity, each with its words."""
    number = _number(rows)
    return [{**row, "said": f"{_place(row, number)}: {row[name]:z.3f}"} for row in rows if not math.isnan(row[name])]


def _heat(rows: Sequence[Mapping[str, Any]], name: str, *, most: float) -> Spec:
    """One quantity of every layer, from -most to most, with its number where there is room."""
    roles, depths = _roles(rows), _depths(rows)
    values = [{**row, "label": f"{row[name]:z.2f}"} for row in _known(rows, name)]
    key = {
        "title": None,
        "orient": "right",
        "gradientLength": max(LEAST_KEY, CELL * len(roles) - 10),
        "values": [-most, 0, most],
    }
    color = shaded(name, [-most, most], colours=look.SIGNED_RAMP, key=key, interpolate="rgb")
    role = {"field": "role", "type": "nominal", "sort": roles, "title": None}
    place: Spec = {"x": _depth_axis(depths, _number(rows)), "y": role}
    cells = marks(values, "rect", **place, said=True, color=color, stroke=look.SURFACE, strokeWidth=look.LINE)
    strong = when(f"abs(datum.{name}) > {DARK * most}", look.SURFACE, other=look.INK)
    numbers = marks(values, "text", **place, text="label", color=strong, fontSize=10)
    layers = [cells, numbers] if len(depths) <= MOST_NUMBERED else [cells]
    return {"layer": layers, "resolve": {"scale": {"color": "independent"}}}


def _lines(rows: Sequence[Mapping[str, Any]], name: str, *, chance: str) -> Spec:
    """One line a role; intervals where they are known, chance as a thin line."""
    roles, depths, values = _roles(rows), _depths(rows), _known(rows, name)
    for row in values if chance else ():
        row["said"] += f" (by chance {row[chance]:.3f})"
    key = legend() if len(roles) > 1 else None
    color, dash, form = (
        told_apart("role", roles, looks=looks, key=key) for looks in (look.SERIES, look.DASHES, look.SHAPES)
    )
    least = min(0.0, *(row[name] for row in values))
    x = _depth_axis(depths, _number(rows))
    place: Spec = {"x": x, "color": color}
    size = look.DOT if len(depths) <= MOST_NUMBERED else look.SMALL
    layers = [marks(values, "line", **place, y=name, strokeDash=dash, strokeWidth=look.LINE)]
    if chance == "null":  # the level of the network's own interaction, which alone has an interval
        layers.append(marks(values, "rule", **place, y="low", y2="high", strokeWidth=look.THIN, opacity=look.HALF))
    if chance:
        layers.append(marks(values, "line", **place, y=chance, strokeWidth=look.HAIR, opacity=look.HALF))
    layers.append(marks(values, "point", **place, y=name, said=True, shape=form, filled=True, size=size))
    return layered(x, linear_axis(name, None, limits=look.padded([least, 1.0]), format=".1f"), *layers)


def _roles(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["role"] for row in rows))


def _depths(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Columns in order: before the blocks, the blocks by number, after them."""
    depths = {row["depth"] for row in rows}
    return sorted(depths, key=lambda name: -1 if name == BEFORE else math.inf if name == AFTER else int(name))


def _depth_axis(depths: Sequence[str], number: str) -> Spec:
    """Numbers of blocks or layers in order; those that would overlap are left out."""
    axis = {"labelAngle": 0, "labelOverlap": True, "title": number, "grid": False}
    return {"field": "depth", "type": "ordinal", "sort": list(depths), "axis": axis}
