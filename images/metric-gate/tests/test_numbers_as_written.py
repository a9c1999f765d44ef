from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metric_gate.numbers_as_written import MAX_DIGITS, MAX_EXPONENT, minus, number, plain, shorter, times

digits = st.text("0123456789", min_size=1, max_size=40)
exponents = st.integers(-300, 300)
written = st.builds(
    lambda sign, whole, rest, exponent: f"{sign}{int(whole)}{rest}{exponent}",
    st.sampled_from(["", "-", "+"]), digits, digits.map(lambda d: f".{d}") | st.just(""),
    exponents.map(lambda e: f"e{e}") | st.just(""),
)  # fmt: skip


@given(written)
def test_a_number_keeps_its_text_and_its_exact_value(text):
    found = number(text)
    assert found is not None
    assert found.text == text
    assert Fraction(found.value) == Fraction(text)


@given(written, written)
def test_arithmetic_never_rounds(one, other):
    left, right = number(one), number(other)
    assert Fraction(minus(left.value, right.value)) == Fraction(one) - Fraction(other)
    assert Fraction(times(left.value, right.value)) == Fraction(one) * Fraction(other)


@given(written)
def test_a_number_in_a_message_is_exact(text):
    assert Fraction(plain(number(text).value)) == Fraction(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "NaN",
        "inf",
        "Infinity",
        "1,5",
        "0.9%",
        "010",
        "-007",
        "1_000",
        "0x10",
        "1e",
        "e5",
        ".",
        "1 2",
        "½",
        "١",
    ],
)
def test_what_is_no_plain_decimal_is_no_number(text):
    assert number(text) is None


@pytest.mark.parametrize("text", ["1e1000", "-1e-1000", "9" * 1000, "0e99999", "0." + "0" * 900 + "1"])
def test_numbers_far_beyond_floats_are_numbers(text):
    assert number(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        f"1e{MAX_EXPONENT + 1}",
        f"1e-{MAX_EXPONENT + 1}",
        "9" * (MAX_DIGITS + 1),
        "1e" + "9" * 30,
        "0e" + "9" * 30,
        "1" * 10**6,
    ],
)
def test_numbers_beyond_all_measure_are_refused_and_cost_nothing(text):
    assert number(text) is None


def test_the_widest_numbers_still_subtract_exactly():
    largest, smallest = number("9" * 1000), number("1." + "1" * 999 + "e-1000")
    assert Fraction(minus(largest.value, smallest.value)) == Fraction(largest.value) - Fraction(smallest.value)


@pytest.mark.parametrize(
    ("text", "shown"), [("0.0100", "0.01"), ("1e3", "1000"), ("-0.0", "0"), ("1e-7", "0.0000001"), ("1e300", "1E+300")]
)
def test_messages_show_short_numbers_plainly(text, shown):
    assert plain(number(text).value) == shown


@given(written, written)
def test_a_shortened_number_compares_as_the_whole_one_does(text, beside):
    value, other = number(text).value, number(beside).value
    shown = number(shorter(value, beside=other)).value
    assert (shown < other, shown > other) == (value < other, value > other)
    assert abs(Fraction(shown) - Fraction(value)) <= abs(Fraction(value)) / 1000
