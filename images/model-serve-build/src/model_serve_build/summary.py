"""What the log shows at the end: layers, base, bytes moved, and the reference to use."""

from __future__ import annotations

from collections.abc import Iterator

from model_serve_build.build import Built
from taskkit.oci.publishing import Published

_FATES = {"present": "there already", "mounted": "mounted", "written": "written"}


def summary(built: Built) -> Iterator[str]:
    """Lines for people."""
    report = built.model.report
    yield f"approved  {built.model.model_digest} by gate report {built.model.approval} ({report.verdict})"
    base = (
        f"{built.base}, {built.base_image.root.digest}"
        if built.base
        else "none: a model-only image, it serves nothing by itself"
    )
    yield f"base      {base}"
    if built.base:
        yield f"runtime   {built.runtime.name}: {built.runtime.reason}"
    if len(built.base_image.platforms) > 1:
        yield f"for       {', '.join(str(image.platform) for image in built.base_image.platforms)}"
    for layer in built.layers:
        fate = _FATES.get(built.published.fates.get(layer.blob.digest, ""), "")
        yield f"layer     {layer.what:<7} {layer.blob.digest}  {size(layer.blob.size):>9}  {fate}".rstrip()
    yield f"image     {built.reference}@{built.published.digest}"
    yield _what_happened(built.published)


def _what_happened(published: Published) -> str:
    if published.kept:
        return "kept      the tag was there already with another image and stays as it is; nothing was written"
    if published.unchanged:
        return "unchanged the same image was there already; nothing was written"
    mounted = sum(fate == "mounted" for fate in published.fates.values())
    present = sum(fate == "present" for fate in published.fates.values())
    return f"written   {size(published.bytes_written)}; {present} blobs were there already, {mounted} were mounted"


def size(count: int) -> str:
    """Bytes as people read them: 1.5 MB."""
    amount, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while amount >= 1000 and len(units) > 1:
        amount /= 1000
        units.pop(0)
    return f"{amount:.0f} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"
