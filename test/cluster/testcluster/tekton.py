"""Tekton Pipelines on a cluster: its release as the module's ``config/`` has it, with images of our own making."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from testcluster.errors import ClusterError

NAMESPACES = ("tekton-pipelines", "tekton-pipelines-resolvers")
SETTINGS = {
    # Pods of Tekton's own then pass Pod Security "restricted".
    "set-security-context": "true",
    # There are none; waiting for them costs seconds for every task.
    "running-in-environment-with-injected-sidecars": "false",
}
# A task that uses a param, so that the admission webhook has something to say: with it, Tekton is there.
PROBE = """
apiVersion: tekton.dev/v1
kind: Task
metadata: {name: probe, namespace: default}
spec: {params: [{name: a}], steps: [{name: s, image: none, command: [none], args: ["$(params.a)"]}]}
"""
_SHELL_IMAGE = re.compile(r"cgr\.dev/chainguard/busybox@sha256:[0-9a-f]{64}")
_LEFT_OUT = re.compile(r"-hpa\.yaml$")  # scales the webhook by metrics that this cluster doesn't have


def files_in_order(config: Path) -> list[Path]:
    """Namespaces, rights and types first, the registration of the webhooks last, when what they would refuse is there."""
    files = sorted(path for path in config.rglob("*.yaml") if not _LEFT_OUT.search(path.name))
    return sorted(files, key=lambda path: path.name.startswith("500-webhooks"))


def manifest(config: Path, version: str, images: Mapping[str, str], shell_image: str) -> str:
    """The YAML to apply. ``images``: name of the program → reference. Raises ClusterError when a place to fill in is not
    there, which means that this version of Tekton is laid out in another way."""
    text = "\n---\n".join(path.read_text() for path in files_in_order(config))
    for program, reference in images.items():
        text = _replace(rf"ko://github\.com/tektoncd/pipeline/cmd/{program}\b", reference, text)
    if left := re.search(r"ko://\S+", text):
        raise ClusterError(f"Tekton {version} names an image that is not built here: {left[0]}")
    text = _replace(_SHELL_IMAGE.pattern, shell_image, text)
    for name, value in SETTINGS.items():
        text = _replace(rf'^  {name}: "\w+"$', f'  {name}: "{value}"', text)
    # On a machine that is busy with the tests themselves the webhook answers late; by default 10 s are a refusal.
    text = _replace(r"^  sideEffects: None$", "  sideEffects: None\n  timeoutSeconds: 30", text)
    text = _replace(r"^( +)cpu: 500m$", r"\1cpu: 2000m", text)
    return _replace('"devel"', f'"{version}"', text)


def _replace(pattern: str, value: str, text: str) -> str:
    replaced, count = re.subn(pattern, value, text, flags=re.MULTILINE)
    if count == 0:
        raise ClusterError(
            f"Tekton's manifests have no '{pattern}' to fill in; this version is laid out in another way"
        )
    return replaced


def wait_until_it_answers(kubectl: Callable[..., str], patience: float = 300) -> None:
    """Waits until every deployment is rolled out and the admission webhook answers. Raises ClusterError."""
    deadline = time.monotonic() + patience
    for namespace in NAMESPACES:
        kubectl("-n", namespace, "rollout", "status", "deployment", f"--timeout={patience:.0f}s")
    while True:
        try:
            kubectl("create", "--dry-run=server", "-f", "-", stdin=PROBE)
            return
        except ClusterError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
