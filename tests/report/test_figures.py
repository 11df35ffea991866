"""The figures: the plotted numbers are those of the run and of its fit, and every file is written."""

from __future__ import annotations

import dataclasses
import math
import re
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest
from tests.report.specifications import all_rows, layers, rows_of
from tests.report.synthetic import BEST_RATIO, write_run

from interlaw.errors import InterlawError
from interlaw.laws import fit_law, published_laws
from interlaw.report import curves_figure, look, write_figures
from interlaw.report.curves_figure import MOST_POINTS, learning_curves
from interlaw.report.figure import (
    FIGURES,
    Drawing,
    Figure,
    Panel,
    page_specification,
    register,
    specification,
)
from interlaw.report.figures import drawings
from interlaw.report.law_figure import draw_fit, grid_of, law_line, size_text
from interlaw.report.look import nice_ticks
from interlaw.report.loss_figure import (
    depth_rows,
    draw_loss,
    loss_limits,
    loss_message,
    loss_panels,
    ratio_limits,
    star_note,
)
from interlaw.report.marks import layered, linear_axis, log_axis, marks
from interlaw.report.offline import whole
from interlaw.report.page import page
from interlaw.report.plane_figure import DECIDED, draw_plane, plane_message, plane_rows
from interlaw.report.published_figure import published_lines
from interlaw.report.results import RunResults, load_results
from interlaw.report.saving import rendered
from interlaw.report.treatments_figure import treatments_of_run
from interlaw.tasks import VectorTaskSpec


def names(results: RunResults) -> list[str]:
    return [name for name, _, _ in drawings(results)]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> RunResults:
    status = {(100_000, 8, 1): "diverged"}
    return load_results(write_run(tmp_path_factory.mktemp("figures") / "run", budgets=(50_000, 100_000), status=status))


def test_loss_panels_hold_every_seed_and_the_fit(results: RunResults) -> None:
    panels = loss_panels(results.analyses[0])
    drawing = draw_loss(panels, loss_unit="nats", confidence=0.9)
    assert [panel.title for panel in drawing.panels] == ["50k parameters", "100k parameters"]
    assert [len(panel.seeds) for panel in panels] == [12, 11]
    for panel in panels:
        rows = results.table.set_index("key")
        for seed in panel.seeds:
            row = rows.loc[seed["key"]]
            assert (seed["loss"], seed["ratio"]) == (row["loss"], row["ratio"])
        for point in panel.fit.points:
            mine = [
                each["adjusted"] for each in panel.seeds if (each["depth"], each["width"]) == (point.depth, point.width)
            ]
            assert np.mean(mine) == pytest.approx(point.adjusted, rel=1e-12)
        assert panel.fit.r_star.value == pytest.approx(BEST_RATIO, rel=0.3)


def test_panels_share_one_relative_scale(results: RunResults) -> None:
    panels = loss_panels(results.analyses[0])
    limits = loss_limits(panels)
    best = [min(point.adjusted for point in panel.fit.points) for panel in panels]
    for end in ("floor", "top"):
        first, second = (getattr(each, end) / low for each, low in zip(limits[:2], best[:2], strict=True))
        assert first == pytest.approx(second, rel=1e-12)
    for panel, each in zip(panels, limits, strict=True):
        assert all(each.floor < seed["adjusted"] < each.top for seed in panel.seeds)
    low, high = ratio_limits(panels)
    assert all(low < seed["ratio"] < high for panel in panels for seed in panel.seeds)


def test_a_loss_far_above_does_not_flatten_the_rest(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), depths=(1, 2, 3, 4, 6, 48), seeds=(0,), best_ratio=0.05)
    panels = loss_panels(load_results(run).analyses[0])
    (low, high), best = loss_limits(panels)[0], min(seed["adjusted"] for seed in panels[0].seeds)
    assert high >= 1.2 * best
    assert max(seed["adjusted"] for seed in panels[0].seeds) > high
    assert low < best
    (drawn,) = draw_loss(panels, loss_unit="nats", confidence=0.9).panels
    above = [row for row in all_rows(drawn.chart) if row.get("said", "").startswith("48 layers")]
    assert len(above) == 2  # the mean and its seed are drawn at the top, not dropped
    assert all((row["loss"], row["sign"]) == (high, "triangle-up") for row in above)
    assert "triangles at the top" in draw_loss(panels, loss_unit="nats", confidence=0.9).caption


