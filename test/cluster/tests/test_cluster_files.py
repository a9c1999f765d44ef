"""The files a native cluster is made of."""

import io
import json
import os
import re
import tarfile
import tomllib

import pytest
import yaml
from testcluster import native, tekton
from testcluster.components import components
from testcluster.errors import ClusterError
from testcluster.file_images import FileImage
from testcluster.paths import ADDRESS, CGROUP, REGISTRY


@pytest.mark.parametrize("template", sorted(path.name for path in native.TEMPLATES.iterdir()))
def test_every_place_in_a_template_is_filled_in(template):
    text = native.render(template, TOKEN="secret")
    assert not re.search(r"@[A-Z]+@", text)
    if template.endswith(".yaml"):
        assert yaml.safe_load(text)
    elif template.endswith(".toml"):
        assert tomllib.loads(text)
    elif template.endswith(".conflist"):
        assert json.loads(text)["plugins"]


def test_every_template_is_used():
    assert {path.name for path in native.TEMPLATES.iterdir()} == {*native.CONFIG_FILES, "kubeconfig.yaml"}


def test_containerd_takes_the_catalogs_images_from_the_clusters_registry():
    config = tomllib.loads(native.render("containerd.toml"))
    folder = config["plugins"]["io.containerd.cri.v1.images"]["registry"]["config_path"].removeprefix(
        "/run/cluster/config/"
    )
    hosts = {name: template for template, name in native.CONFIG_FILES.items() if name.startswith(f"{folder}/")}
    assert set(hosts) == {f"{folder}/{REGISTRY}/hosts.toml", f"{folder}/ghcr.io/hosts.toml"}
    for template in hosts.values():
        assert list(tomllib.loads(native.render(template))["host"]) == [f"http://{ADDRESS}:5000"]


def test_containerd_finds_the_shim_that_was_built_with_it_before_any_other():
    (containerd,) = (each for each in components("/k/kube", "/c/containerd", "/d/coredns") if each.name == "containerd")
    assert containerd.command[:3] == ("env", f"PATH=/c:{os.environ['PATH']}", "/c/containerd")


def test_the_kubelet_stays_below_a_control_group_of_its_own():
    assert yaml.safe_load(native.render("kubelet.yaml"))["cgroupRoot"] == f"/{CGROUP}"


@pytest.fixture
def release(tmp_path):
    """Tekton's manifests in miniature."""
    (tmp_path / "300-crds").mkdir()
    files = {
        "100-namespace.yaml": 'kind: Namespace\nlabels: {version: "devel"}',
        "300-crds/task.yaml": "kind: CustomResourceDefinition",
        "500-webhooks.yaml": "kind: ValidatingWebhookConfiguration\nwebhooks:\n- name: v\n  sideEffects: None\n",
        "controller.yaml": "image: ko://github.com/tektoncd/pipeline/cmd/controller\n"
        "args: [ko://github.com/tektoncd/pipeline/cmd/nop, cgr.dev/chainguard/busybox@sha256:" + "0" * 64 + "]\n"
        "requests:\n            cpu: 100m\nlimits:\n            cpu: 500m",
        "config-feature-flags.yaml": 'data:\n  set-security-context: "false"\n'
        '  set-security-context-read-only-root-filesystem: "false"\n'
        '  running-in-environment-with-injected-sidecars: "true"',
        "webhook-hpa.yaml": "kind: HorizontalPodAutoscaler",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    return tmp_path


IMAGES = {"controller": "r/controller@sha256:1", "nop": "r/nop@sha256:2"}


def test_webhooks_are_registered_after_everything_that_they_would_refuse(release):
    names = [path.name for path in tekton.files_in_order(release)]
    assert names[-1] == "500-webhooks.yaml"
    assert names[0] == "100-namespace.yaml"
    assert "webhook-hpa.yaml" not in names


def test_tekton_gets_our_images_and_our_settings(release):
    text = tekton.manifest(release, "v1.15.0", IMAGES, "r/shell@sha256:3")
    assert "image: r/controller@sha256:1" in text
    assert "args: [r/nop@sha256:2, r/shell@sha256:3]" in text
    assert '  set-security-context: "true"\n' in text
    assert '  set-security-context-read-only-root-filesystem: "false"\n' in text
    assert '  running-in-environment-with-injected-sidecars: "false"' in text
    assert '{version: "v1.15.0"}' in text
    assert "requests:\n            cpu: 100m\nlimits:\n            cpu: 2000m" in text
    assert "- name: v\n  sideEffects: None\n  timeoutSeconds: 30\n" in text


def test_a_program_that_is_not_built_is_named(release):
    with pytest.raises(ClusterError, match=r"v1\.15\.0 names an image that is not built here: ko://\S+/cmd/nop"):
        tekton.manifest(release, "v1.15.0", {"controller": "r/controller@sha256:1"}, "r/shell@sha256:3")


def test_a_setting_that_is_not_there_is_named(release):
    (release / "config-feature-flags.yaml").write_text("data: {}")
    with pytest.raises(ClusterError, match=r"have no .*set-security-context.* laid out in another way"):
        tekton.manifest(release, "v9.9.9", IMAGES, "r/shell@sha256:3")


def test_the_same_files_give_the_same_layer(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"#!")
    image = FileImage("cluster/x", "1", {"/ko-app/x": program}, {"/bin/sh": "busybox"}, ["/ko-app/x"])
    first, second = io.BytesIO(), io.BytesIO()
    image.write_layer(first)
    program.touch()
    image.write_layer(second)
    assert first.getvalue() == second.getvalue()
    with tarfile.open(fileobj=io.BytesIO(first.getvalue())) as tar:
        entries = {entry.name: entry for entry in tar}
    assert (entries["ko-app/x"].mode, entries["bin/sh"].linkname, entries["tmp"].mode) == (0o755, "busybox", 0o1777)
    assert json.loads(image.config("sha256:1"))["config"]["User"] == "65532"
