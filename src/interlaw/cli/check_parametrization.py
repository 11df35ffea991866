"""`interlaw check-parametrization`: does one learning rate serve every width and depth?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from typer import Argument, Option

from interlaw import report, sweep, training
from interlaw.cli.options import FigureFile
from interlaw.cli.output import AsJson, make_console, print_json, write_figure
from interlaw.errors import InterlawError, WorkFailedError, require_among

RECIPE = "fair.toml"
FACTORS = (1, 2, 4, 8)  # of the base: judgement, three doublings show a slope
_MULTIPLES = ", ".join(map(str, FACTORS))
STEPS = 400  # of a rate curve: judgement, long enough for rates to differ and short enough to wait for
# an optimum needs a rate on both sides; no network trains at a thousand, which is a slip of the pen
FEWEST_RATES, HIGHEST_RATE = 3, 1e3
SOME_RATES = "2e-3,4e-3,8e-3"  # examples in help and refusals
SOME_SIZES = {"--widths": "32,64,128", "--depths": "2,4,8"}


def check_parametrization(
    recipe: Annotated[
        Path | None, Argument(metavar="RECIPE.toml", help="Family, data and training; small GPTs when not given.")
    ] = None,
    treatment: Annotated[list[str] | None, Option(help="standard, mup or completep; all three when not given.")] = None,
    widths: Annotated[
        str | None, Option(help=f"Such as {SOME_SIZES['--widths']}; the base times {_MULTIPLES} when not given.")
    ] = None,
    depths: Annotated[
        str | None, Option(help=f"Such as {SOME_SIZES['--depths']}; the base times {_MULTIPLES} when not given.")
    ] = None,
    base_width: Annotated[int | None, Option(help="The recipe's own when not given.")] = None,
    base_depth: Annotated[int | None, Option(help="The recipe's own when not given.")] = None,
    rate: Annotated[float | None, Option(help="Learning rate at the base; the recipe's when not given.")] = None,
    rates: Annotated[
        str | None, Option(help=f"Also find each size's best rate among these, such as {SOME_RATES}.")
    ] = None,
    steps: Annotated[int | None, Option(min=1, help="With --rates: training steps a rate.")] = None,
    seeds: Annotated[int | None, Option(min=1, help="With --rates: seeds a rate; losses are their means.")] = None,
    figure: FigureFile = None,
    as_json: AsJson = False,
) -> None:
    """The coordinate check of a treatment.

    Activations must move alike in every shape. Exit 1 when a claim does not hold.
    """
    if figure is not None:
        report.require_figure_name(figure)
    bench = _bench(recipe, width=base_width, depth=base_depth)
    chosen = tuple(dict.fromkeys(treatment or training.RULES))
    for name in chosen:
        require_among("--treatment", name, known=training.RULES.names())
    wide, deep = _sizes(widths, "--widths", base=bench.base_width), _sizes(depths, "--depths", base=bench.base_depth)
    peak = rate or bench.recipe.training.learning_rate
    if peak is None:
        raise InterlawError("expected a learning rate, found none in the recipe; give --rate")
    tried = _rates(rates) if rates else ()
    if not tried and (steps or seeds):
        raise InterlawError("--steps and --seeds belong to --rates, found none; give --rates, or leave them out")
    checks = list(sweep.coordinate_checks(bench, parametrizations=chosen, widths=wide, depths=deep, rate=peak))
    curves = []
    if tried:
        curves = list(
            sweep.rate_curves(
                bench,
                parametrizations=chosen,
                widths=wide,
                depths=deep,
                rates=tried,
                steps=steps or STEPS,
                seeds=range(seeds or 1),
            )
        )
    write_figure(figure, lambda: report.draw_checks(checks))
    if figure is not None and curves:
        beside = figure.with_name(f"{figure.stem}-rates{figure.suffix}")
        write_figure(beside, lambda: report.draw_rate_curves(curves))
    if as_json:
        told = [{**vars(check), "is_flat": check.is_flat} for check in checks]
        print_json({"checks": told, "rate_curves": curves})
    else:
        show(checks, curves)
    broken = [
        f"{check.parametrization} over {check.axis}"
        for check in checks
        if check.axis in training.RULES[check.parametrization].axes and not check.is_flat
    ]
    if broken:
        where = ", ".join(broken)
        raise WorkFailedError(f"activations do not move alike: {where}; do not carry one learning rate across shapes")


def show(checks: list[training.CoordinateCheck], curves: list[sweep.RateCurve]) -> None:
    """Prints a row a check, and a row a rate curve."""
    console = make_console(stderr=False)
    console.print_rows(
        ("parametrization", "over", "sizes", "last block moves", "slope", "outputs move", "slope", "alike"),
        [
            (
                check.parametrization, check.axis, " ".join(map(str, check.sizes)),
                " ".join(f"{values[-1]:.2g}" for values in check.stream), f"{check.stream_slope:+.2f}",
                " ".join(f"{values[-1]:.2g}" for values in check.outputs), f"{check.outputs_slope:+.2f}",
                "yes" if check.is_flat else "no",
            )
            for check in checks
        ],
    )  # fmt: skip
    if curves:
        console.print()
        console.print_rows(
            ("parametrization", "over", "size", "best rate", "of each seed", "losses"),
            [
                (
                    curve.parametrization, curve.axis, str(curve.size),
                    f"{curve.best_rate:.2g}{' (edge)' if curve.at_edge else ''}",
                    " ".join(f"{best:.2g}" for best in curve.seed_best_rates),
                    ", ".join(f"{rate:.2g}: {loss:.4f}" for rate, loss in zip(curve.rates, curve.losses, strict=True)),
                )
                for curve in curves
            ],
        )  # fmt: skip


def _bench(recipe: Path | None, *, width: int | None, depth: int | None) -> sweep.Bench:
    """The recipe's bench, or that of the small GPTs shipped with the package."""
    if recipe is None:
        parsed, folder = sweep.parse_recipe(sweep.packaged_recipe(RECIPE), source=RECIPE), Path.cwd()
    else:
        parsed, folder = sweep.read_recipe(recipe)[0], recipe.parent
    return sweep.make_bench(parsed, folder=folder, width=width, depth=depth)


def _sizes(text: str | None, option: str, *, base: int) -> tuple[int, ...]:
    """Numbers between commas, or multiples of the base."""
    if text is None:
        return tuple(base * factor for factor in FACTORS)
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise InterlawError(
            f"expected {option} such as {SOME_SIZES[option]}, found {text!r}; write whole numbers between commas"
        )
    return tuple(sorted({int(part) for part in parts}))


def _rates(text: str) -> tuple[float, ...]:
    """Enough positive rates between commas."""
    try:
        rates = tuple(sorted({float(part) for part in text.split(",")}))
    except ValueError:
        rates = ()
    if len(rates) < FEWEST_RATES or not all(0 < rate < HIGHEST_RATE for rate in rates):
        raise InterlawError(f"expected --rates such as {SOME_RATES}, found {text!r}; give at least {FEWEST_RATES}")
    return rates
