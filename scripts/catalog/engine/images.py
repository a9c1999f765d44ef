"""Params that name an image of this catalog: on a laptop there is no registry to take it from.

Where such a param (``base-image``) is not given, a layout that ``./scripts/images`` built here takes the place of its
default; without one the value is empty, which for a build means an image that holds the model only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from catalog.engine.params import ParamSpec
from catalog.engine.substitution import Value
from catalog.tree import Tree, program_of


def local_defaults(
    declared: Iterable[ParamSpec], given: Mapping[str, Value], spec: Mapping[str, Any], tree: Tree
) -> tuple[dict[str, Value], list[str]]:
    """Values for the params whose default is an image of this catalog, and what is to be said about them.

    Params that name the image of a step keep their default: there the image stands for its program.
    """
    values: dict[str, Value] = {}
    notices: list[str] = []
    for param in declared:
        program = program_of(param.default) if isinstance(param.default, str) else None
        if program is None or param.name in given or _is_step_image(param.name, spec):
            continue
        layout = tree.layout(program)
        if (layout / "index.json").is_file():
            values[param.name] = f"oci-layout:{layout}"
            notices.append(f"param {param.name}: the image of {program} built here, oci-layout:{layout}")
        else:
            values[param.name] = ""
            notices.append(
                f"param {param.name}: no image of {program} has been built on this machine (./scripts/images does), "
                "so the image will hold the model only"
            )
    return values, notices


def _is_step_image(name: str, value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_step_image(name, item) for item in value)
    if not isinstance(value, Mapping):
        return False
    image = value.get("image")
    return (isinstance(image, str) and f"$(params.{name})" in image) or any(
        _is_step_image(name, item) for item in value.values()
    )
