"""gate/baseline.yaml: the ConfigMap that makes an approved model the next baseline, to apply once the model is live."""

from __future__ import annotations

import json
import re

import yaml

from taskkit.gate_report import GateReport
from taskkit.model_directory import METRICS
from taskkit.model_manifest import ModelManifest

CONFIG_MAP = "model-baseline-registry"

# https://kubernetes.io/docs/concepts/configuration/configmap/: names of keys.
_KEY = re.compile(r"(?!\.)[-._a-zA-Z0-9]{1,253}")


def baseline_document(report: GateReport, manifest: ModelManifest) -> str | None:
    """The YAML, or None where the model has no metric that a next one could be compared with.

    One key per metric, its value as a string as it was written. A metric whose name can be no key (``test/accuracy``)
    would be lost, so then the ConfigMap holds one key ``metrics.json`` instead, which reads back the same.
    """
    if not report.metrics:
        return None
    if all(_KEY.fullmatch(name) and name != METRICS for name in report.metrics):
        data = dict(report.metrics)
    else:
        numbers = ",\n ".join(f"{json.dumps(name)}: {text}" for name, text in report.metrics.items())
        data = {METRICS: f"{{{numbers}}}\n"}
    annotations = {"sklearn-catalog.dev/model-digest": report.model_digest}
    if manifest.dataset:
        annotations["sklearn-catalog.dev/dataset-sha256"] = f"sha256:{manifest.dataset.sha256}"
    if manifest.source.commit:
        annotations["sklearn-catalog.dev/commit"] = manifest.source.commit
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": CONFIG_MAP, "annotations": annotations},
        "data": data,
    }
    return yaml.dump(document, Dumper=yaml.CSafeDumper, sort_keys=False, allow_unicode=True, width=1 << 20)
