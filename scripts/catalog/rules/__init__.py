"""What is said of documents beyond what Tekton itself would refuse; the command line is :mod:`catalog.lint`.

Every rule has an entry in the rulebook (``book/*.yaml``): its level, why it is there, and an example of bad and good
that is a test as well. Rules read documents through :class:`~catalog.engine.validation.parts.Part`, as the engine's
own validation does, so that a document whose shape is wrong somewhere is still checked everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable

from catalog.rules import (
    artifact_hub,
    features,
    house,
    hygiene,
    images,
    metadata,
    privileges,
    released,
    resolvers,
    results,
    scripts,
    secrets,
    surroundings,
    unused,
    versions,
)
from catalog.rules.subject import Subject

__all__ = ["RULES"]

RULES: tuple[Callable[[Subject], None], ...] = (
    unused.check,
    hygiene.check,
    resolvers.check,
    results.check,
    scripts.check,
    images.check,
    privileges.check,
    secrets.check,
    metadata.check,
    versions.check,
    features.check,
    artifact_hub.check,
    surroundings.check,
    released.check,
    house.check,
)
"""What looks at each document; every one passes over what is not its business."""
