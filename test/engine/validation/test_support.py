"""What the local engine refuses by name, and what it announces to be without effect."""

from __future__ import annotations

import pytest

from catalog.engine import schema, support
from catalog.engine.findings import Level

STEP = "steps:\n- name: s\n  image: i\n"


def test_every_field_that_tekton_knows_is_decided_once():
    honoured, without_effect = support.decisions(support.HONOURED), support.decisions(support.WITHOUT_EFFECT)
    tables = [honoured, without_effect, support.REFUSED]
    structures = schema.structures()
    # Volumes are judged by their mounts, of claims just their being there counts.
    leaves = {"Volume", "Claim"}
    reached: set[str] = set()
    waiting = list(schema.VERSIONS)
    while waiting:
        name = waiting.pop()
        if name in reached or name in leaves:
            continue
        reached.add(name)
        for field in structures[name].values():
            decided = [field.name in table.get(name, ()) for table in tables]
            assert sum(decided) == 1, f"{name}.{field.name}: {decided}"
            inner = field.type.strip("[]{}")
            if decided[0] and inner in structures:
                waiting.append(inner)
    for table in tables:
        for name, fields in table.items():
            assert set(fields) <= structures[name].keys(), name


def test_what_the_catalogs_own_tasks_do_can_run(check):
    notes = check.can_run(
        check.task("""
        workspaces: [{name: source}]
        results: [{name: commit}]
        stepTemplate: {env: [{name: HOME, value: /tmp}, {name: USER, value: nonroot}]}
        volumes: [{name: tmp, emptyDir: {}}]
        steps:
        - name: train
          image: i
          workingDir: $(workspaces.source.path)
          command: [train]
          args: [--url=https://example.com/workspace/x, --out=$(workspaces.source.path)/tekton/x, ./workspace/y]
          volumeMounts: [{name: tmp, mountPath: /tmp}]
          securityContext: {runAsNonRoot: true}
          computeResources: {requests: {cpu: 100m}}
        """)
    )
    assert [(one.level, one.message) for one in notes] == [
        (Level.NOTE, "'securityContext' has no effect on this machine"),
        (Level.NOTE, "'computeResources' has no effect on this machine"),
    ]


def test_a_field_without_effect_is_announced_once_for_all_documents(check):
    text = STEP + "  command: [c]\n  securityContext: {}\n".replace("{}", "{privileged: false}")
    assert len(check.can_run(check.task(text, "a"), check.task(text, "b"))) == 1


def test_other_documents_are_kept_or_announced(check):
    kept = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n"
    role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n"
    assert [one.message for one in check.can_run(kept, role)] == [
        "documents of kind Role have no effect on this machine"
    ]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            "taskSpec: {sidecars: [{name: x, image: i}], steps: [{image: i, command: [c]}]}",
            "'sidecars' is not supported",
        ),
        ("taskRef: {apiVersion: e/v1, kind: Wait}", "custom tasks are not run on this machine"),
    ],
)
def test_parts_of_pipelines_are_refused_by_name(check, fields, message):
    check.cannot_run(message, check.pipeline(f"tasks:\n- name: a\n  {fields}  # here\n"))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("env: [{name: E, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", "'fieldRef' is not supported"),
        ("volumeDevices: [{name: d, devicePath: /dev/x}]", "'volumeDevices' is not supported"),
        ("args: [/workspace/source/x]", "the path '/workspace/source/x' exists only in a container"),
        ("args: [--out=/tekton/results/x]", "the path '/tekton/results/x' exists only in a container"),
        ("env: [{name: HOME, value: /tekton/home}]", "the path '/tekton/home' exists only in a container"),
        ("args: [$(credentials.path)]", "there is no service account on this machine"),
        ("workingDir: data", "is relative: on a cluster the step would never start"),
    ],
)
def test_what_a_step_cannot_have_here_is_refused_by_name(check, fields, message):
    check.cannot_run(message, check.task(STEP + f"  command: [c]\n  {fields}  # here\n"))


def test_a_step_that_takes_a_step_action_is_refused(check):
    check.cannot_run("'ref' is not supported", check.task("steps:\n- name: s\n  ref: {name: x}  # here\n"))


def test_a_step_without_command_is_refused_since_its_image_is_not_pulled(check):
    text = check.task("steps:\n- name: s  # here\n  image: i\n")
    check.cannot_run("neither 'command' nor 'script': what its image would run is not known here", text)


def test_a_container_path_in_a_script_is_found_with_its_line_but_not_in_a_comment(check):
    script = "  script: |\n    #!/bin/sh\n    # writes to /workspace/x\n    ls\n    cat /workspace/x  # here\n"
    check.cannot_run("the path '/workspace/x' exists only in a container", check.task(STEP + script))


def test_a_workspaces_own_mount_path_is_no_path_of_this_machine(check):
    text = check.task("workspaces: [{name: w, mountPath: /data}]\n" + STEP + "  command: [cat, /data/x.csv]  # here\n")
    check.cannot_run("the path '/data' exists only in a container", text)


def test_a_container_path_given_as_a_param_is_refused(check):
    run = check.document("TaskRun", "taskRef: {name: t}\nparams:\n- {name: p, value: /workspace/source/x}  # here\n")
    check.cannot_run("exists only in a container", check.task("params: [{name: p}]", "t"), run)


def test_only_an_empty_dir_at_tmp_can_be_mounted(check):
    volumes = "volumes: [{name: v, emptyDir: {}}, {name: c, configMap: {name: x}}]\n"
    for mount in ("{name: v, mountPath: /data}", "{name: c, mountPath: /tmp}"):
        text = check.task(volumes + STEP + f"  command: [c]\n  volumeMounts:\n  - {mount}  # here\n")
        check.cannot_run("only an emptyDir at /tmp", text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ("status: TaskRunPending", "'status' is not supported"),
        ("podTemplate: {env: [{name: A, value: b}]}", "'env' is not supported"),
        ("workspaces: [{name: w, csi: {driver: d}}]", "'csi' is not supported"),
        ("workspaces: [{name: w, projected: {sources: [{downwardAPI: {}}, {serviceAccountToken: {path: t}}]}}]", "'serviceAccountToken' is"),
    ],
)  # fmt: skip
def test_what_a_run_cannot_have_here_is_refused_by_name(check, fields, message):
    text = check.document("TaskRun", f"taskSpec: {{steps: [{{image: i, command: [c]}}]}}\n{fields}  # here\n")
    check.cannot_run(message, text)
