"""The contract between a Task's YAML and its program's command line.

A Task mirrors its program: the same params with the same types and defaults, the same results, an optional workspace
for every option that takes one. And what is true on paper must be true of real command lines: they are built as Tekton
builds them, from the values in :data:`AWKWARD` among others, and parsed as the program parses them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from catalog.checks.manifests import manifests
from catalog.checks.tree_files import finding_at
from catalog.engine.documents import Document
from catalog.engine.findings import Finding
from catalog.engine.substitution import Replacements, Value
from catalog.program_declarations import program_behind
from catalog.tree import Tree
from taskkit.command_line import Arguments, Option, Program, parse
from taskkit.errors import UsageError

AWKWARD = (
    "", "-", "--", "-x", "--script=other", "two words", " leading", "line\nline\n", "it's \"quoted\"", "a=b=c",
    "$(HOME)", "$$(HOME)", "$(params.script)", "`id`; $HOME", "%s", "{dataset}", "\\", "größe 模型 🌲", "*",
)  # fmt: skip

_RESULTS = "/tekton/results/"
_WORKSPACES = "/workspace/"
_SOURCE = "$(workspaces.source.path)"


@dataclass(frozen=True)
class Contract:
    """A Task and the program that it runs."""

    task: Document
    program: Program

    @cached_property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.task.body["spec"]
        return spec

    @cached_property
    def params(self) -> dict[str, dict[str, Any]]:
        return {param["name"]: param for param in self.spec.get("params") or []}

    @cached_property
    def options(self) -> dict[str, Option]:
        """The options that are params; the others are workspaces."""
        return {option.name: option for option in self.program.options if not option.workspace}

    @cached_property
    def workspaces(self) -> dict[str, dict[str, Any]]:
        return {workspace["name"]: workspace for workspace in self.spec.get("workspaces") or []}

    def wrong(self, field: str, message: str, remedy: str) -> Finding:
        return finding_at(self.task.position(field), "contract", message, remedy)

    def argv(self, values: Mapping[str, Value], bound: bool = True) -> list[str]:
        """The step's command line without the program's name, as Tekton builds it from the params' values."""
        known: dict[str, Value] = {}
        for name, param in self.params.items():
            if name in values or "default" in param:
                known[f"params.{name}"] = values.get(name, param.get("default", ""))
        for result in self.spec.get("results") or []:
            known[f"results.{result['name']}.path"] = _RESULTS + result["name"]
        for name, workspace in self.workspaces.items():
            there = bound or not workspace.get("optional")
            known[f"workspaces.{name}.path"] = _WORKSPACES + name if there else ""
            known[f"workspaces.{name}.bound"] = "true" if there else "false"
        step = self.spec["steps"][0]
        return Replacements(known).items([*(step.get("command") or []), *(step.get("args") or [])])[1:]

    def given(self, values: Mapping[str, Value], bound: bool = True) -> Arguments:
        """What the program understands. Raises UsageError."""
        return parse(self.program, self.argv(values, bound))

    def required(self) -> dict[str, Value]:
        """Values for the params that have no default."""
        return {
            name: ["given"] if param.get("type") == "array" else "given"
            for name, param in self.params.items()
            if "default" not in param
        }

    def expected(self, option: Option, value: Value) -> Value:
        """What the program must understand when the param has this value: empty means not given."""
        if isinstance(value, str) and value == "" and not option.allows_empty:
            return str(option.default)
        return value


def contracts(root: Path) -> list[Contract]:
    """Every Task of the tree in its newest version with its program; older ones go with older programs."""
    programs = [(document, program_behind(document.body)) for document in _newest(root)]
    return [Contract(document, program) for document, program in programs if program]


def _newest(root: Path) -> Iterator[Document]:
    tree = Tree(root)
    for document in manifests(root):
        if document.kind == "Task" and tree.versions("Task", document.name)[-1:] == (document.path.parent.name,):
            yield document


def findings(root: Path) -> list[Finding]:
    found = [one for document in _newest(root) for one in _runs(document, program_behind(document.body))]
    return found + [one for contract in contracts(root) for one in (*mirrored(contract), *understood(contract))]


def _runs(task: Document, program: Program | None) -> Iterator[Finding]:
    """The step runs a program of this catalog, in the workspace."""
    step, where = task.body["spec"]["steps"][0], task.position("spec.steps[0]")
    if not program:
        message = f"'{step.get('image')}' is no image of a program in images/ that declares its options"
        yield finding_at(where, "contract", message, "run one, or write it")
    elif step.get("command") != [program.name]:
        yield finding_at(where, "contract", f"the command is {step.get('command')}", f"write [{program.name}]")
    if step.get("workingDir") != _SOURCE:
        message = f"workingDir is {step.get('workingDir')}: relative paths lead elsewhere"
        yield finding_at(where, "contract", message, f"write {_SOURCE}")


