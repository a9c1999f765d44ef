from __future__ import annotations

import pytest

from catalog.engine.findings import Level
from catalog.rules.secrets import looks_secret

DIGEST = "sha256:" + "a" * 64
RESTRICTED = (
    "{allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, runAsNonRoot: true, "
    "seccompProfile: {type: RuntimeDefault}}"
)


def image(tree, reference, params="[]"):
    tree.task(f"params: {params}\nsteps:\n- name: s\n  image: '{reference}'\n  command: [c]", "example.yaml")
    return {one.rule: one for one in tree.findings() if one.rule.startswith("image")}


@pytest.mark.parametrize(
    ("reference", "rules"),
    [
        (f"ghcr.io/a/b:1.0@{DIGEST}", set()),
        (f"localhost:5000/b:1.0@{DIGEST}", set()),
        ("ghcr.io/a/b:1.0", {"image-digest"}),
        (f"ghcr.io/a/b@{DIGEST}", {"image-tag"}),
        (f"ghcr.io/a/b:latest@{DIGEST}", {"image-tag"}),
        ("ghcr.io/a/b", {"image-latest"}),
        ("ghcr.io/a/b:latest", {"image-latest"}),
        ("ubuntu", {"image-latest", "image-registry"}),
        ("library/ubuntu:24.04", {"image-digest", "image-registry"}),
        ("ghcr.io/a/B:1.0", {"image-reference"}),
        ("ghcr.io/a/b:1.0@sha256:abc", {"image-reference"}),
        ("ghcr.io/a/b:", {"image-reference"}),
        ("https://ghcr.io/a/b:1.0", {"image-reference"}),
        ("ghcr.io/sklearn-catalog/sklearn-train:0.1.0", set()),
        ("ghcr.io/sklearn-catalog/sklearn-train:main", {"image-digest"}),
    ],
)
def test_images_are_judged_by_what_their_reference_says(tree, reference, rules):
    assert set(image(tree, reference)) == rules


def test_an_image_in_a_param_is_judged_by_the_default_and_found_there(tree):
    found = image(tree, "$(params.i)", "\n- name: i\n  default: ghcr.io/a/b:latest")
    assert found["image-latest"].position.field == "spec.params[0].default"


def test_a_default_may_be_a_part_of_the_image_or_name_another_param(tree):
    assert set(image(tree, "ghcr.io/a/b:$(params.tag)", "[{name: tag, default: '1.0'}]")) == {"image-digest"}
    twice = "[{name: i, default: 'ghcr.io/a/b:$(params.tag)'}, {name: tag, default: latest}]"
    assert set(image(tree, "$(params.i)", twice)) == {"image-latest"}


@pytest.mark.parametrize(
    ("reference", "says"), [("ghcr.io/a/b", "but no tag"), ("ghcr.io/a/b:latest", "but the tag latest")]
)
def test_of_an_image_with_a_digest_it_is_said_which_tag_it_lacks(tree, reference, says):
    assert image(tree, f"{reference}@{DIGEST}")["image-tag"].message.endswith(says)


def test_an_image_that_only_the_caller_knows_is_a_warning(tree):
    assert image(tree, "$(params.i)", "[{name: i}]")["image-variable"].level is Level.WARNING


def test_an_image_of_the_step_template_is_found_once_for_all_steps(tree):
    tree.task(
        "stepTemplate: {image: ghcr.io/a/b}\nsteps: [{name: s, command: [c]}, {name: t, command: [c]}]", "example.yaml"
    )
    assert tree.only("image-latest").position.field == "spec.stepTemplate.image"


def context(tree, own="{}", template="{}", kind="step"):
    tree.task(
        f"stepTemplate: {{securityContext: {template}}}\n"
        f"steps: [{{name: s, image: i, command: [c], securityContext: {own if kind == 'step' else RESTRICTED}}}]\n"
        + (f"sidecars: [{{name: x, image: i, securityContext: {own}}}]" if kind == "sidecar" else ""),
        "example.yaml",
    )
    return tree.of("restricted")


