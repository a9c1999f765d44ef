"""What is done, and what is left alone, when a cluster starts and ends."""

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
import testcluster
from testcluster import binaries, file_images, host, native, packages, paths
from testcluster.errors import ClusterError


@pytest.fixture
def go(tmp_path, monkeypatch):
    """A go on the PATH that writes down its calls, and what it shall do."""
    folder = tmp_path / "go-bin"
    folder.mkdir()
    module = tmp_path / "module"
    (module / "deploy").mkdir(parents=True)
    (module / "deploy" / "storage.yaml").write_text("kind: StorageClass")
    script = folder / "go"

    def make(version="go1.26.1", build="exit 0"):
        script.write_text(
            f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\ncase $1 in env) echo {version};; list) echo {module};; build) {build};; esac\n'
        )
        script.chmod(0o755)

    make()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    make.calls = lambda: (tmp_path / "calls").read_text().splitlines() if (tmp_path / "calls").exists() else []
    return make


def test_a_part_is_built_once(go):
    part = binaries.local_path()
    binaries.build(part)
    built = go.calls()
    assert part.is_built()
    assert (part.directory / "deploy" / "storage.yaml").read_text() == "kind: StorageClass"
    binaries.build(part)
    assert go.calls() == built


def test_a_failed_build_says_why_and_leaves_nothing(go, cache):
    go(build="echo 'main.go:1: no such package' >&2; exit 1")
    with pytest.raises(ClusterError, match=r"go build .* failed:\nmain\.go:1: no such package"):
        binaries.build(binaries.coredns())
    assert list((cache / "binaries").iterdir()) == []


@pytest.mark.parametrize("version", ["go1.19.8", ""])
def test_a_go_that_is_too_old_or_missing_is_named(go, version):
    go(version=version)
    with pytest.raises(ClusterError, match=f"needs Go 1.21 or later on the PATH \\(found: {version or 'none'}\\)"):
        binaries.build(binaries.coredns())


def test_every_version_of_tekton_has_a_place_and_a_recipe_of_its_own():
    one, other = binaries.tekton("v1.15.0"), binaries.tekton("v1.0.0")
    assert one.directory != other.directory
    assert one.recipe() != other.recipe()
    assert "pipeline v1.0.0" in other.sources()["go.mod"]


@pytest.mark.parametrize("version", ["1.15.0", "v1.15", "latest", "../x"])
def test_what_is_no_version_of_tekton_is_refused(version):
    with pytest.raises(ClusterError, match=f"'{version}' is not a version of Tekton"):
        binaries.parts(version)


def _state(pid, started):
    state = testcluster.state_directory()
    state.mkdir(parents=True, exist_ok=True)
    (state / "process").write_text(f"{pid} {started}\n")
    return state


def test_a_process_that_took_over_the_number_is_not_the_node():
    started = host._started_at(os.getpid())
    _state(os.getpid(), int(started) - 1)
    assert host.node_process() is None
    _state(os.getpid(), started)
    assert host.node_process() == os.getpid()


def test_a_process_that_ended_but_is_not_reaped_is_no_node():
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert host._started_at(process.pid) is None
    process.wait()


def test_a_cluster_that_ended_by_itself_says_why():
    state = _state(1, 0)
    (state / "log").mkdir()
    (state / "log" / "node.log").write_text("etcd started\nnode: kubelet ended with exit code -9; see its log\n")
    assert testcluster.why_it_ended().startswith("the cluster ended: node: kubelet ended with exit code -9")
    assert testcluster.running() is None


@pytest.mark.parametrize("last", ["unshare: sigprocmask unblock failed: Invalid argument", "kubelet started"])
def test_a_cluster_that_was_killed_is_said_to_be(last):
    state = _state(1, 0)
    (state / "log").mkdir()
    (state / "log" / "node.log").write_text(f"etcd started\n{last}\n")
    assert testcluster.why_it_ended() == "the cluster ended: it was killed; ./scripts/cluster up starts a new one"


def test_mounts_of_the_host_below_the_state_are_found_the_innermost_first():
    mounts = "a /s/kubelet tmpfs rw 0 0\nb /s/kubelet/a\\040b tmpfs rw 0 0\nc /state tmpfs rw 0 0\n"
    assert host.mounted_below(Path("/s"), mounts) == ["/s/kubelet/a b", "/s/kubelet"]


def test_removing_remains_ends_the_node_and_keeps_images_and_logs(tmp_path, monkeypatch):
    groups = tmp_path / "cgroup"
    (groups / host.CGROUP / "kubepods" / "pod1").mkdir(parents=True)
    monkeypatch.setattr(host, "cgroup_hierarchies", lambda: [groups])
    monkeypatch.setattr(host, "INTERFACE", "nosuch0")
    process = subprocess.Popen(["sleep", "600"])
    state = _state(process.pid, host._started_at(process.pid))
    for name in ("registry", "log", "etcd/member", "keys"):
        (state / name).mkdir(parents=True)
    (state / "kubeconfig").write_text("x")
    host.remove_remains()
    assert process.wait() == -9
    assert sorted(path.name for path in state.iterdir()) == ["log", "registry"]
    assert not (groups / host.CGROUP).exists()
    host.remove_remains()


def test_packages_are_named_where_they_cannot_be_installed(monkeypatch):
    monkeypatch.setattr(packages, "PACKAGE_OF", {"no-such-program": "no-such-package", "sh": "dash"})
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(ClusterError, match=r"missing: no-such-package; as root: apt-get install .* no-such-package"):
        packages.install_packages()


def test_only_root_on_linux_has_a_native_cluster(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert native.usable() == "a native cluster needs root (it makes namespaces and mounts of its own)"


def test_two_commands_at_once_are_refused(cache, monkeypatch):
    cache.mkdir(parents=True)
    monkeypatch.setattr(native, "up", lambda *_: pytest.fail("started all the same"))
    with (cache / f"cluster{paths.SUFFIX}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ClusterError, match="another command is starting or ending the cluster"):
            testcluster.up(how="native")


def test_an_image_whose_tag_is_there_is_not_pushed_again(tmp_path, monkeypatch):
    registry = file_images.Registry("127.0.0.1:1")
    monkeypatch.setattr(registry, "digest", lambda name, tag: "sha256:5")
    image = file_images.FileImage("cluster/x", "1", {"/x": tmp_path / "missing"}, {}, ["/x"])
    assert registry.push(image) == "127.0.0.1:1/cluster/x@sha256:5"


def test_a_registry_that_does_not_answer_is_named(tmp_path):
    (tmp_path / "x").write_bytes(b"x")
    image = file_images.FileImage("cluster/x", "1", {"/x": tmp_path / "x"}, {}, ["/x"])
    with pytest.raises(ClusterError, match=r"could not push cluster/x:1 to the registry 127\.0\.0\.1:1"):
        file_images.Registry("127.0.0.1:1").push(image)
