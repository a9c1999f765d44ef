"""The algebra of the rules: examples from the design, and laws that hold for all numbers."""

from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from metric_gate.baseline import Baseline
from metric_gate.decision import check_all, default_rules, verdict_of, worst
from metric_gate.metrics_document import parse_metrics
from metric_gate.numbers_as_written import number
from metric_gate.rules_document import RELATIVE, Rule, parse_rules
from taskkit.errors import UsageError
from taskkit.gate_report import Check

BOUNDS = ("min", "max", "max_drop", "max_drop_ratio", "min_gain")
values = (
    st.decimals(-1000, 1000, places=4).map(str)
    | st.floats(-1e9, 1e9).map(repr)
    | st.integers(-(10**30), 10**30).map(str)
)
limits = st.decimals(0, 100, places=4).map(str)
directions = st.sampled_from(["higher", "lower"])


def metrics(**texts):
    return parse_metrics(
        ("{" + ",".join(f'"{name}":{text}' for name, text in texts.items()) + "}").encode(), "metrics.json"
    )


def baseline(**texts):
    return Baseline("metrics-file", metrics(**texts)) if texts else Baseline()


def decide(bound, limit, candidate, before=None, direction="higher"):
    rule = Rule("m", {bound: number(limit)}, direction)
    (check,) = check_all([rule], metrics(m=candidate), baseline(**({} if before is None else {"m": before})))
    return check


def verdict(*args, **more):
    return decide(*args, **more).verdict


@pytest.mark.parametrize(
    ("bound", "limit", "candidate", "before", "direction", "expected"),
    [
        ("max_drop", "0.01", "0.94", "0.95", "higher", "pass"),  # what floats get wrong
        ("max_drop", "0.01", "0.9399999999999999999999", "0.95", "higher", "fail"),
        ("max_drop", "0", "0.950", "0.95", "higher", "pass"),
        ("max_drop", "0", "0.3", "0.30000000000000004", "higher", "fail"),
        ("max_drop", "0.1", "0.5", "0.4", "lower", "pass"),
        ("max_drop", "0.1", "0.51", "0.4", "lower", "fail"),
        ("max_drop_ratio", "0.02", "98", "100", "higher", "pass"),
        ("max_drop_ratio", "0.02", "97.9", "100", "higher", "fail"),
        ("max_drop_ratio", "0.1", "-11", "-10", "higher", "pass"),  # against |baseline|, as R2 and neg_ scorers need
        ("max_drop_ratio", "0.1", "-11.1", "-10", "higher", "fail"),
        ("max_drop_ratio", "0.1", "1.1", "1", "lower", "pass"),
        ("min_gain", "0.01", "0.96", "0.95", "higher", "pass"),
        ("min_gain", "0.01", "0.9599", "0.95", "higher", "fail"),
        ("min_gain", "0.01", "0.94", "0.95", "lower", "pass"),
        ("min_gain", "0", "0.95", "0.95", "higher", "pass"),
        ("min", "0.9", "0.9", None, "higher", "pass"),
        ("min", "0.9", "9e-1", None, "higher", "pass"),
        ("min", "0.9", "0.89999999999999999999999", None, "higher", "fail"),
        ("max", "1e3", "1000", None, "lower", "pass"),
        ("max", "123456789012345678901234567890", "123456789012345678901234567891", None, "lower", "fail"),
        ("max_drop", "0", "1" + "0" * 400, "1" + "0" * 399 + "1", "higher", "fail"),
        ("max_drop", "1e-300", "1", "1.0" + "0" * 298 + "1", "higher", "pass"),
    ],
)
def test_examples(bound, limit, candidate, before, direction, expected):
    assert verdict(bound, limit, candidate, before, direction=direction) == expected


@given(st.sampled_from(BOUNDS), limits, values, values, directions)
def test_every_bound_means_what_exact_fractions_say(bound, limit, candidate, before, direction):
    assume(bound != "max_drop_ratio" or Fraction(before))
    new, old, at = Fraction(candidate), Fraction(before), Fraction(limit)
    gain = new - old if direction == "higher" else old - new
    holds = {
        "min": new >= at, "max": new <= at, "max_drop": -gain <= at, "max_drop_ratio": -gain <= at * abs(old), "min_gain": gain >= at,
    }[bound]  # fmt: skip
    assert verdict(bound, limit, candidate, before, direction=direction) == ("pass" if holds else "fail")


@given(st.sampled_from(sorted(RELATIVE)), limits, values, values)
def test_lower_is_higher_with_the_signs_turned(bound, limit, candidate, before):
    assume(bound != "max_drop_ratio" or Fraction(before))

    def turned(text):
        return text[1:] if text.startswith("-") else f"-{text}"

    assert verdict(bound, limit, candidate, before, direction="higher") == verdict(
        bound, limit, turned(candidate), turned(before), direction="lower"
    )


@given(st.sampled_from(["max_drop", "max_drop_ratio"]), limits, values, directions)
def test_equal_to_the_baseline_is_never_worse(bound, limit, value, direction):
    assume(bound != "max_drop_ratio" or Fraction(value))
    assert verdict(bound, limit, value, value, direction=direction) == "pass"


