"""What Tekton would refuse, and what could not work when it runs, found in the documents alone.

Errors are what Tekton's admission webhook, or its controllers at the start of a run, refuse; warnings what they let
pass although it can hardly be meant. Everything wrong is found at once, each with its place.
"""

from __future__ import annotations

from catalog.engine import schema
from catalog.engine.documents import Document, Documents
from catalog.engine.findings import Finding
from catalog.engine.validation import calls, names, runs
from catalog.engine.validation.actions import check_step_action
from catalog.engine.validation.calls import Known
from catalog.engine.validation.parts import Part, Sheet
from catalog.engine.validation.pipelines import Around, check_pipeline_spec
from catalog.engine.validation.tasks import Setting, check_task_spec

__all__ = ["validate"]


def validate(documents: Documents, catalog: Documents | None = None) -> list[Finding]:
    """All findings about the documents, sorted by file and line.

    Tasks and Pipelines that they name are looked for among them, then in the ``catalog``, whose own documents are not
    checked.
    """
    known = Known(documents, catalog or Documents())
    sheets = [Sheet(document) for document in documents]
    for sheet in sheets:
        _check(sheet, known)
    calls.check_names(sheets)
    return sorted(found for sheet in sheets for found in sheet.findings)


def _check(sheet: Sheet, known: Known) -> None:
    document = sheet.document
    body = Part(document.body, ())
    if not document.kind or not document.api_version:
        missing = "apiVersion" if document.kind else "kind"
        sheet.error("document", (), f"the document has no {missing!r}", f"add {missing!r}")
    elif (document.is_tekton or document.kind in schema.VERSIONS) and _check_version(sheet, document):
        _check_shape(sheet, body, document.kind)
        names.check_metadata(sheet, body)
        _check_meaning(sheet, body.part("spec"), document.kind, known)


def _check_version(sheet: Sheet, document: Document) -> bool:
    wanted = schema.VERSIONS.get(document.kind)
    if wanted is None:
        remedy = schema.near(document.kind, schema.VERSIONS)
        sheet.error("kind", ("kind",), f"{document.kind!r} of {document.api_version} is not known here", remedy)
    elif document.api_version not in wanted:
        message = f"{document.kind} is of {wanted[0]} here, not of {document.api_version!r}"
        sheet.error("api-version", ("apiVersion",), message, f"write {wanted[0]}")
    return wanted is not None and document.api_version in wanted


def _check_shape(sheet: Sheet, body: Part, kind: str) -> None:
    for problem in schema.check(body.body, kind):
        sheet.error(problem.rule, problem.path, problem.message, problem.remedy)


def _check_meaning(sheet: Sheet, spec: Part, kind: str, known: Known) -> None:
    if kind == "Task":
        check_task_spec(sheet, spec, Setting())
    elif kind == "StepAction":
        check_step_action(sheet, spec)
    elif kind == "Pipeline":
        check_pipeline_spec(sheet, spec, Around())
        calls.check_pipeline(sheet, spec, known)
    elif kind == "TaskRun":
        runs.check_task_run(sheet, spec)
        calls.check_task_run(sheet, spec, known)
    else:
        runs.check_pipeline_run(sheet, spec)
        calls.check_pipeline_run(sheet, spec, known)
