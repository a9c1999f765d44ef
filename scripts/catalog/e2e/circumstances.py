"""What a person needs to find out why a run on a cluster did not do what was expected of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from catalog.e2e.kubectl import Kubectl, KubectlError

_EVENTS = 15


def told(kubectl: Kubectl) -> str:
    """Conditions of the runs, containers that wait, the last events of the namespace; whatever can still be asked."""
    return "\n".join([*_conditions(kubectl), *_waiting(kubectl), *_events(kubectl)])


def _objects(kubectl: Kubectl, kinds: str, *options: str) -> list[Mapping[str, Any]]:
    try:
        return list(kubectl.get(kinds, *options))
    except KubectlError:
        return []


def _conditions(kubectl: Kubectl) -> Iterator[str]:
    for run in _objects(kubectl, "pipelineruns,taskruns"):
        name = f"{run['kind']} {run['metadata']['name']}"
        for condition in (run.get("status") or {}).get("conditions") or ():
            yield f"{name}: {condition.get('reason', '')}: {condition.get('message', '')}"


def _waiting(kubectl: Kubectl) -> Iterator[str]:
    for pod in _objects(kubectl, "pods"):
        status = pod["status"]
        for container in (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())):
            waiting = container.get("state", {}).get("waiting")
            if waiting and waiting.get("reason") != "PodInitializing":
                why = f"{waiting.get('reason')} {waiting.get('message', '')}".rstrip()
                yield f"pod {pod['metadata']['name']}: container {container['name']} waits: {why}"


def _events(kubectl: Kubectl) -> Iterator[str]:
    events = _objects(kubectl, "events", "--sort-by=.lastTimestamp")
    if events:
        yield "last events:"
    for event in events[-_EVENTS:]:
        about = event.get("involvedObject") or {}
        what = f"{about.get('kind', '')} {about.get('name', '')}"
        yield f"  {event.get('type', '')} {event.get('reason', '')}: {what}: {str(event.get('message', '')).strip()}"
