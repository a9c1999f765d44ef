"""Tasks and the command lines of their programs: what a param holds is what the program understands."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from catalog.checks import contract
from catalog.engine.expansion import expand
from catalog.environments import ROOT
from taskkit.errors import UsageError

CONTRACTS = {one.task.name: one for one in contract.contracts(ROOT)}
EVERY_PARAM = [(task, param) for task, one in CONTRACTS.items() for param in one.params]
# Tekton replaces variables once, so what a value brings along stays; surrogates can't be in a command line.
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(
    contract.AWKWARD
)


def values_of(option):
    if option.choices:
        return st.sampled_from(option.choices)
    if not option.is_array:
        return TEXT.filter(bool) if option.required else TEXT
    return st.lists(TEXT if option.free else TEXT.filter(lambda text: not text.startswith("-")), max_size=4)


def test_every_task_has_a_program_with_a_declaration():
    assert sorted(CONTRACTS) == ["metric-gate", "model-serve-build", "sklearn-train"]


@pytest.mark.parametrize("task", CONTRACTS)
def test_a_task_declares_what_its_program_declares(task):
    assert list(map(str, contract.mirrored(CONTRACTS[task]))) == []


@pytest.mark.parametrize("task", CONTRACTS)
def test_awkward_values_results_and_workspaces_arrive(task):
    assert list(map(str, contract.understood(CONTRACTS[task]))) == []


@pytest.mark.parametrize("task", CONTRACTS)
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(data=st.data())
def test_all_params_at_once_arrive_as_they_are(task, data):
    one = CONTRACTS[task]
    values = {name: data.draw(values_of(option), label=name) for name, option in one.options.items()}
    arguments = one.given(values)
    for name, option in one.options.items():
        assert contract.understood_as(arguments, option) == one.expected(option, values[name]), name


@pytest.mark.parametrize(("task", "param"), EVERY_PARAM)
def test_a_value_stays_in_its_element_when_kubernetes_replaces_variables_in_it(task, param):
    one = CONTRACTS[task]
    option = one.options[param]
    if option.choices:
        return
    value = ["$(HOME) $$(HOME) $(UNKNOWN)"] if option.is_array else "$(HOME) $$(HOME) $(UNKNOWN)"
    argv = [expand(element, {"HOME": "/a b"}) for element in one.argv(one.required() | {param: value})]
    got = contract.understood_as(contract.parse(one.program, argv), option)
    assert got in ("/a b $(HOME) $(UNKNOWN)", ["/a b $(HOME) $(UNKNOWN)"])


@pytest.mark.parametrize("task", CONTRACTS)
def test_a_required_param_that_is_empty_is_refused_by_its_name(task):
    one = CONTRACTS[task]
    for name in one.required():
        with pytest.raises(UsageError, match=f"--{name} is required"):
            one.given(one.required() | {name: ""})


@pytest.mark.parametrize(
    ("task", "old", "new", "message"),
    [
        ("metric-gate", "--rules=$(params.rules)\n", "--rules\n        - $(params.rules)\n", "refuses its own Task's"),
        ("metric-gate", "--rules=$(params.rules)", "--rules=$(params.rules-file)", "param rules = '-' reaches the"),
        ("metric-gate", "        - --rules=$(params.rules)\n", "", "param rules = '-' reaches the program as ''"),
        ("metric-gate", 'default: "warn"', 'default: "fail"', "default of on-missing-baseline is 'fail', the option's"),
        ("metric-gate", "name: override", "name: overrule", "metric-gate has --override, the Task no such param"),
        ("metric-gate", "name: override", "name: overrule", "metric-gate has no option --overrule"),
        ("metric-gate", "verdict=$(results", "approval=$(results", "results go to"),
        ("metric-gate", "- name: verdict", "- name: outcome", "the Task declares ['outcome', 'approval', 'summary']"),
        ("metric-gate", "      optional: true\n", "", "optional workspaces are [], metric-gate has options for"),
        ("metric-gate", "--baseline=$(workspaces.baseline.path)", "--baseline=b", "workspace baseline reaches"),
        ("metric-gate", "command: [metric-gate]", "command: [sh, -c]", "the command is ['sh', '-c']"),
        ("metric-gate", "/metric-gate:", "/gate:", "' is no image of a program in images/"),
        ("metric-gate", "workingDir: $(workspaces.source.path)", "workingDir: /tmp", "workingDir is /tmp"),
        ("sklearn-train", "type: array", "type: string", "is of type string, the option takes array"),
        ("sklearn-train", "        - --\n", "", "unrecognized arguments: --data-path"),
        (
            "model-serve-build",
            "- name: image\n",
            '- name: image\n      default: ""\n',
            "--image must be given, the param",
        ),
    ],
)
def test_a_task_that_differs_from_its_program_is_found(copy, task, old, new, message):
    copy.keep(task)
    copy.change("task", task, old, new)
    found = [str(one) for one in contract.findings(copy.root)]
    assert any(message in one and f"{task}.yaml:" in one for one in found), found
