"""Where the image goes: the param ``image`` with its placeholders filled in."""

from __future__ import annotations

import re

from taskkit.errors import UsageError
from taskkit.model_manifest import ModelManifest
from taskkit.oci.references import LayoutReference, Reference, parse_reference

PLACEHOLDERS = ("commit", "short-commit", "model-digest")
SHORT_COMMIT = 7


def destination(image: str, manifest: ModelManifest, model_digest: str) -> Reference:
    """Raises UsageError: an unknown placeholder, no commit to fill in, a digest, or no tag for a registry."""
    reference = parse_reference(_filled(image, manifest, model_digest), "image")
    if reference.digest:
        raise UsageError(f"image '{image}' ends in a digest, which is known only when the image is made", "give a tag")
    if not reference.tag and not isinstance(reference, LayoutReference):
        raise UsageError(f"image '{image}' has no tag", f"add one, for example {image}:{{model-digest}}")
    return reference


def _filled(image: str, manifest: ModelManifest, model_digest: str) -> str:
    commit = manifest.source.commit
    values = {"commit": commit, "short-commit": commit[:SHORT_COMMIT], "model-digest": model_digest.partition(":")[2]}

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            raise UsageError(
                f"image '{image}' has the placeholder {{{name}}}",
                f"these are filled in: {', '.join(f'{{{known}}}' for known in PLACEHOLDERS)}",
            )
        if not values[name]:
            raise UsageError(
                f"image '{image}' asks for {{{name}}}, but the model was not trained in a git checkout",
                "use {model-digest} instead, or train from a commit",
            )
        return values[name]

    return re.sub(r"\{([^{}]*)\}", value, image)


def default_model_name(reference: Reference) -> str:
    """The last part of the image's repository, or of the layout's path."""
    whole = reference.path if isinstance(reference, LayoutReference) else reference.repository
    return whole.rstrip("/").rpartition("/")[2] or "model"
