"""How tkn compares versions: as texts, so that 1.10 comes before 1.9.

Source: ``checkVersion`` in pkg/cmd/hub/installer/action.go of https://github.com/tektoncd/cli, v0.46.
"""

from __future__ import annotations

# Minor releases of Tekton 1 that are out or will be while this is read.
_MINORS = range(30)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def wrongly_refused(wanted: str) -> str:
    """Releases of Tekton that are new enough, and that tkn takes for older: ``1.10 to 1.15``; empty for none."""
    return _shown([n for n in _MINORS if _numbers(f"1.{n}.0") >= _numbers(wanted) and f"v1.{n}.0" < f"v{wanted}"])


def wrongly_accepted(wanted: str) -> str:
    """Releases of Tekton that are too old, and that tkn takes for newer."""
    return _shown([n for n in _MINORS if _numbers(f"1.{n}.0") < _numbers(wanted) and f"v1.{n}.0" >= f"v{wanted}"])


def _shown(minors: list[int]) -> str:
    if not minors:
        return ""
    if minors[-1] == _MINORS[-1]:
        return f"1.{minors[0]} and newer"
    return f"1.{minors[0]} to 1.{minors[-1]}" if len(minors) > 1 else f"1.{minors[0]}"