def test_a_curve_that_leaves_the_scale_has_a_triangle_there(results: RunResults) -> None:
    """Where a straight line through the curve's own numbers crosses the top."""
    panel = loss_panels(results.analyses[0])[0]
    curve = panel.fit.curve
    assert curve is not None
    steep = tuple(best * (1 + 50 * (best / min(curve.loss) - 1)) for best in curve.loss)
    fit = dataclasses.replace(panel.fit, curve=dataclasses.replace(curve, loss=steep))
    steep_panel = dataclasses.replace(panel, fit=fit)
    drawing = draw_loss([steep_panel], loss_unit="nats", confidence=0.9)
    ((_, top),) = loss_limits([steep_panel])
    marked = [row for row in all_rows(drawing.panels[0].chart) if set(row) == {"ratio", "loss"} and row["loss"] == top]
    assert marked
    for row in marked:
        at = np.interp(np.log(row["ratio"]), np.log(curve.ratio), steep)
        assert at == pytest.approx(top, rel=1e-6)
    assert "curves that lie above the scale" in drawing.caption


def test_numbers_of_layers_stand_above_the_panel_and_those_that_overlap_are_told(results: RunResults) -> None:
    panel = loss_panels(results.analyses[0])[0]
    few = depth_rows(panel.fit, ratio_limits([panel]))
    assert [row["depth"] for row in few] == [str(point.depth) for point in panel.fit.points]
    assert "overlap" not in draw_loss([panel], loss_unit="nats", confidence=0.9).caption
    first = panel.fit.points[0]
    crowd = (first, dataclasses.replace(first, ratio=first.ratio * 1.01, depth=17), *panel.fit.points[1:])
    crowded = dataclasses.replace(panel, fit=dataclasses.replace(panel.fit, points=crowd))
    assert "17" not in [row["depth"] for row in depth_rows(crowded.fit, ratio_limits([crowded]))]
    drawing = draw_loss([crowded], loss_unit="nats", confidence=0.9)
    assert "without those that would overlap" in drawing.caption
    (numbers,) = (each for each in layers(drawing.panels[0].chart) if each["mark"]["type"] == "text")
    assert numbers["encoding"]["y"]["value"] < 0


def test_curves_that_turn_without_bounds_are_said_to_turn(results: RunResults) -> None:
    fits = [panel.fit for panel in loss_panels(results.analyses[0])]
    status = [dataclasses.replace(fits[0].r_star, value=None, status=each) for each in ("open", "edge")]
    opened, edge = (dataclasses.replace(fits[0], r_star=each) for each in status)
    assert loss_message([opened]) == "The loss turns inside the shapes tried, but R* is not bounded on both sides"
    assert "turns inside the shapes tried at 1 of 2 budgets" in loss_message([opened, edge])
    assert loss_message([edge]).startswith("No budget shows")


def test_shapes_that_differ_much_are_points_and_not_arrows(results: RunResults) -> None:
    """Where the means themselves spread over twice the best loss, three in four of them stand in the panel."""
    panel = loss_panels(results.analyses[0])[0]
    points = tuple(dataclasses.replace(point, adjusted=1 + 0.2 * place) for place, point in enumerate(panel.fit.points))
    (limits,) = loss_limits([dataclasses.replace(panel, fit=dataclasses.replace(panel.fit, points=points), seeds=())])
    assert sum(point.adjusted <= limits.top for point in points) >= 0.75 * len(points)
    assert limits.top < points[-1].adjusted


