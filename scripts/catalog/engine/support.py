"""What the local engine does with each field that Tekton knows: honour it, find it without effect here, or refuse it.

Nothing is ignored silently. Every field of every structure stands in exactly one of the three tables below (a test
holds them against :mod:`catalog.engine.tables`): what is refused is an error by name, what has no effect on a machine
without a cluster is announced once. Beside the tables stand the few rules that look at values.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from typing import Any

from catalog.engine import schema
from catalog.engine.documents import Document, Documents, FieldPath
from catalog.engine.findings import Finding, Level
from catalog.engine.validation.parts import Part, Sheet, texts_below
from catalog.engine.validation.pipelines import is_custom
from catalog.engine.validation.tasks import step_texts

HONOURED = """
Task: apiVersion kind metadata spec
TaskRun: apiVersion kind metadata spec
Pipeline: apiVersion kind metadata spec
PipelineRun: apiVersion kind metadata spec
StepAction: apiVersion kind metadata spec
ObjectMeta: name generateName labels annotations
TaskSpec: description displayName params results steps stepTemplate volumes workspaces
ParamSpec: name type description default properties
PropertySpec: type
TaskResult: name type description properties value
StepResult: name type description properties
WorkspaceDeclaration: name description mountPath optional
Step: name displayName image command args script workingDir env envFrom onError timeout results when volumeMounts
StepTemplate: image command args workingDir env envFrom volumeMounts
StepActionSpec: description image command args script workingDir env params results volumeMounts
Param: name value
When: input operator values
TaskRef: name kind apiVersion resolver params
TaskRunSpec: params taskRef taskSpec workspaces timeout retries podTemplate
WorkspaceBinding: name subPath emptyDir persistentVolumeClaim volumeClaimTemplate configMap secret projected
PipelineSpec: description displayName params tasks finally results workspaces
PipelineTask: name displayName description taskRef taskSpec params matrix when runAfter workspaces retries timeout
 onError
Matrix: params include
MatrixInclude: name params
EmbeddedTask: apiVersion kind spec description displayName params results steps stepTemplate volumes workspaces
PipelineTaskWorkspace: name workspace subPath
PipelineRef: name apiVersion resolver params
PipelineResult: name type description value
PipelineWorkspace: name description optional
PipelineRunSpec: params pipelineRef pipelineSpec workspaces timeouts taskRunTemplate taskRunSpecs
Timeouts: pipeline tasks finally
TaskRunTemplate: podTemplate
PipelineTaskRunSpec: pipelineTaskName podTemplate
EnvVar: name value valueFrom
EnvVarSource: configMapKeyRef secretKeyRef
KeyRef: key name optional
EnvFrom: prefix configMapRef secretRef
ObjectRef: name optional
VolumeMount: name mountPath
Volume: name emptyDir configMap secret persistentVolumeClaim projected csi hostPath downwardAPI ephemeral nfs image
 awsElasticBlockStore azureDisk azureFile cephfs cinder fc flexVolume flocker gcePersistentDisk gitRepo glusterfs iscsi
 photonPersistentDisk portworxVolume quobyte rbd scaleIO storageos vsphereVolume
ConfigMapSource: name items optional
SecretSource: secretName items optional
KeyPath: key path
ClaimSource: claimName
Projected: sources
ProjectedSource: configMap secret
ProjectedFiles: name items optional
"""
"""Volumes are judged where a step mounts them (:func:`_check_mounts`); of a claim template just the claim counts."""

WITHOUT_EFFECT = """
Task: status
TaskRun: status
Pipeline: status
PipelineRun: status
StepAction: status
ObjectMeta: namespace finalizers ownerReferences uid resourceVersion creationTimestamp generation deletionTimestamp
 deletionGracePeriodSeconds managedFields selfLink
WorkspaceDeclaration: readOnly
Step: workspaces imagePullPolicy securityContext computeResources
StepTemplate: imagePullPolicy securityContext computeResources
StepActionSpec: securityContext
TaskRunSpec: serviceAccountName statusMessage computeResources stepSpecs sidecarSpecs
EmbeddedTask: metadata
TaskRunTemplate: serviceAccountName
PipelineTaskRunSpec: serviceAccountName computeResources metadata stepSpecs sidecarSpecs
PodTemplate: affinity automountServiceAccountToken dnsConfig dnsPolicy enableServiceLinks hostNetwork hostUsers
 imagePullSecrets nodeSelector priorityClassName runtimeClassName schedulerName securityContext tolerations
 topologySpreadConstraints
