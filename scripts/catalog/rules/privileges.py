"""What a step may do to the cluster: Pod Security "restricted", and what goes openly against it.

Source: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.engine.documents import FieldPath
from catalog.engine.validation.parts import Part
from catalog.rules.subject import Container, Subject, containers_of

_CONTEXT = "securityContext"
_PROFILES = ("RuntimeDefault", "Localhost")
_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC")


def check(subject: Subject) -> None:
    pods = [_pod_template(subject)]
    for holder in _holders(subject):
        _check_openly(subject, holder)
    for pod in pods:
        _check_user(subject, pod.part(_CONTEXT))
        _check_profiles(subject, pod.part(_CONTEXT))
        for field in _HOST_FIELDS:
            if pod.flag(field):
                message = f"{field!r} gives the pod the node's own namespace"
                subject.say("host-access", pod.at(field), message, "remove it")
    for spec in subject.task_specs:
        _check_volumes(subject, spec)
        for container in containers_of(spec):
            _check_restricted(subject, container, pods[0].part(_CONTEXT).body)
    if subject.document.kind == "StepAction":
        _check_restricted(subject, Container(subject.spec, Part({}, ()), "StepAction"), {})


def _pod_template(subject: Subject) -> Part:
    """The run's own, which an inline task's pod gets."""
    spec = subject.spec
    return spec.part("taskRunTemplate").part("podTemplate") if "taskRunTemplate" in spec else spec.part("podTemplate")


def _holders(subject: Subject) -> Iterator[Part]:
    """Everything that can have a security context of its own."""
    for spec in subject.task_specs:
        yield spec.part("stepTemplate")
        yield from (container.part for container in containers_of(spec))
    if subject.document.kind == "StepAction":
        yield subject.spec


def _check_openly(subject: Subject, holder: Part) -> None:
    context = holder.part(_CONTEXT)
    if context.flag("privileged"):
        message = "a privileged container is root on its node: whoever can set its params owns the cluster"
        subject.say("privileged", context.at("privileged"), message, "remove it, and do the work without")
    if context.flag("allowPrivilegeEscalation"):
        message = "the container's programs may get more rights than they were started with"
        remedy = "write allowPrivilegeEscalation: false"
        subject.say("privileged", context.at("allowPrivilegeEscalation"), message, remedy)
    for where, name in context.part("capabilities").texts("add"):
        if name != "NET_BIND_SERVICE":
            message = f"the capability {name!r} is not allowed under Pod Security 'restricted'"
            subject.say("capabilities", where, message, "remove it, and do the work without")
    if context.text("procMount") == "Unmasked":
        message = "procMount 'Unmasked' shows the container the node's /proc"
        subject.say("unconfined", context.at("procMount"), message, "remove it")
    for port in holder.parts("ports"):
        if "hostPort" in port:
            message = f"the container takes the port {port.number('hostPort')} of its node"
            subject.say("host-access", port.at("hostPort"), message, "remove it: steps reach sidecars at localhost")
    _check_user(subject, context)
    _check_profiles(subject, context)


def _check_user(subject: Subject, context: Part) -> None:
    if context.body.get("runAsUser") == 0:
        message = "the container runs as root"
        subject.say("root-user", context.at("runAsUser"), message, "remove it, and let the image work as any user")
    elif context.body.get("runAsNonRoot") is False:
        message = "the container may run as root"
        subject.say("root-user", context.at("runAsNonRoot"), message, "write runAsNonRoot: true")


def _check_profiles(subject: Subject, context: Part) -> None:
    for field in ("seccompProfile", "appArmorProfile"):
        if context.part(field).text("type") == "Unconfined":
            message = f"{field} 'Unconfined' lets the container make any system call the kernel has"
            subject.say("unconfined", context.part(field).at("type"), message, "write type: RuntimeDefault")


def _check_volumes(subject: Subject, spec: Part) -> None:
    for volume in spec.parts("volumes"):
        if "hostPath" in volume:
            path = volume.part("hostPath").text("path")
            what = "the node's container engine: that is root" if path.endswith(".sock") else "files of its node"
            message = f"the volume {volume.text('name')!r} opens {path} to the task, {what}"
            subject.say("host-access", volume.at("hostPath"), message, "use a workspace or an emptyDir")


def _check_restricted(subject: Subject, container: Container, pod: Mapping[str, Any]) -> None:
    if container.is_reference:
        return
    context = {**pod, **_merged(container.template.part(_CONTEXT).body, container.part.part(_CONTEXT).body)}
    missing = list(_missing(context))
    if not missing:
        return
    message = f"{container.title} is refused where Pod Security 'restricted' is enforced: {_listed(missing)} missing"
    remedy = f"add to its securityContext: {{{', '.join(missing)}}}"
    subject.say("restricted", _place(container), message, remedy)


def _place(container: Container) -> FieldPath:
    part = container.part
    if _CONTEXT in part:
        return part.at(_CONTEXT)
    return part.at("name") if "name" in part else part.path


def _missing(context: Mapping[str, Any]) -> Iterator[str]:
    """What 'restricted' asks for, as it is written, where the context does not say it."""
    if context.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation: false"
    capabilities = context.get("capabilities")
    dropped = capabilities.get("drop") if isinstance(capabilities, dict) else None
    if not (isinstance(dropped, list) and "ALL" in dropped):
        yield "capabilities: {drop: [ALL]}"
    if context.get("runAsNonRoot") is not True:
        yield "runAsNonRoot: true"
    profile = context.get("seccompProfile")
    if not (isinstance(profile, dict) and profile.get("type") in _PROFILES):
        yield "seccompProfile: {type: RuntimeDefault}"


def _merged(template: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """As Tekton merges a step into its template: mappings by key, everything else whole."""
    found = dict(template)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(found.get(key), dict)
        found[key] = _merged(found[key], value) if both else value
    return found


def _listed(missing: list[str]) -> str:
    names = [one.partition(":")[0] for one in missing]
    names = ["capabilities.drop" if name == "capabilities" else name for name in names]
    verb = "is" if len(names) == 1 else "are"
    return f"{', '.join(names[:-1])} and {names[-1]} {verb}" if len(names) > 1 else f"{names[0]} {verb}"