@given(st.sampled_from(["max_drop", "max_drop_ratio", "max"]), limits, limits, values, values, directions)
def test_a_looser_bound_never_fails_what_a_tighter_one_passed(bound, one, other, candidate, before, direction):
    assume(bound != "max_drop_ratio" or Fraction(before))
    tight, loose = sorted((one, other), key=Fraction)
    if verdict(bound, tight, candidate, before, direction=direction) == "pass":
        assert verdict(bound, loose, candidate, before, direction=direction) == "pass"


@given(st.sampled_from(sorted(RELATIVE)), limits, values, values, values, directions)
def test_a_better_model_never_fails_where_a_worse_one_passed(bound, limit, one, other, before, direction):
    assume(bound != "max_drop_ratio" or Fraction(before))
    worse, better = sorted((one, other), key=Fraction, reverse=direction == "lower")
    if verdict(bound, limit, worse, before, direction=direction) == "pass":
        assert verdict(bound, limit, better, before, direction=direction) == "pass"


@given(limits, values, directions)
def test_without_a_baseline_a_relative_bound_decides_nothing_and_an_absolute_one_all_the_same(limit, value, direction):
    for bound in RELATIVE:
        assert verdict(bound, limit, value, direction=direction) == "no-baseline"
    for bound in ("min", "max"):
        assert verdict(bound, limit, value, direction=direction) in ("pass", "fail")


@pytest.mark.parametrize("zero", ["0", "0.0", "-0", "0e5"])
def test_a_ratio_to_a_baseline_of_zero_is_an_error_and_never_a_pass(zero):
    with pytest.raises(UsageError, match=r"m\.max_drop_ratio 0\.1 means nothing: its baseline is .*; use max_drop"):
        decide("max_drop_ratio", "0.1", "5", zero)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("NaN", "m is NaN, not a finite number"),
        ("Infinity", "m is Infinity, not a finite number"),
        ("-Infinity", "m is -Infinity, not a finite number"),
        ("1e400000", "m is 1e400000, not a finite number"),
        ("null", "m is null, not a finite number"),
        ("true", "m is true, not a finite number"),
        ('"0.95"', "m is the text '0.95', not a finite number"),
        ("[0.95]", "m is a list, not a finite number"),
        ('{"mean": 0.95}', "m is an object, not a finite number"),
    ],
)
@pytest.mark.parametrize("bound", BOUNDS)
def test_what_is_no_number_fails_whatever_the_bound(bound, written, said):
    check = decide(bound, "0", written, "0.1")
    assert (check.rule, check.verdict, check.message) == ("present", "fail", said)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"acuracy": "0.9"}, "accuracy is missing; did you mean acuracy?"),
        ({"test_accuracy": "0.9", "f1": "1"}, "accuracy is missing; did you mean test_accuracy?"),
        ({"test": '{"accuracy": 0.9}'}, ("accuracy is missing; it stands further down as test.accuracy, and metrics are the "
                                        "numbers at the top level")),
        ({"rows": "1", "f1": "1"}, "accuracy is missing; the model has f1, rows"),
        ({}, "accuracy is missing; the model has no metrics"),
    ],
)  # fmt: skip
def test_a_missing_metric_fails_and_names_near_matches(found, said):
    (check,) = check_all(parse_rules("accuracy: {min: 0.1, max_drop: 0}", "rules"), metrics(**found), Baseline())
    assert (check.rule, check.verdict, check.candidate, check.message) == ("present", "fail", "", said)


def test_a_baseline_that_is_no_number_is_an_error_where_a_rule_asks_for_it():
    with pytest.raises(UsageError, match="the baseline of 'm' is NaN, not a finite number"):
        decide("max_drop", "0", "1", "NaN")
    assert verdict("min", "0", "1", "NaN") == "pass"


def test_a_baseline_without_the_metric_names_near_matches():
    (check,) = check_all(
        parse_rules("accuracy: {max_drop: 0}", "rules"), metrics(accuracy="1"), baseline(acc="1", accuraci="1")
    )
    assert (check.verdict, check.message) == ("no-baseline", "the baseline has no accuracy; it has accuraci")


@pytest.mark.parametrize(
    ("bound", "limit", "candidate", "before", "said"),
    [
        ("max_drop", "0.01", "0.90", "0.95", "0.90 is 0.05 worse than 0.95, and may be worse by 0.01"),
        ("max_drop", "0", "0.90", "0.95", "0.90 is 0.05 worse than 0.95, and may not be worse"),
        ("max_drop_ratio", "0.02", "97", "100", "97 is 3 worse than 100, and may be worse by 2 (0.02 of |100|)"),
        ("min_gain", "0.1", "0.95", "0.95", "0.95 is equal to 0.95, and must be better by 0.1"),
        ("max_drop", "0", "0.96", "0.95", "0.96 is 0.01 better than 0.95"),
        ("min", "0.9", "0.8", None, "0.8 is less than 0.9"),
        (
            "max_drop",
            "0.01",
            "0.7555555555555555",
            "0.9",
            "0.7555555555555555 is 0.1444 worse than 0.9, and may be worse by 0.01",
        ),
        (
            "max_drop",
            "0.01",
            "0.8899999999",
            "0.9",
            "0.8899999999 is 0.0100000001 worse than 0.9, and may be worse by 0.01",
        ),
        ("max_drop", "0.01", "0.8900000001", "0.9", "0.8900000001 is 0.0099999999 worse than 0.9"),
        ("min_gain", "0.1", "0.99999999", "0.9", "0.99999999 is 0.09999999 better than 0.9, and must be better by 0.1"),
    ],
)
def test_the_message_says_by_how_much(bound, limit, candidate, before, said):
    assert decide(bound, limit, candidate, before).message == said


