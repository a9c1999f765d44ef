"""The form of ``when``. Source: https://tekton.dev/docs/pipelines/pipelines/#guard-task-execution-using-when-expressions"""

from __future__ import annotations

from catalog.engine.validation.parts import Part, Sheet


def check(sheet: Sheet, expressions: list[Part]) -> None:
    for expression in expressions:
        if expression.text("cel"):
            message = "'cel' is an alpha feature that clusters switch off by default"
            sheet.error("feature", expression.at("cel"), message, "use 'input', 'operator' and 'values'")
            continue
        operator = expression.text("operator")
        if operator not in {"in", "notin"}:
            message = f"{operator!r} is no operator" if operator else "'operator' is missing"
            sheet.error("when", expression.at("operator"), message, "'in' or 'notin'")
        if not expression.body.get("values"):
            sheet.error("when", expression.at("values"), "'values' is empty", "list the values to compare with")
