"""Sizes and depth lists as people write them: `300k`, `3M`, `1.2B`; `1-24`, `2-16:2`, `1,2,4`."""

from __future__ import annotations

import math
import re
import reprlib
from fractions import Fraction

from interlaw.errors import InterlawError

# powers of ten; g as in giga, beside the b of billion
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"([0-9]*\.?[0-9]+(?:e[+-]?[0-9]+)?)\s*([kmbgt]?)")
_RANGE = re.compile(r"([0-9]+)(?:-([0-9]+)(?::([0-9]+))?)?")
UNEVEN = 0.1  # sizes of one budget that differ by more move the loss by about as much as the shape does
_LARGEST = 1e27  # FLOPs: above every training run known; what is larger is a slip of the keyboard
_LONGEST = 40  # characters of a size: all digits of the largest, and a fraction; more only cost time
_DEEPEST = 100_000  # layers: far beyond any network; a list of all depths stays small


def parse_size(text: str | int | float) -> int:
    """Reads a size such as `300k`, `3M`, `1.2B` or `1e18` as a whole number.

    Args:
        text: The size; a number is taken as it is. Units are powers of ten: k, M, B (or G), T.

    Returns:
        The size as an integer, at least 1.

    Raises:
        InterlawError: When it is not a positive finite number with one of these units.

    Example:
        >>> parse_size("1.2B")
        1200000000
    """
    cleaned = str(text).strip().lower().replace("_", "").replace(",", "")
    match = _SIZE.fullmatch(cleaned)
    if match is None or len(cleaned) > _LONGEST:
        shown = repr(text) if isinstance(text, bool) else reprlib.repr(str(text))
        raise InterlawError(
            f"expected a size such as 300k, 3M or 1.2B, found {shown}; write a number with an optional unit"
        )
    value = float(match[1]) * _UNITS[match[2]]
    if not math.isfinite(value) or not 1 <= value <= _LARGEST:
        raise InterlawError(f"expected a size between 1 and 1e27, found {str(text)!r}; choose one in that range")
    return round(Fraction(match[1]) * _UNITS[match[2]])  # exact, where a float would drop digits beyond the 16th


def format_size(number: float, *, padded: bool = False) -> str:
    """Writes a count the short way, with at most three significant digits.

    Args:
        number: The count.
        padded: Whether to keep zeros at the end, as columns do: always three digits from 100 to the last unit.

    Example:
        >>> format_size(3_000_000), format_size(49_600), format_size(512), format_size(999_800)
        ('3M', '49.6k', '512', '1M')
        >>> format_size(2.02e19)  # millions of T: a unit does not help any more
        '2.02e19'
        >>> format_size(3_000_000, padded=True), format_size(350_000, padded=True)
        ('3.00M', '350k')
    """
    form = "#.3g" if padded else ".3g"
    if abs(number) >= 1e18:  # a million T
        return f"{number:{form}}".replace("e+", "e")
    for unit, scale in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        # with three digits .9995 rounds to the next unit's 1.00, and 999.5 of T to 1e+03
        if abs(number) >= 0.9995 * scale:
            few = abs(number) < 999.5 * scale
            return f"{number / scale:{form}}".rstrip(".") + unit if few else f"{number / scale:.0f}{unit}"
    return f"{number:{form}}".rstrip(".")


def format_bytes(count: float) -> str:
    """A number of bytes with a decimal unit and three digits, so that a column of them lines up.

    Example:
        >>> format_bytes(41_000), format_bytes(29_700), format_bytes(512)
        ('41.0kB', '29.7kB', '512B')
    """
    return f"{format_size(count, padded=True).replace('B', 'G')}B"


def format_ratio(ratio: float | None) -> str:
    """R = depth / width as tables, sentences and figures of the package write it: finer than any R* is known.

    None, an R that is unknown, is a dash.

    Example:
        >>> format_ratio(1 / 12), format_ratio(0.125), format_ratio(1 / 4096), format_ratio(250)
        ('0.0833', '0.1250', '0.000244', '250')
    """
    if ratio is None:
        return "-"
    # an R that no network has is the end of an interval far outside the sizes measured: three digits say enough
    return f"{ratio:.4f}" if 0.001 <= ratio < 10 else f"{ratio:.3g}"


def format_range(low: float | None, high: float | None, *, form: str = "") -> str:
    """An interval, of R when no form is given; an end that the data do not set is said in words.

    Example:
        >>> format_range(0.02, 0.065), format_range(None, 0.05), format_range(None, None)
        ('0.0200 to 0.0650', 'below 0.0500', '-')
        >>> format_range(-0.01, 0.05, form="+.1%")
        '-1.0% to +5.0%'
    """
    if low is None and high is None:
        return "-"
    first, last = ("" if end is None else f"{end:{form}}" if form else format_ratio(end) for end in (low, high))
    return f"{first} to {last}" if first and last else f"above {first}" if first else f"below {last}"


def format_share(share: float) -> str:
    """A tolerance or another small share in per cent, without zeros that say nothing.

    Example:
        >>> format_share(0.01), format_share(0.005)
        ('1%', '0.5%')
    """
    return f"{100 * share:.2g}%"


def counted(number: int, what: str) -> str:
    """A number with what it counts, in the plural unless it is one.

    Example:
        >>> counted(1, "layer"), counted(3, "layer"), counted(0, "trial")
        ('1 layer', '3 layers', '0 trials')
    """
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def parse_depths(text: str) -> list[int]:
    """Reads a list of depths: single numbers, ranges `1-24`, ranges with a step `2-16:2`, joined by commas.

    Returns:
        The depths in increasing order, each once.

    Raises:
        InterlawError: When a part is not of that form, or a depth is below 1 or above 100,000.

    Example:
        >>> parse_depths("1-3,6,8-12:2")
        [1, 2, 3, 6, 8, 10, 12]
    """
    depths: set[int] = set()
    for part in str(text).split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None:
            raise InterlawError(
                f"expected depths such as 1-24, 2-16:2 or 1,2,4, found {reprlib.repr(str(text))}; write positive whole "
                "numbers"
            )
        first, last, step = int(match[1]), int(match[2] or match[1]), int(match[3] or 1)  # groups of FIRST-LAST:STEP
        if not 1 <= first <= last <= _DEEPEST or step < 1:
            raise InterlawError(
                f"expected depths from 1 to {_DEEPEST} in increasing order, found {part.strip()!r}; change the range"
            )
        depths.update(range(first, last + 1, step))
    return sorted(depths)