def test_a_step_may_take_its_context_from_the_template_and_change_parts_of_it(tree):
    assert context(tree, template=RESTRICTED) == []
    assert context(tree, own="{capabilities: {drop: [ALL]}}", template=RESTRICTED) == []
    (found,) = context(tree, own="{capabilities: {drop: [CHOWN]}}", template=RESTRICTED)
    assert "capabilities.drop is missing" in found.message
    assert found.remedy == "add to its securityContext: {capabilities: {drop: [ALL]}}"


def test_what_the_template_adds_and_a_step_does_not_take_back_counts(tree):
    (found,) = context(tree, own="{runAsNonRoot: false}", template=RESTRICTED)
    assert "runAsNonRoot is missing" in found.message
    assert tree.only("root-user")


def test_sidecars_are_no_steps_and_take_nothing_from_the_template(tree):
    (found,) = context(tree, template=RESTRICTED, kind="sidecar")
    assert found.message.startswith("the sidecar 'x' is refused")


def test_an_inline_tasks_pod_template_counts(tree):
    tree.write("run.yaml", """\
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {name: r}
spec:
  podTemplate: {securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}}
  taskSpec:
    steps:
    - name: s
      image: i
      command: [c]
      securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
""")  # fmt: skip
    assert tree.of("restricted") == []


def test_a_step_that_takes_a_step_action_is_judged_where_that_is(tree):
    tree.task("steps: [{name: s, ref: {name: a}}]", "example.yaml")
    tree.write("a.yaml", "apiVersion: tekton.dev/v1beta1\nkind: StepAction\nmetadata: {name: a}\nspec: {image: ghcr.io/a/b, command: [c]}\n")  # fmt: skip
    assert [one.message[:14] for one in tree.of("restricted")] == ["the StepAction"]
    assert tree.only("image-latest")


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ("securityContext: {privileged: true}", "privileged"),
        ("securityContext: {allowPrivilegeEscalation: true}", "privileged"),
        ("securityContext: {capabilities: {add: [SETFCAP]}}", "capabilities"),
        ("securityContext: {procMount: Unmasked}", "unconfined"),
        ("securityContext: {appArmorProfile: {type: Unconfined}}", "unconfined"),
        ("securityContext: {runAsUser: 0}", "root-user"),
    ],
)
def test_open_doors_are_errors_in_steps_sidecars_and_the_template(tree, given, rule):
    tree.task(f"""
stepTemplate: {{{given}}}
steps: [{{name: s, image: i, command: [c], {given}}}]
sidecars: [{{name: x, image: i, {given}}}]""", "example.yaml")  # fmt: skip
    found = tree.of(rule)
    assert [one.level for one in found] == [Level.ERROR] * 3
    assert len({one.position.line for one in found}) == 3


def test_a_port_below_1024_needs_no_root(tree):
    tree.task("steps: [{name: s, image: i, command: [c], securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}}]")
    assert tree.of("capabilities") == []


def test_a_runs_pod_template_may_not_open_the_node(tree):
    tree.write("run.yaml", """\
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {name: r}
spec:
  pipelineRef: {name: p}
  taskRunTemplate:
    podTemplate:
      hostNetwork: true
      securityContext: {runAsUser: 0}
""")  # fmt: skip
    assert tree.only("host-access").position.line == 8
    assert tree.only("root-user").position.line == 9


@pytest.mark.parametrize("name", ["token", "github-token", "GITHUB_TOKEN", "registryPassword", "apiKey", "API_KEY", "client-secret", "db.passwd", "accessToken", "private-key"])  # fmt: skip
def test_names_of_secrets_are_known(name):
    assert looks_secret(name)


@pytest.mark.parametrize("name", ["token-file", "secret-name", "tokens", "password-secret-name", "monkey", "tokenizer", "compass", "key", "bypass", "TOKEN_PATH"])  # fmt: skip
def test_names_about_secrets_are_not(name):
    assert not looks_secret(name)


