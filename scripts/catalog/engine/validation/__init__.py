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


def validate(documents: Documents, catalog: Documents | None = None, *, older: bool = False) -> list[Finding]:
    """All findings about the documents, sorted by file and line.

    Tasks and Pipelines that they name are looked for among them, then in the ``catalog``, whose own documents are not
    checked. ``older``: documents of v1beta1, which Tekton still serves, are checked and warned of, not refused.
    """
    known = Known(documents, catalog or Documents())
    sheets = [Sheet(document) for document in documents]
    for sheet in sheets:
        _check(sheet, known, older=older)
    calls.check_names(sheets)
    return sorted(found for sheet in sheets for found in sheet.findings)


def _check(sheet: Sheet, known: Known, *, older: bool) -> None:
    document = sheet.document
    body = Part(document.body, ())
    if not document.kind or not document.api_version:
        missing = "apiVersion" if document.kind else "kind"
        sheet.error("document", (), f"the document has no {missing!r}", f"add {missing!r}")
    elif (document.is_tekton or document.kind in schema.VERSIONS) and _check_version(sheet, document, older):
        _check_shape(sheet, body, document.kind)
        names.check_metadata(sheet, body)
        _check_meaning(sheet, body.part("spec"), document.kind, known)


_GONE = {
    "ClusterTask": "Tekton 1.0 dropped it: make it a Task, and refer to it by the resolver 'cluster'",
    "Condition": "Tekton dropped it: use 'when'",
    "PipelineResource": "Tekton dropped it: use params, results and workspaces",
    "Run": "Tekton dropped it: make it a CustomRun of tekton.dev/v1beta1",
}


def _check_version(sheet: Sheet, document: Document, older: bool) -> bool:
    """Whether the document can be checked further."""
    wanted = schema.VERSIONS.get(document.kind)
    if document.kind in schema.UNCHECKED:
        return False
    if wanted is None:
        remedy = _GONE.get(document.kind) or schema.near(document.kind, schema.VERSIONS)
        sheet.error("kind", ("kind",), f"{document.kind!r} of {document.api_version} is not known here", remedy)
    elif older and document.api_version == schema.OLDER.get(document.kind):
        message = f"{document.api_version} is deprecated; Tekton turns it into v1"
        sheet.warning("api-version", ("apiVersion",), message, f"write {wanted[0]}")
        return True
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