def test_r_star_under_treatments_stands_in_a_strip_below_every_loss(tmp_path: Path) -> None:
    run = write_run(tmp_path / "two", budgets=(50_000, 100_000), treatments=("fixed", "completep"), views=())
    drawing = treatments_of_run(load_results(run))
    assert drawing is not None
    panel = drawing.panels[0]
    ground = next(each for each in layers(panel.chart) if each["mark"]["type"] == "rect")
    (strip,) = rows_of(panel.chart, ground)
    rows = all_rows(panel.chart)
    losses = [row["loss"] for row in rows if "shape" in row]
    stars = [row["loss"] for row in rows if "sign" in row]
    assert len(losses) == 2 * 6
    assert stars
    assert strip["low"] < min(stars) <= max(stars) < strip["high"] < min(losses)
    colours = next(each["encoding"]["color"] for each in layers(panel.chart) if "color" in each["encoding"])
    assert colours["scale"]["domain"] == ["CompleteP", "fixed"]


def test_the_second_panel_of_the_plane_is_above_chance(results: RunResults) -> None:
    rows = plane_rows(results.analyses[0])
    raw, above = draw_plane(rows, view="projected").panels
    shown = next(each for each in layers(above.chart) if each["encoding"].get("fill"))
    assert shown["encoding"]["y"]["field"] == "excess"
    assert rows_of(above.chart, shown) == rows
    chance = [each for each in layers(raw.chart) if each["encoding"].get("y", {}).get("field") == "null"]
    assert [rows_of(raw.chart, each) for each in chance] == [rows]
    assert len(page_specification(raw)["datasets"]) == 2  # one for all layers, and the frame's
    unknown = [{**row, "excess": None, "null": None} for row in rows]
    assert len(draw_plane(unknown, view="projected").panels) == 1


