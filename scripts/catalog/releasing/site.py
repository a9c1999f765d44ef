"""Pages for people."""

from __future__ import annotations

from catalog.releasing.planning import Plan


def site_files(plan: Plan) -> dict[str, bytes]:
    return {}
