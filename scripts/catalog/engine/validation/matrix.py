"""The rules of ``matrix``. Source: https://tekton.dev/docs/pipelines/matrix/"""

from __future__ import annotations

import math

from catalog.engine.validation import graph
from catalog.engine.validation.parts import Part, Sheet, duplicates

MOST = 256


def check(sheet: Sheet, tasks: list[Part]) -> None:
    for task in tasks:
        matrix = task.part("matrix")
        for params in (matrix.parts("params"), *(one.parts("params") for one in matrix.parts("include"))):
            for again, _ in duplicates(params):
                message = f"the param {again.text('name')!r} is given twice"
                sheet.error("duplicate-name", again.at("name"), message, "remove one")
        _check_given_once(sheet, task)
        count = math.prod(len(values) for p in matrix.parts("params") if (values := p.texts("value")))
        if matrix.parts("params") and count > MOST:
            message = f"the matrix makes {count} runs, more than {MOST}"
            sheet.error("matrix", matrix.at("params"), message, "split it")
    matrixed = {task.text("name") for task in tasks if graph.matrix_params(task)}
    for task in tasks:
        for use in graph.results_in(_param_texts(task)):
            if use.task in matrixed and use.reference.index != "*":
                message = f"{use.reference.text!r}: results of a matrix come all together"
                sheet.error("matrix", use.where, message, "write [*] behind it", use.reference.start)


def _param_texts(task: Part) -> list[tuple[tuple[str | int, ...], str]]:
    return [found for found in graph.own_texts(task) if found[0][len(task.path)] == "params"]


def _check_given_once(sheet: Sheet, task: Part) -> None:
    names = {param.text("name") for param in graph.matrix_params(task)}
    for param in task.parts("params"):
        if param.text("name") in names:
            message = f"the param {param.text('name')!r} is given in 'params' and in 'matrix'"
            sheet.error("matrix", param.at("name"), message, "remove one")
