from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interlaw.errors import InterlawError
from interlaw.size import format_size, parse_depths, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("300k", 300_000),
        ("3M", 3_000_000),
        ("3m", 3_000_000),
        ("1.2B", 1_200_000_000),
        ("1.2G", 1_200_000_000),
        ("2T", 2 * 10**12),
        (" 7 k ", 7000),
        (".5M", 500_000),
        ("1e18", 10**18),
        ("2.5e3k", 2_500_000),
        ("1_000_000", 1_000_000),
        ("1,000,000", 1_000_000),
        (512, 512),
        (3e6, 3_000_000),
        ("1", 1),
    ],
)
def test_sizes_as_people_write_them(text: str | float, size: int) -> None:
    assert parse_size(text) == size


@given(st.integers(1, 10**27))
def test_a_whole_number_is_taken_as_it_is(number: int) -> None:
    assert parse_size(number) == number
    assert parse_size(str(number)) == number


@given(st.integers(1, 10**14))
def test_formatted_size_reads_back_to_three_digits(number: int) -> None:
    assert parse_size(format_size(number)) == pytest.approx(number, rel=0.0051)


@pytest.mark.parametrize(
    "text", ["", "k", "-3M", "3 Mio", "3MB", "nan", "inf", "1e", "0x10", "one", "1" * 41, True, "3..5M"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InterlawError, match=r"expected a size such as 300k, 3M or 1.2B, found .*; write a number"):
        parse_size(text)


@pytest.mark.parametrize("text", ["0", "0.4", "0k", "1e28", "1e99999999", "1e-99999999", "9e15T"])
def test_sizes_out_of_range_are_refused_at_once(text: str) -> None:
    with pytest.raises(InterlawError, match="expected a size between 1 and 1e27, found"):
        parse_size(text)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (999, "999"),
        (1000, "1k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (2.5e9, "2.5B"),
        (1e15, "1000T"),
        (123_456_789, "123M"),
    ],
)
def test_formatted_sizes(number: float, text: str) -> None:
    assert format_size(number) == text


@pytest.mark.parametrize(
    ("text", "depths"),
    [
        ("1-4", [1, 2, 3, 4]),
        ("2-16:2", [2, 4, 6, 8, 10, 12, 14, 16]),
        ("2-7:3", [2, 5]),
        ("8,1,4", [1, 4, 8]),
        ("3,1-3", [1, 2, 3]),
        (" 5 , 6 ", [5, 6]),
        ("100000", [100_000]),
    ],
)
def test_depths_as_people_write_them(text: str, depths: list[int]) -> None:
    assert parse_depths(text) == depths


@pytest.mark.parametrize("text", ["", "a", "1-", "-3", "1..4", "1,,2", "1.5", "1-4:2:1", "1 2"])
def test_what_is_no_list_of_depths_is_refused(text: str) -> None:
    with pytest.raises(InterlawError, match="expected depths such as 1-24, 2-16:2 or 1,2,4, found"):
        parse_depths(text)


@pytest.mark.parametrize("text", ["0", "4-1", "0-3", "1-4:0", "100001", "1-999999999999"])
def test_depths_out_of_range_are_refused(text: str) -> None:
    with pytest.raises(InterlawError, match="expected depths from 1 to 100000 in increasing order, found"):
        parse_depths(text)