VolumeMount: mountPropagation readOnly recursiveReadOnly
EmptyDir: medium sizeLimit
ConfigMapSource: defaultMode
SecretSource: defaultMode
KeyPath: mode
ClaimSource: readOnly
Projected: defaultMode
"""

_CLUSTER = "run it on a cluster"
REFUSED: Mapping[str, Mapping[str, str]] = {
    "TaskSpec": {"sidecars": "start the service inside the step, or " + _CLUSTER},
    "EmbeddedTask": {"sidecars": "start the service inside the step, or " + _CLUSTER},
    "ParamSpec": {"enum": "let the program refuse the value"},
    "Step": {
        "ref": "write the StepAction's command here, or " + _CLUSTER,
        "params": "use the task's params",
        "volumeDevices": _CLUSTER,
        "stdoutConfig": "redirect inside the command",
        "stderrConfig": "redirect inside the command",
    },
    "StepTemplate": {"volumeDevices": _CLUSTER},
    "When": {"cel": "use 'input', 'operator' and 'values'"},
    "TaskRunSpec": {
        "status": "remove it: it asks for a run that waits or is cancelled",
        "debug": _CLUSTER,
        "managedBy": "remove it",
    },
    "WorkspaceBinding": {"csi": "use --workspace name=folder"},
    "PipelineTask": {
        "pipelineRef": "list its tasks here",
        "pipelineSpec": "list its tasks here",
    },
    "PipelineRunSpec": {"status": "remove it: it asks for a run that waits or is cancelled", "managedBy": "remove it"},
    "PipelineTaskRunSpec": {"timeout": "set 'timeout' on the task in the pipeline"},
    "PodTemplate": {
        "env": "set 'env' on the step or its stepTemplate",
        "hostAliases": "make the names known on this machine",
        "volumes": "use a workspace",
    },
    "EnvVarSource": {
        "fieldRef": "write the value, or use $(context.…)",
        "resourceFieldRef": "write the value",
        "fileKeyRef": "read the file in the command",
    },
    "VolumeMount": {"subPath": "use a workspace with 'subPath'", "subPathExpr": "use a workspace with 'subPath'"},
    "ProjectedSource": dict.fromkeys(
        ("serviceAccountToken", "downwardAPI", "clusterTrustBundle", "podCertificate"), "use --workspace name=folder"
    ),
}

_KEPT_KINDS = {"ConfigMap", "Secret", "PersistentVolumeClaim"}
# A path of the container that is no path of this machine; not one below another folder or in a URL.
_CONTAINER_PATH = re.compile(r"(?<![\w.$)}~/:-])/(?:workspace|tekton)(?:/[^\s\"'`;|&<>()]*|\b)")
_COMMENT = re.compile(r"^[ \t]*#(?!!).*$", re.MULTILINE)
_CREDENTIALS = re.compile(r"\$\(credentials\.path\)")


def decisions(table: str) -> dict[str, set[str]]:
    """One of the tables as fields by structure."""
    lines = re.sub(r"\n +", " ", table).strip().splitlines()
    return {name: set(fields.split()) for name, _, fields in (line.partition(":") for line in lines)}


_WITHOUT_EFFECT = decisions(WITHOUT_EFFECT)


def unsupported(documents: Documents) -> list[Finding]:
    """What this engine does not do although Tekton does: errors for what is refused, a note once for each field
    without effect. Documents are expected to have passed :func:`catalog.engine.validation.validate`."""
    sheets = [Sheet(document) for document in documents]
    announced: set[str] = set()
    for sheet in sheets:
        _check(sheet, announced)
    return sorted(found for sheet in sheets for found in sheet.findings)


def _check(sheet: Sheet, announced: set[str]) -> None:
    document = sheet.document
    if document.api_version not in schema.VERSIONS.get(document.kind, ()):
        if document.kind not in _KEPT_KINDS and document.kind not in announced:
            announced.add(document.kind)
            message = f"documents of kind {document.kind} have no effect on this machine"
            sheet.add(Level.NOTE, "no-effect", ("kind",), message)
        return
    _walk(sheet, document.body, document.kind, (), announced)
    for spec in _task_specs(document):
        _check_task_spec(sheet, spec)
    for task in _pipeline_tasks(document):
        for key in ("taskRef", "taskSpec"):
            if is_custom(task.part(key), key):
                message = "custom tasks are not run on this machine"
                sheet.error("unsupported", task.at(key), message, _CLUSTER)
    for where, value in _given_values(document):
        _check_text(sheet, where, value)


def _walk(sheet: Sheet, value: Any, kind: str, path: FieldPath, announced: set[str]) -> None:
    """Every field that is set, against the tables."""
    if kind[0] == "[" and isinstance(value, list):
        for index, item in enumerate(value):
            _walk(sheet, item, kind[1:-1], (*path, index), announced)
        return
    fields = schema.structures().get(kind)
    if fields is None or not isinstance(value, dict):
        return
    refused, without_effect = REFUSED.get(kind, {}), _WITHOUT_EFFECT.get(kind, set())
    for key, item in value.items():
        if key not in fields or item is None or item in ([], {}):
            continue
        where = (*path, key)
        if key in refused:
            sheet.error("unsupported", where, f"{key!r} is not supported on this machine", refused[key])
        elif key in without_effect:
            if key not in announced:
                announced.add(key)
                sheet.add(Level.NOTE, "no-effect", where, f"{key!r} has no effect on this machine")
        else:
            _walk(sheet, item, fields[key].type, where, announced)


def _task_specs(document: Document) -> Iterator[Part]:
    spec = Part(document.body, ()).part("spec")
    if document.kind == "Task":
        yield spec
    if "taskSpec" in spec:
        yield spec.part("taskSpec")
    for task in _pipeline_tasks(document):
        if "taskSpec" in task:
            yield task.part("taskSpec")


def _pipeline_tasks(document: Document) -> list[Part]:
    spec = Part(document.body, ()).part("spec")
    if document.kind == "PipelineRun":
        spec = spec.part("pipelineSpec")
    elif document.kind != "Pipeline":
        return []
    return [*spec.parts("tasks"), *spec.parts("finally")]


def _given_values(document: Document) -> Iterator[tuple[FieldPath, str]]:
    """Values of params, given and default, wherever they stand."""
    spec = Part(document.body, ()).part("spec")
    holders = [spec, spec.part("pipelineSpec"), *_task_specs(document), *_pipeline_tasks(document)]
    for holder in holders:
        for param in holder.parts("params"):
            for key in ("value", "default"):
                yield from texts_below(param.body.get(key), param.at(key))


def _check_task_spec(sheet: Sheet, spec: Part) -> None:
    template = spec.part("stepTemplate")
    volumes = {volume.text("name"): volume for volume in spec.parts("volumes")}
    own_paths = _own_mount_paths(spec)
    for holder in (template, *spec.parts("steps")):
        _check_mounts(sheet, holder, volumes)
        for where, text, _ in step_texts(holder):
            if "volumeMounts" not in where:
                _check_text(sheet, where, text, own_paths)
        directory = holder.text("workingDir")
        if directory and not directory.startswith(("/", "$(")):
            message = f"the working directory {directory!r} is relative: on a cluster the step would never start"
            sheet.error("unsupported", holder.at("workingDir"), message, "begin it with $(workspaces.<name>.path)")
    for step in spec.parts("steps"):
        if not (step.text("script") or step.texts("command") or template.texts("command") or "ref" in step):
            message = "the step has neither 'command' nor 'script': what its image would run is not known here"
            sheet.error("unsupported", step.path, message, "give it a 'command'")


def _own_mount_paths(spec: Part) -> tuple[str, ...]:
    """Where workspaces are mounted on a cluster by the task's own choice: no such paths on this machine."""
    usages = (usage for step in spec.parts("steps") for usage in step.parts("workspaces"))
    holders = [*spec.parts("workspaces"), *usages]
    paths = (posixpath.normpath(one.text("mountPath")) for one in holders if one.text("mountPath").startswith("/"))
    return tuple(path for path in paths if path != "/")


