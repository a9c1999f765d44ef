"""kubectl as a program: objects in, objects out."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any


class KubectlError(Exception):
    """kubectl refused; the text is its own complaint."""


@dataclass(frozen=True)
class Kubectl:
    """``namespace`` is where everything happens unless a call says otherwise; ``environment`` is set on top of ours."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"
    context: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def in_namespace(self, namespace: str) -> Kubectl:
        return replace(self, namespace=namespace)

    def __call__(self, *arguments: str, stdin: bytes | None = None, seconds: float = 180) -> bytes:
        """What it prints. Raises KubectlError."""
        where = ["--namespace", self.namespace, *(["--context", self.context] if self.context else [])]
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig), **self.environment}
        try:
            done = subprocess.run(
                [self.program, *where, *arguments],
                input=stdin or b"",
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
        """Creates or changes objects, if there are any, with unknown fields refused. Raises KubectlError."""
        if items := list(objects):
            document = {"apiVersion": "v1", "kind": "List", "items": items}
            self("apply", "--server-side", "--validate=strict", "-f", "-", stdin=json.dumps(document).encode())

    def get(self, *arguments: str) -> Any:
        """An object, or a List's items. Raises KubectlError."""
        found = json.loads(self("get", *arguments, "-o", "json"))
        return found["items"] if found.get("kind", "").endswith("List") else found

    def wait_for(self, condition: str, thing: str, seconds: float) -> None:
        """Waits as ``kubectl wait --for=`` does, once more where the connection broke. Raises KubectlError."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            began = time.monotonic()
            try:
                self("wait", f"--for={condition}", thing, f"--timeout={left:.0f}s", seconds=left + 30)
                return
            except KubectlError as error:
                told = str(error)
                if time.monotonic() - began < 1:
                    time.sleep(1)
        raise KubectlError(f"{thing}: not {condition} within {seconds:.0f} s: {told}")
