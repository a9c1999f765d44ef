"""Which names Kubernetes and Tekton allow."""

from __future__ import annotations

import re

from catalog.engine.documents import FieldPath
from catalog.engine.validation.parts import Part, Sheet

# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")
_QUALIFIED = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
_LABEL_VALUE = re.compile(rf"({_QUALIFIED.pattern})?")
# https://tekton.dev/docs/pipelines/tasks/#specifying-parameters
PARAM = re.compile(r"[_a-zA-Z][_a-zA-Z0-9.-]*")
OBJECT_PARAM = re.compile(r"[_a-zA-Z][_a-zA-Z0-9-]*")
RESULT = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")

LONGEST = 63
_GENERATED = "xxxxx"  # as long as what Kubernetes appends to generateName


def is_label(name: str) -> bool:
    return len(name) <= LONGEST and _LABEL.fullmatch(name) is not None


def is_reference(name: str) -> bool:
    """Whether a taskRef or pipelineRef may have this name: a qualified name with at most one prefix."""
    prefix, slash, last = name.rpartition("/")
    if slash and not (len(prefix) <= 253 and _SUBDOMAIN.fullmatch(prefix)):
        return False
    return len(last) <= LONGEST and _QUALIFIED.fullmatch(last) is not None


def check_label(sheet: Sheet, where: FieldPath, name: str, what: str) -> None:
    """A step's or pipeline task's name."""
    if not is_label(name):
        remedy = f"at most {LONGEST} lower-case letters, digits and '-', beginning and ending with a letter or digit"
        sheet.error("invalid-name", where, f"{name!r} is no name for {what}", remedy)


def check_metadata(sheet: Sheet, body: Part) -> None:
    """The document's own name (Tekton allows 63 characters, dots included) and the values of its labels."""
    metadata = body.part("metadata")
    name, generated = metadata.text("name"), metadata.text("generateName")
    if "name" not in metadata and "generateName" not in metadata:
        if "metadata" in body:
            sheet.error("missing-field", metadata.path, "the document has no name", "add 'name' or 'generateName'")
    else:
        field = "name" if "name" in metadata else "generateName"
        whole = name if field == "name" else generated[: LONGEST - len(_GENERATED)] + _GENERATED
        if not (len(whole) <= LONGEST and _SUBDOMAIN.fullmatch(whole)):
            remedy = f"at most {LONGEST} lower-case letters, digits, '-' and '.'"
            message = f"{name or generated!r} is no name for a Kubernetes object"
            sheet.error("invalid-name", metadata.at(field), message, remedy)
    for key, value in metadata.part("labels").body.items():
        if isinstance(value, str) and not (len(value) <= LONGEST and _LABEL_VALUE.fullmatch(value)):
            remedy = f"at most {LONGEST} letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
            sheet.error("invalid-name", metadata.at("labels", key), f"{value!r} is no value for a label", remedy)