@pytest.mark.parametrize(
    ("probabilities", "said"),
    [
        ([0.5, 0.89, None, 0.2], "Which shapes are efficient is not determined"),
        ([0.95, 0.1, 0.2, 0.99], "The shape with the lowest loss is efficient in 1 of 2 budgets"),
        (
            [0.2, 0.95, 0.2, None],
            "The shape with the lowest loss is efficient in 0 of 2 budgets; 1 budget undecided",
        ),
        ([0.1, 0.95], "The shape with the lowest loss is not one of the efficient ones"),
        ([0.95, 0.95], "The shape with the lowest loss is one of the efficient ones"),
    ],
)
def test_the_plane_says_what_the_draws_decide(probabilities: list[float | None], said: str) -> None:
    """Two shapes a budget, the first of each with the lowest loss."""
    rows = [{"budget": i // 2, "loss": 0.1 * (i % 2), "probability": one} for i, one in enumerate(probabilities)]
    assert plane_message(rows).startswith(said)


def test_plane_holds_values_nulls_and_loss(results: RunResults) -> None:
    for analysis in results.analyses:
        points = plane_rows(analysis)
        assert len(points) == 12
        for point in points:
            table = results.table
            rows = table[
                (table["budget"] == point["budget"]) & (table["depth"] == point["depth"]) & (table["status"] == "done")
            ]
            for name, quantity in (
                ("aofe", "aofe"),
                ("aofe_ratio",) * 2,
                ("null", "null_ratio"),
                ("excess", "excess_ratio"),
            ):
                expected = rows[f"{analysis.view}_{quantity}"].mean()
                assert point[name] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        for budget in (50_000, 100_000):
            losses = [point["loss"] for point in points if point["budget"] == budget]
            assert min(losses) == 0


def test_the_front_and_how_sure_it_is(results: RunResults) -> None:
    for analysis in results.analyses:
        rows = plane_rows(analysis)
        for row in rows:
            others = [other for other in rows if other["budget"] == row["budget"] and other is not row]
            beaten = any(other["aofe"] <= row["aofe"] and other["aofe_ratio"] >= row["aofe_ratio"] for other in others)
            assert row["front"] == (not beaten)
        known = {(point.depth, point.width): point.front_probability for point in analysis.fit.budgets[0].points}
        for row in rows[: len(known)]:
            assert row["probability"] == known[row["depth"], row["width"]]
            assert f"efficient in {row['probability']:.0%} of the draws" in row["said"]
        panel = draw_plane(rows, view=analysis.view).panels[0].chart
        assert f"datum.probability >= {DECIDED}" in layers(panel)[-1]["transform"][0]["filter"]


def test_law_points_hold_the_grid_and_the_line_stays_between_optima(results: RunResults) -> None:
    fit = results.analyses[0].fit
    for budget in fit.budgets:
        ratios = sorted(point.ratio for point in budget.points)
        assert grid_of(budget) == (ratios[0], ratios[-1])
    line = law_line(fit)
    assert [line[0].params, line[-1].params] == pytest.approx([fit.budgets[0].params_mean, fit.budgets[-1].params_mean])
    first = dataclasses.replace(fit.budgets[0], r_star=dataclasses.replace(fit.budgets[0].r_star, value=None))
    assert law_line(dataclasses.replace(fit, budgets=(first, *fit.budgets[1:]))) == ()


def test_an_interval_of_a_single_shape_is_seen(results: RunResults) -> None:
    fit = results.analyses[0].fit
    (first, *others), known = fit.budgets, fit.budgets[0].loss_interval
    assert known is not None
    alone = dataclasses.replace(known, low=first.best.ratio, high=first.best.ratio)
    first = dataclasses.replace(first, loss_interval=alone)
    drawing = draw_fit(dataclasses.replace(fit, budgets=(first, *others)))
    for panel, kind, ends in ((drawing.panels[0], "rect", ("x", "x2")), (drawing.panels[-1], "rule", ("y", "y2"))):
        (gold,) = (
            each
            for each in layers(panel.chart)
            if each["mark"]["type"] == kind and each["mark"].get("color") == look.GOOD
        )
        row = rows_of(panel.chart, gold)[0]
        low, high = (row[gold["encoding"][end]["field"]] for end in ends)
        assert low < first.best.ratio < high < 1.1 * low


def test_the_gold_of_one_budget_is_explained(results: RunResults) -> None:
    first, second = loss_panels(results.analyses[0])
    assert second.fit.loss_interval is not None
    none = dataclasses.replace(first.fit, loss_interval=None)
    drawing = draw_loss([dataclasses.replace(first, fit=none), second], loss_unit="nats", confidence=0.9)
    assert "gold: loss within 1% of the best" in drawing.caption


def test_the_axis_of_sizes_says_what_the_headings_say(results: RunResults) -> None:
    """Shapes of 85k parameters under a budget of 100k of them, and under one that counts something else."""
    fit = dataclasses.replace(results.analyses[0].fit.budgets[1], params_mean=85_000.0)
    assert fit.kind == "params"
    assert size_text(fit) == "100k"
    assert size_text(dataclasses.replace(fit, kind="params_non_embedding")) == "85k"
    assert [size_text(dataclasses.replace(fit, kind="", params_mean=size)) for size in (85e3, 99e3)] == ["85k", "100k"]


def test_the_chart_of_a_fit_says_what_its_budgets_count(results: RunResults) -> None:
    fit = results.analyses[0].fit
    flops = tuple(dataclasses.replace(each, kind="train_flops") for each in fit.budgets)
    titles = [panel.title for panel in draw_fit(dataclasses.replace(fit, budgets=flops)).panels]
    assert titles[:2] == ["50k training FLOPs", "100k training FLOPs"]


def test_long_numbers_on_an_axis_are_of_one_face() -> None:
    """No superscripts, which the face of the labels lacks from 4 on."""
    dots = marks([{"x": 1e10, "y": 1e-8}], "point", x="x", y="y")
    x, y = log_axis("x", "x", limits=(1e9, 1e11)), log_axis("y", "y", limits=(1e-9, 1e-7))
    drawing = Drawing(message="m", caption="c", panels=(Panel(chart=layered(x, y, dots), title="t"),))
    svg = rendered(specification(drawing), form="svg").decode()
    assert {"1e9", "1e10", "1e11", "1e-8"} <= set(re.findall(r"<text[^>]*>([^<]+)</text>", svg))


def test_a_curve_without_an_optimum_is_not_drawn(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000, 100_000), best_ratio=1e-4, seeds=(0, 1), views=())
    fit = load_results(run).analyses[0].fit
    panels = loss_panels(load_results(run).analyses[0])
    assert [budget.r_star.status for budget in fit.budgets] != ["optimum", "optimum"]
    drawn = draw_loss(panels, loss_unit="nats", confidence=0.9).panels
    for budget, panel, limits in zip(fit.budgets, drawn, loss_limits(panels), strict=True):
        if budget.r_star.value is None:
            assert panel.note.startswith("no R*")
            # the thin line holds the shapes themselves: it cannot turn between them
            chart = panel.chart
            line = next(each for each in layers(chart) if each["mark"]["type"] == "line")
            expected = [min(point.adjusted, limits.top) for point in budget.points]
            assert [row["loss"] for row in rows_of(chart, line)] == expected
    assert "no optimum" in loss_message(fit.budgets) or "No budget" in loss_message(fit.budgets)


def test_published_lines_stay_where_their_source_speaks() -> None:
    laws = {law.name: law for law in published_laws()}
    lines = published_lines()
    assert len(lines) > 5
    for line in lines:
        law = laws[line["law"]]
        for params, ratio in zip(line["params"], line["ratio"], strict=True):
            assert law.params_low * (1 - 1e-9) <= params <= law.params_high * (1 + 1e-9)
            assert ratio == pytest.approx(law.ratio(params))


@pytest.mark.parametrize("kind", ["point", "circle", "square", "tick"])
def test_dots_are_opaque_unless_a_figure_says_otherwise(kind: str) -> None:
    dots = marks([{"x": 1.0, "y": 1.0}], kind, x="x", y="y")
    limits = (0.0, 2.0)
    chart = layered(linear_axis("x", "x", limits=limits), linear_axis("y", "y", limits=limits), dots)
    drawing = Drawing(message="m", caption="c", panels=(Panel(chart=chart, title="t"),))
    assert 'opacity="0.7"' not in rendered(specification(drawing), form="svg").decode()


def test_an_optimum_that_was_given_has_no_interval_and_none_is_promised() -> None:
    table = pd.DataFrame({"budget": [1e6, 1e7], "params": [1e6, 1e7], "depth": [4, 6], "width": [64, 96]})
    (first, _) = fit_law(table.assign(loss=[3.0, 2.5]), given=True).budgets
    assert star_note(first) == "R* = 0.0625 (given)"


def test_learning_curves_are_thinned_and_keep_their_end(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), depths=(2, 3), seeds=(0,))
    path = next(run.glob("trials/*/curve.csv"))
    rows = [f"{step},{step * 10},3.0,{'nan' if step == 5 else 2 + 1 / step},0.01" for step in range(1, 1001)]
    path.write_text("step,units,train_loss,val_loss,learning_rate\n" + "\n".join(rows) + "\n")
    curve = next(each for each in learning_curves(load_results(run)) if each["key"] == path.parent.name)
    assert len(curve["units"]) <= MOST_POINTS
    assert (curve["units"][-1], curve["val_loss"][-1]) == (10_000, 2.001)
    assert all(math.isfinite(loss) for loss in curve["val_loss"])