def _check_mounts(sheet: Sheet, holder: Part, volumes: Mapping[str, Part]) -> None:
    """Nothing can be mounted here without being root; each step has a /tmp of its own already."""
    for mount in holder.parts("volumeMounts"):
        volume = volumes.get(mount.text("name"))
        path = posixpath.normpath(mount.text("mountPath") or "/")
        if not (path == "/tmp" and volume is not None and "emptyDir" in volume):  # noqa: S108 - the container's
            message = f"a volume cannot be mounted at {path} on this machine, only an emptyDir at /tmp"
            sheet.error("unsupported", mount.path, message, "use a workspace and $(workspaces.<name>.path)")


def _check_text(sheet: Sheet, where: FieldPath, text: str, own_paths: tuple[str, ...] = ()) -> None:
    # Comments are blanked, not cut: the offset tells the line.
    code = _COMMENT.sub(lambda match: " " * len(match[0]), text) if where[-1] == "script" else text
    found = _CONTAINER_PATH.search(code)
    if found is None and own_paths:
        alternatives = "|".join(map(re.escape, own_paths))
        found = re.search(rf"(?<![\w.$)}}~/:-])(?:{alternatives})(?![\w.-])", code)
    if found:
        message = f"the path {found[0]!r} exists only in a container"
        remedy = "write $(workspaces.<name>.path) or $(results.<name>.path)"
        sheet.error("unsupported", where, message, remedy, found.start())
    if found := _CREDENTIALS.search(code):
        message = f"{found[0]!r}: there is no service account on this machine"
        sheet.error("unsupported", where, message, "use a workspace for credentials", found.start())