def mirrored(contract: Contract) -> Iterator[Finding]:
    """Names, types, defaults, results and workspaces, compared as they are declared."""
    name = contract.program.name
    for option in contract.options.keys() - contract.params.keys():
        yield contract.wrong("spec.params", f"{name} has --{option}, the Task no such param", "add it")
    for index, (param, declared) in enumerate(contract.params.items()):
        where = f"spec.params[{index}]"
        if param not in contract.options:
            yield contract.wrong(where, f"{name} has no option --{param}", "remove it, or add the option")
            continue
        yield from _one_param(contract, where, declared, contract.options[param])
    declared_results = [result["name"] for result in contract.spec.get("results") or []]
    program_results = [result.name for result in contract.program.results]
    if sorted(declared_results) != sorted(program_results):
        message = f"the Task declares {declared_results}, {name} gives {program_results}"
        yield contract.wrong("spec.results", message, "declare the same results")
    optional = sorted(name for name, workspace in contract.workspaces.items() if workspace.get("optional"))
    options = sorted(option.name for option in contract.program.options if option.workspace)
    if optional != options:
        message = f"optional workspaces are {optional}, {name} has options for {options}"
        yield contract.wrong("spec.workspaces", message, "let there be one for each")


def _one_param(contract: Contract, where: str, param: dict[str, Any], option: Option) -> Iterator[Finding]:
    kind = "array" if option.is_array else "string"
    if param.get("type", "string") != kind:
        message = f"{option.name} is of type {param.get('type')}, the option takes {kind}"
        yield contract.wrong(where, message, f"write type: {kind}")
    if option.required and "default" in param:
        yield contract.wrong(where, f"--{option.name} must be given, the param has a default", "remove the default")
    if option.required:
        return
    default = list(option.default) if isinstance(option.default, tuple) else option.default
    if param.get("default") != default:
        message = f"the default of {option.name} is {param.get('default')!r}, the option's is {default!r}"
        yield contract.wrong(f"{where}.default", message, "write the option's")


def understood(contract: Contract) -> Iterator[Finding]:
    """Awkward values reach the program as they are, each by itself and in the company of all defaults."""
    try:
        yield from _results_and_workspaces(contract)
        for name, option in contract.options.items():
            if name in contract.params:
                for value in _values(option):
                    yield from _arrives(contract, option, value)
    except UsageError as error:
        message = f"the program refuses its own Task's command line: {error}"
        yield contract.wrong("spec.steps[0].args", message, "build it by the rules of taskkit.command_line")


def _values(option: Option) -> Iterator[Value]:
    texts = option.choices or AWKWARD
    if not option.is_array:
        yield from (text for text in texts if text or not option.required)
        return
    values = [text for text in texts if option.free or not text.startswith("-")]
    yield from ([], values, [values[-1]], *([text] for text in values if text == ""))


def _arrives(contract: Contract, option: Option, value: Value) -> Iterator[Finding]:
    given, alone = contract.given(contract.required() | {option.name: value}), contract.given(contract.required())
    got, wrong = understood_as(given, option), partial(contract.wrong, "spec.steps[0].args")
    if got != contract.expected(option, value):
        message = f"param {option.name} = {value!r} reaches the program as {got!r}"
        yield wrong(message, f"pass it as {_passed(option)}")
    others = [other for other in contract.options.values() if other != option]
    if strayed := [one.name for one in others if understood_as(given, one) != understood_as(alone, one)]:
        message = f"param {option.name} = {value!r} changes {', '.join(strayed)}"
        yield wrong(message, f"pass it as {_passed(option)}")


def understood_as(arguments: Arguments, option: Option) -> Value:
    """What the program was given for an option."""
    return list(arguments.array(option.name)) if option.is_array else arguments[option.name]


def _passed(option: Option) -> str:
    if option.free:
        return f"the last elements: --, $(params.{option.name}[*])"
    if option.is_array:
        return f"the elements --{option.name}, $(params.{option.name}[*])"
    return f"one element --{option.name}=$(params.{option.name})"


def _results_and_workspaces(contract: Contract) -> Iterator[Finding]:
    arguments, where = contract.given(contract.required()), "spec.steps[0].args"
    files = {name: str(path) for name, path in arguments.result_files.items()}
    expected = {result.name: _RESULTS + result.name for result in contract.program.results}
    if files != expected:
        message = f"results go to {files}, not to {expected}"
        yield contract.wrong(where, message, "write --result, then name=$(results.name.path) for each")
    unbound = contract.given(contract.required(), bound=False)
    for name in (option.name for option in contract.program.options if option.workspace):
        if (arguments[name], unbound[name]) != (_WORKSPACES + name, ""):
            message = f"workspace {name} reaches the program as {arguments[name]!r}"
            yield contract.wrong(where, message, f"pass it as --{name}=$(workspaces.{name}.path)")