def test_many_learning_curves_have_fewer_points_each(results: RunResults, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves_figure, "MOST_OF_PANEL", 24)
    assert {len(curve["units"]) for curve in learning_curves(results) if curve["budget"] == 50_000} == {2}


def test_ticks_are_round_and_few() -> None:
    for low, high in ((0.011, 0.012), (0.011, 0.3), (1e-4, 1e4), (2.1, 2.9)):
        ticks = nice_ticks(low, high)
        assert len(ticks) <= 6
        assert all(low <= tick <= high for tick in ticks)


def test_every_file_is_written(results: RunResults, tmp_path: Path) -> None:
    written = write_figures(results.path, tmp_path / "new" / "folder", formats=("svg",))
    assert [path.stem for path in written] == names(results)
    assert all(path.read_bytes().startswith(b"<svg") for path in written)
    again = write_figures(results.path, tmp_path / "again", formats=("svg",))
    assert [path.read_bytes() for path in again] == [path.read_bytes() for path in written]


def test_formats_are_what_they_say(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), depths=(2, 3), seeds=(0,), views=())
    signatures = {"png": b"\x89PNG", "pdf": b"%PDF"}
    for path in write_figures(run, tmp_path / "out", formats=("png", "pdf")):
        assert path.read_bytes().startswith(signatures[path.suffix[1:]])
    assert not list((tmp_path / "out").glob("interaction-*"))