# Verdicts


def check(verdict, severity="error"):
    return Check("m", "min", "0", None, severity, "1", "", verdict, "because")


checks = st.lists(
    st.builds(check, st.sampled_from(["pass", "fail", "no-baseline"]), st.sampled_from(["error", "warning"])),
    min_size=1,
)
missing = st.sampled_from(["warn", "fail"])
RANK = {"pass": 0, "no-baseline": 1, "fail": 2}


@given(checks, checks)
def test_one_more_check_never_makes_the_verdict_better(some, more):
    assert RANK[worst([*some, *more])] == max(RANK[worst(some)], RANK[worst(more)])


@given(checks, st.randoms(), missing, st.booleans())
def test_the_order_of_the_rules_does_not_matter(some, random, on_missing, override):
    mixed = random.sample(some, len(some))
    assert verdict_of(some, on_missing, override=override) == verdict_of(mixed, on_missing, override=override)


@given(checks, missing, st.booleans())
def test_warnings_decide_nothing(some, on_missing, override):
    kept = [*some, check("pass")]
    harmless = [one for one in kept if one.severity == "error"]
    assert verdict_of(kept, on_missing, override=override) == verdict_of(harmless, on_missing, override=override)


@given(checks, missing)
def test_an_override_replaces_only_fail(some, on_missing):
    plain, overridden = (verdict_of(some, on_missing, override=override) for override in (False, True))
    if plain[0] != "fail":
        assert overridden == plain
    elif on_missing == "fail" and any(one.verdict == "no-baseline" and one.severity == "error" for one in some):
        assert overridden == ("fail", False)
    else:
        assert overridden == ("overridden", True)


@given(checks, missing)
def test_what_is_approved(some, on_missing):
    verdict, approved = verdict_of(some, on_missing, override=False)
    assert approved == (verdict == "pass" or (verdict == "no-baseline" and on_missing == "warn"))


def test_no_checks_at_all_are_never_a_pass():
    assert verdict_of([], "warn", override=False) == ("no-baseline", True)
    assert verdict_of([], "fail", override=True) == ("no-baseline", False)


# The default rule


def test_by_default_no_shared_metric_of_known_direction_may_be_worse():
    rules = default_rules(
        metrics(accuracy="1", loss="1", custom="1", f1="NaN", recall="1"),
        baseline(accuracy="1", loss="1", custom="1", f1="1"),
    )
    assert [(rule.metric, rule.direction, rule.bounds["max_drop"].text) for rule in rules] == [
        ("accuracy", "higher", "0"), ("f1", "higher", "0"), ("loss", "lower", "0"),
    ]  # fmt: skip


def test_by_default_and_without_a_baseline_the_known_metrics_of_the_model_wait_for_one():
    found = metrics(accuracy="1", custom="1", f1="NaN")
    rules = default_rules(found, Baseline())
    assert [check.verdict for check in check_all(rules, found, Baseline())] == ["no-baseline", "fail"]
    assert default_rules(metrics(custom="1"), Baseline()) == ()


@pytest.mark.parametrize(
    ("candidate", "before", "said"),
    [
        ({"custom": "1"}, {"custom": "2"}, ("the candidate has custom, the baseline has custom, and nothing is known of their direction; "
                                           "give rules, for example: custom: {max_drop: 0, direction: higher}")),
        ({"f1": "0.7"}, {"accuracy": "2"}, ("the candidate has f1, the baseline has accuracy, and they share none; "
                                           "give rules, for example: f1: {min: 0.7}")),
        ({}, {"accuracy": "2"}, ("the candidate has no metrics, the baseline has accuracy, and they share none; give rules, for example: "
                                "accuracy: {min: 0.9}")),
    ],
)  # fmt: skip
def test_a_baseline_with_nothing_to_compare_is_an_error_with_a_rule_to_paste(candidate, before, said):
    with pytest.raises(UsageError) as caught:
        default_rules(metrics(**candidate), baseline(**before))
    assert str(caught.value) == f"there is a baseline, but nothing to compare: {said}"
    pasted = said.partition("for example: ")[2]
    assert parse_rules(pasted, "rules")


def test_a_check_shows_numbers_as_they_were_written():
    check = decide("max_drop", "1e-2", "0.940", "0.95000")
    assert (check.candidate, check.baseline, check.bound) == ("0.940", "0.95000", "1e-2")