def test_a_param_that_names_a_secret_is_none(tree):
    tree.task("""
params: [{name: api-token}]
steps:
- name: s
  image: i
  command: [c]
  env: [{name: T, valueFrom: {secretKeyRef: {name: $(params.api-token), key: token}}}]""", "example.yaml")  # fmt: skip
    assert tree.of("secret-param") == []
    assert tree.only("secret-env")


@pytest.mark.parametrize("value", ["$(params.x)", "/workspace/token", "true", "$TOKEN", ""])
def test_values_from_elsewhere_are_no_secrets(tree, value):
    tree.task(f"steps: [{{name: s, image: i, command: [c], env: [{{name: TOKEN, value: '{value}'}}]}}]", "example.yaml")
    assert tree.of("secret-in-file") == []


@pytest.mark.parametrize(
    "text",
    ["ghp_" + "a" * 36, "AKIA" + "A" * 16, "-----BEGIN RSA PRIVATE KEY-----", "https://me:hunter2@example.com/x"],
)
def test_tokens_are_known_by_their_form_wherever_they_stand(tree, text):
    tree.task(f"steps: [{{name: s, image: i, command: [c, '{text}']}}]", "example.yaml")
    found = tree.only("secret-in-file")
    assert text not in found.message, "the message must not spread it"


def test_a_secret_param_with_a_default_is_in_the_file(tree):
    tree.task(
        "params: [{name: password, default: hunter2}]\nsteps: [{name: s, image: i, command: [c, $(params.password)]}]"
    )
    assert tree.only("secret-in-file").position.field == "spec.params[0].default"


def test_a_whole_secret_as_environment_is_found(tree):
    tree.task("steps: [{name: s, image: i, command: [c], envFrom: [{secretRef: {name: x}}]}]", "example.yaml")
    assert tree.only("secret-env").position.field == "spec.steps[0].envFrom[0].secretRef"


def resolved(tree, resolver, params):
    given = ", ".join(f"{{name: {name}, value: '{value}'}}" for name, value in params.items())
    tree.write("p.yaml", f"""\
apiVersion: tekton.dev/v1
kind: Pipeline
metadata: {{name: p}}
spec:
  params: [{{name: tag, default: v1}}, {{name: free}}]
  tasks: [{{name: t, taskRef: {{resolver: {resolver}, params: [{given}]}}}}]
""")  # fmt: skip
    return [one.message for one in tree.of("unpinned-reference")]


@pytest.mark.parametrize(
    ("resolver", "params"),
    [
        ("bundles", {"bundle": f"r.example.com/b:1@{DIGEST}", "name": "t"}),
        ("git", {"url": "https://x", "revision": "a" * 40}),
        ("hub", {"name": "t", "version": "0.1"}),
        ("http", {"url": "https://x", "digest": DIGEST}),
        ("cluster", {"name": "t"}),
        ("bundles", {"bundle": "$(params.free)", "name": "t"}),
    ],
)
def test_references_that_stay_what_they_are_pass_and_so_do_unknown_ones(tree, resolver, params):
    assert resolved(tree, resolver, params) == []


@pytest.mark.parametrize(
    ("resolver", "params", "what"),
    [
        ("bundles", {"bundle": "r.example.com/b:1", "name": "t"}, "'r.example.com/b:1'"),
        ("bundles", {"bundle": "r.example.com/b:$(params.tag)", "name": "t"}, "'r.example.com/b:v1'"),
        ("git", {"url": "https://x", "revision": "main"}, "the revision 'main'"),
        ("git", {"url": "https://x"}, "the newest revision"),
        ("hub", {"name": "t", "version": ">= 0.1"}, "the version '>= 0.1'"),
        ("http", {"url": "https://x"}, "a page without its digest"),
    ],
)
def test_references_that_move_are_found_with_what_they_ask_for(tree, resolver, params, what):
    (message,) = resolved(tree, resolver, params)
    assert message == f"the {resolver} resolver is asked for {what}, which may be something else tomorrow"