def test_other_tasks_have_their_units_and_no_language_models(results: RunResults) -> None:
    assert "best-ratio-published" in names(results)
    vectors = dataclasses.replace(results, task="vectors", units=VectorTaskSpec().units)
    assert "best-ratio-published" not in names(vectors)
    loss = next(drawing for name, _, drawing in drawings(vectors) if name == "loss-against-ratio")
    assert "test loss (mean squared error)" in str(loss.panels[0].chart)


def test_each_treatment_has_its_panels(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", budgets=(50_000,), treatments=("fixed", "mup"), views=("loss",), seeds=(0,))
    results = load_results(run)
    found = {name: drawing for name, _, drawing in drawings(results)}
    for name in ("loss-against-ratio", "best-ratio", "interaction-plane", "learning-curves"):
        assert {panel.belongs["treatment"] for panel in found[name].panels} == {"fixed", "mup"}, name
    assert "treatments" in found
    stars = [each.fit.budgets[0].r_star.value for each in results.analyses]
    assert stars == pytest.approx([BEST_RATIO, 1.5 * BEST_RATIO], rel=0.3)


def test_page_and_file_are_drawn_from_one_definition(results: RunResults) -> None:
    for name, _, drawing in drawings(results):
        together = whole(drawing).to_dict()  # Altair checks it
        charts = together.get("concat", [together])
        for panel, chart in zip(drawing.panels, charts, strict=True):
            shown = page_specification(panel)
            assert shown["width"] == "container"
            kinds = [layer["mark"]["type"] for layer in shown["layer"]]
            assert kinds == [layer["mark"]["type"] for layer in chart["layer"]], (name, panel.title)
            told = [rows_of(shown, layer) for layer in shown["layer"]]
            assert [len(rows) for rows in told] == [len(rows_of(together, layer)) for layer in chart["layer"]]
            assert drawing.message


def test_a_figure_from_outside_is_one_line(results: RunResults, tmp_path: Path) -> None:
    def draw(results: RunResults) -> Drawing:
        rows = alt.InlineData(values=[{"loss": loss} for loss in results.table["loss"].dropna()])
        chart = alt.layer(alt.Chart(rows).mark_tick().encode(x="loss:Q"))
        return Drawing(message="Losses", caption="One tick a trial.", panels=(Panel(chart=chart, title="Losses"),))

    register(Figure(name="my-losses", title="My losses", draw=draw))
    try:
        assert names(results)[-1] == "my-losses"
        written = write_figures(results.path, tmp_path, formats=("svg",))
        assert written[-1].name == "my-losses.svg"
        assert 'id="my-losses"' in page(results)
    finally:
        del FIGURES["my-losses"]


def test_wrong_format_and_place(tmp_path: Path) -> None:
    with pytest.raises(InterlawError, match=r"expected figure formats of png, svg, pdf, found gif"):
        write_figures(tmp_path, tmp_path, formats=("gif",))
    with pytest.raises(InterlawError, match=r"expected figure formats .* found none"):
        write_figures(tmp_path, tmp_path, formats=())
    run = write_run(tmp_path / "run", budgets=(50_000,), depths=(2, 3), seeds=(0,), views=())
    (tmp_path / "file").write_text("")
    with pytest.raises(InterlawError, match="expected to write"):
        write_figures(run, tmp_path / "file", formats=("svg",))


@pytest.mark.parametrize(
    "options",
    [
        {"budgets": (50_000,), "seeds": (0,), "depths": (2,)},
        {"budgets": (50_000,), "depths": (1, 2), "views": ("loss",)},
        {"budgets": (50_000,), "best_ratio": 1e-4, "views": ()},
        {"budgets": (50_000,), "best_ratio": 10.0, "seeds": (0,), "views": ()},
    ],
)
def test_odd_runs_are_drawn(tmp_path: Path, options: dict[str, object]) -> None:
    results = load_results(write_run(tmp_path / "run", **options))  # type: ignore[arg-type]
    for _, _, drawing in drawings(results):
        assert rendered(specification(drawing), form="svg").startswith(b"<svg")
