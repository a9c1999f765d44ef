"""The rules of ``matrix``. Source: https://tekton.dev/docs/pipelines/matrix/, and how Tekton counts and gathers
(:mod:`catalog.engine.matrix`), which is not always what is meant: of that a warning."""

from __future__ import annotations

from typing import Any

from catalog.engine import matrix as fanning
from catalog.engine import references
from catalog.engine.validation import graph
from catalog.engine.validation.declarations import scope_of
from catalog.engine.validation.parts import Part, Sheet, duplicates, texts_below


def check(sheet: Sheet, tasks: list[Part]) -> None:
    """The matrices of one section; Tekton looks at ``tasks`` and ``finally`` each by itself."""
    for task in tasks:
        matrix = task.part("matrix")
        for params in (matrix.parts("params"), *(one.parts("params") for one in matrix.parts("include"))):
            for again, _ in duplicates(params):
                message = f"the param {again.text('name')!r} is given twice"
                sheet.error("duplicate-name", again.at("name"), message, "remove one")
        _check_given_once(sheet, task)
        _check_count(sheet, task)
    matrixed = {task.text("name"): task for task in tasks if graph.matrix_params(task)}
    _check_uses(sheet, tasks, matrixed)


def check_results(sheet: Sheet, spec: Part) -> None:
    """Results of the pipeline that a matrix should feed."""
    tasks = [*spec.parts("tasks"), *spec.parts("finally")]
    used = {use.task for task in tasks for use in graph.results_used(task)}
    forgotten = {task.text("name") for task in tasks if graph.matrix_params(task)} - used
    for result in spec.parts("results"):
        for use in graph.results_in(texts_below(result.body.get("value"), result.at("value"))):
            if use.task in forgotten:
                message = (
                    f"{use.reference.text!r}: Tekton gathers results of a matrix only for tasks that use one of them"
                )
                remedy = "let a task take it as a param, too, else the run fails with CouldntGetPipelineResult"
                sheet.warning("matrix", use.where, message, remedy, use.reference.start)


def _plain(task: Part) -> dict[str, Any]:
    """The matrix with nothing but what counts."""
    matrix = task.part("matrix")
    return {
        "params": _values(matrix),
        "include": [{"params": _values(one)} for one in matrix.parts("include")],
    }


def _values(holder: Part) -> list[dict[str, Any]]:
    return [{"name": one.text("name"), "value": one.body.get("value")} for one in holder.parts("params")]


def _check_count(sheet: Sheet, task: Part) -> None:
    if not graph.matrix_params(task):
        return
    matrix, where = _plain(task), task.part("matrix").at("params" if "params" in task.part("matrix") else "include")
    count = fanning.count(matrix)
    if count > fanning.MOST:
        message = f"the matrix makes {count} runs, more than {fanning.MOST}"
        sheet.error("matrix", where, message, "split it")
    elif not any("$(" in str(one["value"]) for one in fanning.params_of(matrix)) and not fanning.wrong_type(matrix):
        combinations = len(fanning.fan_out(matrix))
        if combinations != count and not fanning.is_empty(matrix):
            effect = "some get no values" if combinations < count else "some are dropped"
            message = f"Tekton counts {count} runs and makes {combinations} combinations: {effect}"
            remedy = "give each entry of 'include' at most one value that 'params' do not have"
            sheet.warning("matrix", task.part("matrix").at("include"), message, remedy)


def _check_uses(sheet: Sheet, tasks: list[Part], matrixed: dict[str, Part]) -> None:
    last: list[graph.ResultUse] = []
    for task in tasks:
        for param in task.parts("params"):
            uses = list(graph.results_in(texts_below(param.body.get("value"), param.at("value"))))
            if uses:
                last = uses
            for use in uses:
                if use.task in matrixed and use.reference.index != "*":
                    message = f"{use.reference.text!r}: results of a matrix come all together"
                    sheet.error("matrix", use.where, message, "write [*] behind it", use.reference.start)
            _check_lengths(sheet, param, matrixed)
    for task in tasks:
        for use in graph.results_in(graph.own_texts(task)):
            declared = scope_of(matrixed[use.task].part("taskSpec").parts("results")) if use.task in matrixed else {}
            if use.result in declared and declared[use.result].type != "string":
                message = f"{use.reference.text!r}: a matrix gathers results of the type string only"
                # Of all params with results the webhook judges the last one.
                refused = any(use.where == one.where for one in last)
                add = sheet.error if refused else sheet.warning
                add("matrix", use.where, message, "write JSON into a string result", use.reference.start)


def _check_lengths(sheet: Sheet, param: Part, matrixed: dict[str, Part]) -> None:
    for where, text in texts_below(param.body.get("value"), param.at("value")):
        for reference in references.find(text):
            if reference.root == "tasks" and reference.path[2:] == ("matrix", "length"):
                task = matrixed.get(reference.path[1])
                values = (one for own in graph.matrix_params(task) for one in own.all_texts()) if task else ()
                if any(True for _ in graph.results_in(values)):
                    message = f"{reference.text!r} is counted before the results are known that the matrix takes"
                    remedy = "ask for $(tasks.<task>.matrix.<result>.length)"
                    sheet.warning("matrix", where, message, remedy, reference.start)


def _check_given_once(sheet: Sheet, task: Part) -> None:
    names = {param.text("name") for param in graph.matrix_params(task)}
    for param in task.parts("params"):
        if param.text("name") in names:
            message = f"the param {param.text('name')!r} is given in 'params' and in 'matrix'"
            sheet.error("matrix", param.at("name"), message, "remove one")
