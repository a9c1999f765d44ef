"""KServe's controller and its webhooks in a cluster of ours: Standard deployments, so no Knative, Istio or cert-manager.

Built from its Go module once (minutes) and installed by the module's own YAML, which is left in one thing: the webhooks'
certificate is made here.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from catalog.e2e.kubectl import Kubectl
from catalog.tree import TREE

sys.path.insert(0, str(TREE.root / "test" / "cluster"))

from testcluster import Cluster
from testcluster.binaries import Part, build
from testcluster.file_images import FileImage, Registry

VERSION = "v0.16.0"
_MODULE = "github.com/kserve/kserve"
_REPLACED = "sigs.k8s.io/controller-runtime"
"""By the module itself; what a module replaces is not inherited."""
_NAMESPACE = "kserve"
_WEBHOOK = "kserve-webhook-server"
_NOT_NEEDED = re.compile(r"llm|localmodel-|localmodelnode-|inference\.networking|metrics-service")
"""Names of what other controllers of KServe bring, and of what needs a proxy's image."""
_FOREIGN_KINDS = {"Certificate", "Issuer", "LLMInferenceServiceConfig"}
_SETTINGS = {
    "deploy": {"defaultDeploymentMode": "Standard"},
    "ingress": {"disableIngressCreation": True, "disableIstioVirtualHost": True},
}
"""What is said on top of the module's own ConfigMap."""


class KServe(Part):
    """The controller with its webhooks."""

    def sources(self) -> dict[str, str]:
        go_mod = f"module test/kserve\n\ngo 1.24.1\n\nrequire {_MODULE} {self.version}\n"
        return {"go.mod": go_mod + "".join(f"\nreplace {each.split()[0]} => {each}\n" for each in self.replaces)}


def part() -> Part:
    replaced = (f"{_REPLACED} v0.19.7",)
    return KServe("kserve", _MODULE, VERSION, (f"{_MODULE}/cmd/manager",), data=("config",), replaces=replaced)


def install(kubectl: Kubectl, cluster: Cluster) -> None:
    """Returns when its webhooks answer. Raises ClusterError, KubectlError."""
    manager = part()
    build(manager)
    found = kubectl("kustomize", str(manager.directory / "config" / "default"))
    objects = [each for each in yaml.load_all(found, yaml.CSafeLoader) if each and _wanted(each)]
    with tempfile.TemporaryDirectory() as folder:
        certificate, key = _certificate(Path(folder))
    image = _pushed(cluster, manager.directory / "manager")
    for each in objects:
        _CHANGES.get(each["kind"], _unchanged)(each, image, certificate)
    data = {"tls.crt": certificate, "tls.key": key}
    metadata = {"name": f"{_WEBHOOK}-cert", "namespace": _NAMESPACE}
    objects.append({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})
    first = [each for each in objects if each["kind"] in {"Namespace", "CustomResourceDefinition"}]
    kserve = kubectl.in_namespace(_NAMESPACE)
    kserve.apply(first)
    kserve("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s")
    kserve.apply(each for each in objects if each not in first)
    kserve("rollout", "status", "deployment/kserve-controller-manager", "--timeout=300s", seconds=310)


def remove(kubectl: Kubectl) -> None:
    """The definitions first: InferenceServices go with them, for which the controller is needed. Raises KubectlError."""
    kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations,clusterroles,clusterrolebindings"
    for each in ("customresourcedefinitions", kinds):
        names = kubectl("get", each, "-o", "name").decode().split()
        kubectl("delete", *(name for name in names if "kserve" in name))
    kubectl("delete", "namespace", _NAMESPACE)


def _wanted(found: Mapping[str, Any]) -> bool:
    return found["kind"] not in _FOREIGN_KINDS and not _NOT_NEEDED.search(found["metadata"]["name"])


def _pushed(cluster: Cluster, manager: Path) -> str:
    """The controller as an image, as pods name it."""
    with manager.open("rb") as file:
        tag = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    pushed = Registry(cluster.registry).push(FileImage("test/kserve", tag, {"/manager": manager}, {}, ["/manager"]))
    return pushed.replace(cluster.registry, cluster.registry_in_pods, 1)


def _certificate(folder: Path) -> tuple[str, str]:
    """The webhooks' certificate, signed by itself, and its key, in base64."""
    name = f"{_WEBHOOK}-service.{_NAMESPACE}.svc"
    files = folder / "cert.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext",
         f"subjectAltName=DNS:{name}", "-out", files[0], "-keyout", files[1]],
        check=True, capture_output=True,
    )  # fmt: skip
    certificate, key = (base64.b64encode(file.read_bytes()).decode() for file in files)
    return certificate, key


# what is changed of the module's objects, by kind


def _unchanged(*_: object) -> None:
    pass


def _run_our_image(deployment: dict[str, Any], image: str, certificate: str) -> None:
    """Alone, without the proxy before its metrics, and with more than a tenth of a core; anew with a new certificate."""
    template = deployment["spec"]["template"]
    template["metadata"]["annotations"]["test/certificate"] = hashlib.sha256(certificate.encode()).hexdigest()
    pod = template["spec"]
    (manager,) = (each for each in pod["containers"] if each["name"] == "manager")
    manager |= {"image": image, "imagePullPolicy": "IfNotPresent"}
    manager["resources"]["limits"]["cpu"] = "1"
    manager["readinessProbe"]["initialDelaySeconds"] = 1
    pod["containers"] = [manager]


def _trust_the_certificate(configuration: dict[str, Any], _: str, certificate: str) -> None:
    for webhook in configuration["webhooks"]:
        webhook["clientConfig"]["caBundle"] = certificate


def _deploy_without_knative(config_map: dict[str, Any], *_: str) -> None:
    data = config_map["data"]
    data.pop("_example", None)
    for name, settings in _SETTINGS.items():
        data[name] = json.dumps({**json.loads(data[name]), **settings})


_CHANGES = {
    "Deployment": _run_our_image,
    "MutatingWebhookConfiguration": _trust_the_certificate,
    "ValidatingWebhookConfiguration": _trust_the_certificate,
    "ConfigMap": _deploy_without_knative,
}
