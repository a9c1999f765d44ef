"""Results: small enough to arrive, and complete enough for Tekton Chains to sign what they name."""

from __future__ import annotations

from catalog.engine.validation.parts import Part
from catalog.rules.subject import Subject

# A result arrives as {"key":"…","value":"…","type":1} in a message of 4096 bytes that all steps share.
_AROUND = len('{"key":"","value":"","type":1},')
_VALUE = len("sha256:") + 64
_MOST = 1024
# https://github.com/tektoncd/chains/blob/main/docs/slsa-provenance.md
_PAIRS = (("IMAGE_URL", "IMAGE_DIGEST"), ("ARTIFACT_URI", "ARTIFACT_DIGEST"))
_OBJECTS = ("ARTIFACT_INPUTS", "ARTIFACT_OUTPUTS")


def check(subject: Subject) -> None:
    for spec in subject.task_specs:
        _check_size(subject, spec)
        _check_hints(subject, spec)
    for spec in subject.pipeline_specs:
        _check_hints(subject, spec)


def _check_size(subject: Subject, spec: Part) -> None:
    results = [result for result in spec.parts("results") if result.text("name")]
    expected = sum(len(result.text("name")) + _AROUND + _VALUE for result in results)
    if expected > _MOST:
        message = (
            f"{len(results)} results, each as long as a digest, come to {expected} bytes; "
            f"4096 is the end for all steps together, and a run fails beyond it"
        )
        remedy = f"stay below {_MOST}: keep verdicts, digests and references, and write documents to a workspace"
        subject.say("results-size", spec.at("results"), message, remedy)


def _check_hints(subject: Subject, spec: Part) -> None:
    results = {result.text("name"): result for result in spec.parts("results")}
    for pair in _PAIRS:
        for one, other in (pair, pair[::-1]):
            for name in (name for name in results if name.endswith(one)):
                partner = name.removesuffix(one) + other
                if partner not in results:
                    message = f"Tekton Chains reads {name!r} only together with {partner!r}"
                    subject.say("chains-hint", results[name].at("name"), message, f"add the result {partner!r}")
    for name, result in results.items():
        keys = result.part("properties").body
        if name.endswith(_OBJECTS) and not {"uri", "digest"} <= keys.keys():
            message = f"Tekton Chains reads {name!r} only as an object with 'uri' and 'digest'"
            subject.say("chains-hint", result.at("name"), message, "write type: object with these properties")
