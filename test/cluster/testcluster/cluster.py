"""A cluster to run tests on, wherever it came from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from testcluster.commands import environment, run

TEKTON_VERSIONS = ("v1.0.0", "v1.9.0", "v1.12.1", "v1.15.0")
"""Those that the catalog is tested with: the oldest it works with, then releases with long-term support."""
NEWEST_TEKTON = TEKTON_VERSIONS[-1]


@dataclass(frozen=True)
class Cluster:
    """``kind`` is ``native`` or ``kind``; ``registry`` is the in-cluster registry's ``host:port`` as this machine reaches
    it, ``registry_in_pods`` as pods and containerd do (both speak plain HTTP). ``small_image`` is one with a shell, where
    the cluster has one of its own."""

    kind: str
    kubeconfig: Path
    kubectl_program: Path
    tkn_program: Path | None
    registry: str
    registry_in_pods: str
    tekton: str
    small_image: str = ""

    def environment(self) -> dict[str, str]:
        """For programs that shall talk to this cluster."""
        return environment({"KUBECONFIG": str(self.kubeconfig)})

    def kubectl(self, *arguments: str, stdin: str | None = None, timeout: float = 600) -> str:
        """What kubectl prints. Raises ClusterError with its complaint."""
        return run([self.kubectl_program, *arguments], stdin=stdin, env=self.environment(), timeout=timeout)
