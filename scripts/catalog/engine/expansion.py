"""Kubernetes' own ``$(VAR)`` in a container's env, command and args.

It happens after Tekton's substitution, and scripts never see it. ``$$`` becomes ``$``, so ``$$(VAR)`` is the escape;
unknown names stay. In ``env`` only variables defined further up count.
Source: https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/
and third_party/forked/golang/expansion of kubernetes/kubernetes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Anything between the brackets is a name to Kubernetes, even nothing; an opening without an end is plain text.
_OPERATOR = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """The text with each known ``$(NAME)`` replaced and each ``$$`` halved."""

    def value(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return variables.get(match[1], match[0])

    return _OPERATOR.sub(value, text) if "$" in text else text


def variables_in(text: str) -> list[str]:
    """The names whose ``$(NAME)`` in a text is not escaped; Tekton's own, which have dots, are left to Tekton."""
    names = (match[1] for match in _OPERATOR.finditer(text) if match[0] != "$$")
    return [name for name in names if re.fullmatch(r"[A-Za-z_]\w*", name)]


def expand_env(env: Iterable[tuple[str, str]], known: Mapping[str, str] | None = None) -> dict[str, str]:
    """The variables in their order, each expanded with ``known`` ones (of envFrom) and those before it."""
    variables = dict(known or {})
    for name, text in env:
        variables[name] = expand(text, variables)
    return variables
