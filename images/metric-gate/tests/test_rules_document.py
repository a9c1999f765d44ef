from decimal import Decimal

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from metric_gate.rules_document import BOUNDS, RELATIVE, parse_rules
from taskkit.errors import UsageError


def refusal(text):
    with pytest.raises(UsageError) as caught:
        parse_rules(text, "rules")
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_every_field_is_read_with_numbers_as_they_were_written():
    rules = parse_rules(
        """
        accuracy: {min: 0.950, max: 1, max_drop: 1e-2, max_drop_ratio: .5, min_gain: 0, severity: warning}
        my_index:
          max_drop: 3
          direction: lower
        """,
        "rules",
    )
    accuracy, my_index = rules
    assert {bound: limit.text for bound, limit in accuracy.bounds.items()} == {
        "min": "0.950", "max": "1", "max_drop": "1e-2", "max_drop_ratio": ".5", "min_gain": "0",
    }  # fmt: skip
    assert accuracy.bounds["max_drop"].value == Decimal("0.01")
    assert (accuracy.direction, accuracy.severity) == ("higher", "warning")
    assert (my_index.direction, my_index.severity) == ("lower", "error")
    assert my_index.as_applied() == {"max_drop": "3", "direction": "lower", "severity": "error"}


def test_json_is_yaml_too():
    (rule,) = parse_rules('{"rmse": {"max": 1.5E+2}}', "rules")
    assert rule.bounds["max"].value == 150


