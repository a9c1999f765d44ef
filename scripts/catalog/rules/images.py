"""Images: a reference that a registry understands, and one that means the same tomorrow.

Source: pkg/validator/task_validator.go of https://github.com/tektoncd/catlin, whose rules hold here, with two
differences: an image in a variable is judged by the variable's default, and an image with a digest is looked at
as closely as any other.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from catalog.engine import references
from catalog.engine.documents import FieldPath
from catalog.engine.validation.parts import Part
from catalog.rules.subject import Container, Subject, containers_of
from catalog.tree import program_of

# https://github.com/distribution/reference
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:(?P<registry>[a-zA-Z0-9.-]+(?::\d+)?)/)?(?P<path>{_PART}(?:/{_PART})*)"
    r"(?::(?P<tag>\w[\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)


def check(subject: Subject) -> None:
    if subject.document.kind == "StepAction":
        _check_holder(subject, subject.spec, subject.spec)
    for spec in subject.task_specs:
        for container in containers_of(spec):
            holder = container.holder("image")
            if holder.text("image"):
                _check_holder(subject, holder, spec, container)


def _check_holder(subject: Subject, holder: Part, spec: Part, container: Container | None = None) -> None:
    image, where = holder.text("image"), holder.at("image")
    if references.find(image):
        defaults = {param.text("name"): param for param in spec.parts("params")}
        filled = _filled_in(image, defaults)
        if references.find(filled):
            what = container.title if container else "the StepAction"
            message = f"which image {what} runs is up to the caller: {image!r}"
            subject.say("image-variable", where, message, "name the image, or give the param a default that is pinned")
            return
        if not filled:
            return  # the default is empty: every caller must choose
        whole = references.whole(image)
        if whole and whole.path[1] in defaults:
            where = defaults[whole.path[1]].at("default")
        image = filled
    if image:
        _check(subject, image, where)


def _filled_in(image: str, defaults: Mapping[str, Part]) -> str:
    def value(reference: references.Reference) -> str | None:
        path = reference.path[1:] if reference.root == "inputs" else reference.path
        param = defaults.get(path[1]) if path[0] == "params" else None
        default = param.body.get("default") if param else None
        if isinstance(default, list) and isinstance(reference.index, int) and reference.index < len(default):
            default = default[reference.index]
        if isinstance(default, dict) and len(path) > 2:
            default = default.get(path[2])
        return default if isinstance(default, str) else None

    # A default may name another param in its turn.
    return references.replace(references.replace(image, value), value)


def _check(subject: Subject, image: str, where: FieldPath) -> None:
    match = _REFERENCE.fullmatch(image)
    if not match:
        message = f"{image!r} is no reference to an image"
        subject.say("image-reference", where, message, _mend(image))
        return
    registry = match["registry"] or ""
    if not (re.search(r"[.:]", registry) or registry == "localhost"):
        message = f"{image!r} does not name its registry: what is meant depends on the node's configuration"
        subject.say("image-registry", where, message, f"write {_qualified(image)}")
    if match["digest"]:
        if not match["tag"] or match["tag"] == "latest":
            tag = "the tag latest" if match["tag"] else "no tag"
            message = f"{_short(image)!r} tells people no version: it has a digest, but {tag}"
            subject.say("image-tag", where, message, "write name:1.2.3@sha256:…; the digest decides")
    elif not match["tag"] or match["tag"] == "latest":
        what = "has no tag, which means latest" if not match["tag"] else "is tagged latest"
        message = f"{image!r} {what}: another image tomorrow"
        subject.say("image-latest", where, message, "write the version's tag and digest: name:1.2.3@sha256:…")
    elif not (program_of(image) and re.fullmatch(r"\d+\.\d+\.\d+", match["tag"])):
        # This catalog's own images carry a version in the tree; a release writes their digests.
        message = f"{image!r} can be moved to another image: a tag is no digest"
        subject.say("image-digest", where, message, f"write {image}@sha256:…")


def _mend(image: str) -> str:
    if re.search(r"@sha256:", image):
        return "a digest is sha256: and 64 hexadecimal digits"
    if image != image.lower() and _REFERENCE.fullmatch(image.lower()):
        return "names of images are in lower case"
    return "write registry/name:tag@sha256:…"


def _qualified(image: str) -> str:
    return f"docker.io/{image}" if "/" in image else f"docker.io/library/{image}"


def _short(image: str) -> str:
    return re.sub(r"(sha256:[0-9a-f]{8})[0-9a-f]{56}", r"\1…", image)
