"""Params: defaults, what is given, what does not fit."""

from __future__ import annotations

import pytest

from catalog.engine.params import (
    ParamError,
    ParamSpec,
    from_command_line,
    pipeline_values,
    problems,
    task_values,
)


def declared(*bodies):
    return tuple(ParamSpec.of(body) for body in bodies)


def test_the_type_is_told_by_the_default_or_the_properties():
    types = [
        ParamSpec.of(body).type
        for body in (
            {"name": "a"},
            {"name": "a", "default": ["x"]},
            {"name": "a", "default": {"k": "v"}},
            {"name": "a", "properties": {"k": {}}},
            {"name": "a", "type": "array"},
        )
    ]
    assert types == ["string", "array", "object", "object", "array"]


def test_a_tasks_default_that_names_another_param_takes_that_params_default():
    specs = declared({"name": "tag", "default": "dev"}, {"name": "image", "default": "app:$(params.tag)"})
    assert task_values(specs, {"tag": "1.0"}) == {"tag": "1.0", "image": "app:dev"}


def test_a_pipelines_default_that_names_another_param_takes_the_value_given():
    specs = declared(
        {"name": "image", "default": "$(params.registry)/app:$(params.tag)"},
        {"name": "all", "type": "array", "default": ["$(params.image)", "x"]},
        {"name": "registry", "default": "local"},
        {"name": "tag", "default": "dev"},
    )
    values = pipeline_values(specs, {"tag": "1.0"})
    assert values["image"] == "local/app:1.0"
    assert values["all"] == ["local/app:1.0", "x"]


def test_defaults_in_a_circle_are_named():
    specs = declared({"name": "a", "default": "$(params.b)"}, {"name": "b", "default": "$(params.a)"})
    with pytest.raises(ParamError, match="a → b → a"):
        pipeline_values(specs, {})


def test_a_taskruns_partial_object_is_filled_up_from_the_default():
    specs = declared({"name": "o", "properties": {"a": {}, "b": {}}, "default": {"a": "1", "b": "2"}})
    assert task_values(specs, {"o": {"b": "3"}}) == {"o": {"a": "1", "b": "3"}}


def test_undeclared_params_are_accepted():
    assert task_values((), {"extra": "x"}) == {"extra": "x"}


def test_what_does_not_fit_is_told_by_name():
    specs = declared(
        {"name": "needed"},
        {"name": "list", "type": "array"},
        {"name": "o", "properties": {"a": {}, "b": {}}},
    )
    assert problems(specs, {"list": "x", "o": {"a": "1"}}) == [
        "param needed (string) has no default and no value was given",
        "param list is of type array, but the value given is of type string",
        "param o lacks the keys b",
    ]


SPECS = declared({"name": "s"}, {"name": "l", "type": "array"}, {"name": "o", "type": "object"})


def test_values_on_the_command_line_follow_the_declared_type():
    given = from_command_line(SPECS, ["s=a=b", 'l=["x", "-y"]', 'o={"k": "v"}'])
    assert given == {"s": "a=b", "l": ["x", "-y"], "o": {"k": "v"}}
    assert from_command_line(SPECS, ['s=["not", "parsed"]']) == {"s": '["not", "parsed"]'}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("s", "write it as name=value"),
        ("=x", "write it as name=value"),
        ("ghost=1", "there is no param ghost here; declared are: s, l, o"),
        ("l=a,b", "l is an array; write JSON such as"),
        ("l=[1, 2]", "l is an array of strings"),
        ("l=5", "l is an array of strings"),
        ('l={"a": "b"}', "l is an array of strings"),
        ("o=5", "o is an object of strings"),
        ('o={"a": 1}', "o is an object of strings"),
    ],
)
def test_a_wrong_option_is_refused_with_what_to_write(assignment, message):
    with pytest.raises(ParamError, match="--param") as caught:
        from_command_line(SPECS, [assignment])
    assert message in str(caught.value)
