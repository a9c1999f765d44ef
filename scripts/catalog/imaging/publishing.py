"""Images from their layouts into a registry."""

from __future__ import annotations

from pathlib import Path

from catalog.imaging.errors import ImageError
from taskkit.oci.images import Image, read_base
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import push
from taskkit.oci.references import parse_registry_reference
from taskkit.oci.repository import Registries


def push_layout(folder: Path, reference: str, insecure: bool) -> str:
    """Pushes the one image of a layout and gives its reference by digest; the credentials are docker's.

    The tag moves when it is there. Raises ImageError, TaskError.
    """
    layout = Layout(folder)
    entry = layout.find()
    if entry is None:
        raise ImageError(f"{folder} holds no image; ./scripts/images build {folder.name}")
    root = layout.manifest(entry)
    (image,) = read_base(layout, root).platforms
    blobs = (layout.blob(image.manifest.config), *image.layers)
    where = parse_registry_reference(reference, "REGISTRY")
    registries = Registries(insecure=[where.registry] if insecure else [])
    pushed = push(Image(root, (), blobs), registries.repository(where), where.tag, "move")
    return f"{where}@{pushed.digest}"
