"""Colours carry roles: they are told apart with every kind of colour vision, and ramps go one way in lightness."""

from __future__ import annotations

import itertools
import re

import numpy as np
import pytest
from numpy.typing import NDArray

from interlaw.report import look
from interlaw.report.document import asset
from interlaw.report.published_figure import published_lines

# Machado, Oliveira and Fernandes 2009 (doi:10.1109/TVCG.2009.113), table 1, severity 1, on linear RGB
VISION = {
    "normal": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
ROLES = ("fit", "best", "good", "interaction", "ink", "surface")
FIGURE = {name: getattr(look, name.upper()) for name in ROLES}
# a difference of 2.3 in CIELAB is just noticeable side by side; marks stand apart, so four times that
LEAST_DIFFERENCE = 9.2


def page_colours(which: str) -> dict[str, str]:
    """The custom properties of the page's light, dark or printed look."""
    light, *others = re.findall(r":root[^{]*\{([^}]*--surface[^}]*)\}", asset("page.css"))
    chosen = {"light": light, "dark": others[1], "print": others[-1]}[which]
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", chosen))


def linear(colour: str) -> NDArray[np.float64]:
    """Linear RGB of a hexadecimal colour."""
    encoded = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)


def lab(rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB of linear RGB under D65."""
    matrix = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
    ratio = np.array(matrix) @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    x, y, z = np.where(ratio > 216 / 24389, np.cbrt(ratio), (24389 / 27 * ratio + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def contrast(one: str, other: str) -> float:
    """WCAG 2 contrast."""
    low, high = sorted(float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISION)
@pytest.mark.parametrize("palette", ["light", "dark", "print", "figure"])
def test_roles_are_told_apart_by_every_kind_of_vision(palette: str, vision: str) -> None:
    colours = FIGURE if palette == "figure" else page_colours(palette)
    seen = {name: lab(np.array(VISION[vision]) @ linear(colours[name])) for name in ROLES}
    for one, other in itertools.combinations(ROLES, 2):
        assert np.linalg.norm(seen[one] - seen[other]) > LEAST_DIFFERENCE, (one, other)


def test_lab_of_known_colours() -> None:
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.02)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.05)


@pytest.mark.parametrize("ramp", [look.LOSS_RAMP, tuple(reversed(look.DEPTH_RAMP))])
@pytest.mark.parametrize("vision", VISION)
def test_ramps_go_one_way_in_lightness(vision: str, ramp: tuple[str, ...]) -> None:
    lightness = [lab(np.array(VISION[vision]) @ linear(colour))[0] for colour in ramp]
    assert min(np.diff(lightness)) > 0.5


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_the_page_gives_every_role_of_a_figure_a_shade(palette: str) -> None:
    colours, css = page_colours(palette), asset("page.css")
    for role in ("ink", "muted", "faint", "fit", "best", "interaction", "surface"):
        drawn = getattr(look, role.upper())
        assert re.search(rf'svg \[fill="{drawn}"\] {{ fill: var\(--{role}\); }}', css), role
        assert re.search(rf'svg \[stroke="{drawn}"\] {{ stroke: var\(--{role}\); }}', css), role
        assert role in colours


@pytest.mark.parametrize("palette", ["light", "dark", "print"])
def test_marks_stand_out_from_the_page(palette: str) -> None:
    colours = page_colours(palette)
    for role in ("ink", "muted", "fit", "best", "interaction"):
        assert contrast(colours[role], colours["surface"]) >= 4.5, role
    for colour in look.SERIES:
        assert contrast(colour, look.SURFACE) >= 3, colour


@pytest.mark.parametrize("vision", VISION)
def test_every_published_law_has_a_colour_of_its_own(vision: str) -> None:
    assert {line["law"] for line in published_lines()} <= set(look.DATASETS)
    colours = list(look.DATASETS.values())
    seen = [lab(np.array(VISION[vision]) @ linear(colour)) for colour in (*colours, look.BEST, look.FIT)]
    assert min(np.linalg.norm(one - other) for one, other in itertools.combinations(seen, 2)) > LEAST_DIFFERENCE
    for colour in colours:
        assert contrast(colour, look.SURFACE) >= 3
        if colour == look.INK:  # which the dark page turns light
            continue
        assert contrast(colour, page_colours("dark")["surface"]) >= 3


def on_the_dark_page(colour: str) -> str:
    """A curve's colour through the filter of the dark page, which works on each channel of sRGB by itself."""
    (around, factor), *_ = set(re.findall(r"--lift: contrast\(([\d.]+)\) brightness\(([\d.]+)\)", asset("page.css")))
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    lifted = [min(1.0, ((channel - 0.5) * float(around) + 0.5) * float(factor)) for channel in channels]
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in lifted)


def test_learning_curves_stand_out_from_the_dark_page_and_from_each_other() -> None:
    lifted = [on_the_dark_page(colour) for colour in look.ramp(6)]
    assert min(contrast(colour, page_colours("dark")["surface"]) for colour in lifted) >= 3
    seen = [lab(linear(colour)) for colour in lifted]
    assert min(np.linalg.norm(one - other) for one, other in itertools.pairwise(seen)) > LEAST_DIFFERENCE
