"""kubectl as a program: objects in, objects out."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class KubectlError(Exception):
    """kubectl refused; the text is its own complaint."""


@dataclass(frozen=True)
class Kubectl:
    """``namespace`` is where everything happens unless a call says otherwise."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"
    context: str = ""

    def in_namespace(self, namespace: str) -> Kubectl:
        return Kubectl(self.program, self.kubeconfig, namespace, self.context)

    def __call__(self, *arguments: str, stdin: bytes | None = None, seconds: float = 120) -> bytes:
        """What it prints. Raises KubectlError."""
        where = ["--namespace", self.namespace, *(["--context", self.context] if self.context else [])]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        try:
            done = subprocess.run(
                [self.program, *where, *arguments],
                input=stdin,
                env=environment,
                capture_output=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise KubectlError(f"kubectl {' '.join(arguments[:3])} took longer than {seconds:.0f} s") from None
        if done.returncode:
            raise KubectlError(done.stderr.decode(errors="replace").strip())
        return done.stdout

    def apply(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Creates or changes objects, with unknown fields refused. Raises KubectlError."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self("apply", "--server-side", "--validate=strict", "-f", "-", stdin=json.dumps(items).encode())

    def get(self, *arguments: str) -> Any:
        """An object, or a List's items. Raises KubectlError."""
        found = json.loads(self("get", *arguments, "-o", "json"))
        return found["items"] if found.get("kind", "").endswith("List") else found