@pytest.mark.parametrize("text", ["", "  \n", "# nothing\n"])
def test_blanks_and_comments_are_no_rules(text):
    assert parse_rules(text, "rules") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy: {mim: 0.9}", "accuracy.mim is not a field of a rule; did you mean min? it takes: min, max, max_drop"),
        ("accuracy: {max-drop: 0}", "did you mean max_drop?"),
        ("accuracy: {threshold: 0}", "accuracy.threshold is not a field of a rule; it takes: min, max"),
        ("accuracy: {max_drop: '0.1'}", "accuracy.max_drop is '0.1', not a number; write for example max_drop: 0.01, without quotes"),
        ("accuracy: {max_drop: !!float '0.1'}", "not a number"),
        ("accuracy: {max_drop: !python/object:x 0.1}", "not a number"),
        ("accuracy: {min: [0.9]}", "accuracy.min is a list, not a number"),
        ("accuracy: {min: {a: 1}}", "accuracy.min is a map, not a number"),
        ("accuracy: {min: }", "accuracy.min is '', not a number"),
        ("accuracy: {min: yes}", "accuracy.min is yes, not a number"),
        ("accuracy: {min: 2026-01-01}", "accuracy.min is 2026-01-01, not a number"),
        ("accuracy: {max_drop: 1%}", "accuracy.max_drop is 1%, not a plain decimal number; write a share: 2 % is 0.02"),
        ("accuracy: {min: 010}", "accuracy.min is 010, not a plain decimal number"),
        ("accuracy: {min: 1_000}", "not a plain decimal number"),
        ("accuracy: {min: 1:30}", "not a plain decimal number"),
        ("accuracy: {min: 0x1f}", "not a plain decimal number"),
        ("accuracy: {min: 1e5000}", "not a plain decimal number"),
        ("accuracy: {min: .nan}", "accuracy.min is .nan, which is not finite"),
        ("accuracy: {max: -.INF}", "accuracy.max is -.INF, which is not finite"),
        ("accuracy: {max: Infinity}", "which is not finite"),
        ("accuracy: {max_drop: -0.1}", "accuracy.max_drop is -0.1, less than 0; for the opposite there is min_gain"),
        ("accuracy: {min_gain: -0.1}", "less than 0; for the opposite there is max_drop"),
        ("accuracy: {min: 0.9, max: 0.8}", "accuracy.min is 0.9, more than accuracy.max, 0.8; no value can satisfy both"),
        ("accuracy: {}", "the rule of 'accuracy' has no bound; add one of min, max, max_drop"),
        ("accuracy: {direction: higher}", "has no bound"),
        ("accuracy: {min: 1, direction: up}", "accuracy.direction is up; it takes one of: higher, lower"),
        ("accuracy: {min: 1, severity: fatal}", "accuracy.severity is fatal; it takes one of: error, warning"),
        ("accuracy: {min: 1, severity: [error]}", "accuracy.severity is a list"),
        ("accuracy: 0.9", "the rule 'accuracy: 0.9' is a number, not a map; write for example accuracy: {min: 0.9}"),
        ("accuracy:", "is empty, not a map"),
        ("[accuracy]", "rules are a list, not a map of metrics"),
        ("0.9", "rules are a number, not a map"),
        ("---\n", "rules are empty, not a map of metrics"),
        ("{}", "the map of rules is empty"),
        ("? [a]\n: {min: 1}", "a metric is a list, not a name"),
        ("accuracy: {min: 0.9, min: 0.5}", "accuracy: 'min' is given twice, first in line 1"),
        ("acuracy: {max_drop: 0}", ("acuracy.max_drop needs a direction, and nothing is known of a metric 'acuracy' "
                                   "(known names like it: accuracy); add direction: higher or direction: lower")),
        ("my_index: {max_drop_ratio: 0.1}", "my_index.max_drop_ratio needs a direction"),
        ("a: {min: 1}\n---\nb: {min: 1}", "not YAML"),
        ("a: {min: 1", "not YAML"),
        ("a: \x01", "not YAML"),
        ("a: *nothing", "not YAML"),
        ("[" * 100_000, "nested too deeply"),
        ("a: &a {min: *a}", "a.min is a map, not a number"),
        ("#" * (1 << 21), "more than 1048576 characters"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_field_and_a_remedy(text, said):
    message = refusal(text)
    assert said in message
    assert message.startswith("rules")
    assert "\n" not in message


def test_the_line_of_a_wrong_rule_is_named():
    assert refusal("accuracy: {min: 0.9}\n\nf1:\n  min: high\n").startswith("rules line 4: f1.min is high")
    assert refusal("accuracy: {min: 1}\nf1: {min: 1}\naccuracy: {max: 2}").startswith(
        "rules line 3: metric 'accuracy' is given twice, first in line 1"
    )


def test_bounds_of_a_value_need_no_direction():
    (rule,) = parse_rules("my_index: {min: 1, max: 2}", "rules")
    assert rule.direction is None


def test_a_direction_overrides_what_the_name_says():
    (rule,) = parse_rules("accuracy: {max_drop: 0, direction: lower}", "rules")
    assert rule.direction == "lower"


numbers = st.decimals(0, 1000, allow_nan=False, allow_infinity=False, places=3).map(str)


@given(
    st.dictionaries(
        st.text("abcdefgh_/ é:#'\"", min_size=1, max_size=8),
        st.tuples(st.sampled_from(sorted(RELATIVE)), numbers, st.sampled_from(["higher", "lower"])),
        min_size=1, max_size=5,
    )
)  # fmt: skip
def test_whatever_a_yaml_writer_writes_is_read_back(wanted):
    text = "".join(
        yaml.safe_dump({metric: 0}).strip().removesuffix("0") + f"{{{bound}: {value}, direction: {direction}}}\n"
        for metric, (bound, value, direction) in wanted.items()
    )
    found = parse_rules(text, "rules")
    assert {rule.metric: next((bound, limit.text) for bound, limit in rule.bounds.items()) for rule in found} == {
        metric: (bound, value) for metric, (bound, value, _) in wanted.items()
    }


@given(st.text(max_size=60) | st.text("{}[]:,- \n'\"&*!#|>%@`acinmx_0.9e", max_size=60))
def test_any_text_gives_rules_or_a_usage_error_of_one_line(text):
    message = ""
    try:
        parse_rules(text, "rules")
    except UsageError as error:
        message = str(error)
    assert "\n" not in message


def test_every_bound_is_described():
    assert all(text.endswith(".") for text in BOUNDS.values())
    assert set(BOUNDS) >= RELATIVE
