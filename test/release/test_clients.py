"""The clients themselves: tkn, and the web servers that people serve a hub with."""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml

from catalog.environments import ROOT
from catalog.releasing.hub_client import Hub, NotFoundError, constraint
from catalog.releasing.verifying import served
from taskkit.errors import TaskError

sys.path.insert(0, str(ROOT / "test" / "cluster"))


@pytest.fixture(scope="module")
def tkn():
    from testcluster import paths

    found = sorted(paths.binaries_directory().glob("tkn-*/tkn"))
    if not found:
        pytest.skip("tkn is not there; ./scripts/cluster up builds it")
    return found[-1]


def ask_tkn(tkn, home, *arguments, **more):
    environment = {**os.environ, "HOME": str(home), **more}
    done = subprocess.run([tkn, *arguments], capture_output=True, text=True, env=environment, check=False)
    return done.stdout, done.stderr


@pytest.mark.parametrize(
    ("kind", "name"), [("Task", "sklearn-train"), ("Task", "metric-gate"), ("Pipeline", "train-gate-build")]
)
def test_tkn_lists_a_bundle_by_digest_and_gives_its_object(released, tkn, tmp_path, kind, name):
    reference = released.bundle(kind, name)
    out, err = ask_tkn(tkn, tmp_path, "bundle", "list", reference)
    assert out == f"{kind.lower()}.tekton.dev/{name}\n", err
    out, err = ask_tkn(tkn, tmp_path, "bundle", "list", reference, kind.lower(), name, "-o", "yaml")
    rendered = released.out / f"yaml/{kind.lower()}/{name}/0.1/{name}.yaml"
    assert yaml.safe_load(out)["spec"].keys() == yaml.safe_load(rendered.read_text())["spec"].keys(), err


def test_tkn_lists_the_bundle_with_everything_by_tag(released, tkn, tmp_path):
    out, err = ask_tkn(tkn, tmp_path, "bundle", "list", f"{released.target}/catalog:0.1")
    assert out.split() == [
        "task.tekton.dev/metric-gate",
        "task.tekton.dev/model-serve-build",
        "task.tekton.dev/sklearn-train",
        "pipeline.tekton.dev/clone-train-gate-build",
        "pipeline.tekton.dev/train-gate-build",
    ], err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ["task", "sklearn-train"],
            "missing catalog name for artifact type, please specify catalog name by --from flag",
        ),
        (["task", "sklearn-train", "--from", "sklearn-catalogue"], "No Resource Found"),
        (["task", "sklearn-trian", "--from", "sklearn-catalog"], "No Resource Found"),
        (
            ["task", "sklearn-train", "--from", "sklearn-catalog", "--version", "7.0.0"],
            "Task sklearn-train(7.0.0) from sklearn-catalog catalog not found in Hub",
        ),
        (
            ["task", "sklearn-train", "--from", "sklearn-catalog", "--version", ">= 0.1"],
            'invalid value ">= 0.1" set for option version',
        ),
        (["pipeline", "train-gate-build", "--from", "sklearn-catalog"], "command install pipeline doesn't exist"),
    ],
)
def test_what_tkn_says_of_a_mistake_is_what_the_page_for_users_quotes(released, tkn, tmp_path, arguments, says):
    (tmp_path / "config").write_text("apiVersion: v1\nkind: Config\n")
    with served(released.out / "hub") as hub:
        where = {"ARTIFACT_HUB_API_SERVER": hub.url, "KUBECONFIG": str(tmp_path / "config")}
        _, err = ask_tkn(tkn, tmp_path, "hub", "install", *arguments, **where)
    assert says in err
    assert says in (ROOT / "docs" / "install.md").read_text()


def test_a_hub_that_is_not_there_is_named_by_tkn(tkn, tmp_path):
    nowhere = "http://127.0.0.1:9"
    asked = ("hub", "install", "task", "sklearn-train", "--from", "sklearn-catalog")
    _, err = ask_tkn(tkn, tmp_path, *asked, ARTIFACT_HUB_API_SERVER=nowhere)
    assert nowhere in err
    assert "connect: connection refused" in err


def wait_for(url):
    for _ in range(200):
        try:
            urllib.request.urlopen(url, timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/log;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def web_server(name, root, port, folder):
    """A command that serves a folder."""
    if name == "nginx":
        program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
        if not program:
            pytest.skip("nginx is not installed")
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=port, root=root))
        return [program, "-e", str(folder / "log"), "-c", str(config), "-g", "user root;" if os.getuid() == 0 else ""]
    arguments = {
        "python -m http.server": ["-m", "http.server", port, "--bind", "127.0.0.1", "--directory", root],
        "./scripts/hub": ["-m", "catalog", "hub", root, "--port", port],
    }
    return [sys.executable, *arguments[name]]


@pytest.fixture(scope="module", params=["python -m http.server", "./scripts/hub", "nginx"])
def hub(request, released, tmp_path_factory):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    process = subprocess.Popen(
        web_server(request.param, str(released.out / "hub"), port, tmp_path_factory.mktemp("web-server")),
        env={**os.environ, "PYTHONPATH": str(ROOT / "scripts")},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    wait_for(url)
    yield Hub(url)
    process.terminate()
    process.wait(10)


def test_any_web_server_answers_tkn_and_the_resolver(hub, released):
    wanted = (released.out / "yaml/task/sklearn-train/0.1/sklearn-train.yaml").read_text()
    assert hub.installed("sklearn-catalog", "sklearn-train") == wanted
    assert hub.installed("sklearn-catalog", "sklearn-train", "0.1") == wanted
    assert hub.installed("sklearn-catalog", "sklearn-train", "0.1.0") == wanted
    assert hub.installed_by_old_tkn("tekton", "sklearn-train") == wanted
    for version in ("0.1", "0.1.0", "v0.1", ">= 0.1.0", ">= 0.1.0, < 1.0.0", "~> 0.1", "!= 0.2"):
        assert hub.resolved("sklearn-catalog", "task", "sklearn-train", version) == wanted


def test_the_resolver_gets_pipelines_that_name_their_tasks_by_hub(hub, released):
    found = yaml.safe_load(hub.resolved("sklearn-catalog", "pipeline", "train-gate-build", ">= 0.1"))
    references = [task["taskRef"] for task in found["spec"]["tasks"]]
    assert [one["resolver"] for one in references] == ["hub"] * 3
    named = {one["name"]: one["value"] for one in references[0]["params"]}
    assert named == {
        "type": "artifact", "catalog": "sklearn-catalog", "kind": "task", "name": "sklearn-train", "version": "0.1.0",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("catalog", "name", "version"),
    [
        ("sklearn-catalog", "sklearn-trian", "0.1"),
        ("another-catalog", "sklearn-train", "0.1"),
        ("sklearn-catalog", "sklearn-train", "0.7"),
        ("sklearn-catalog", "sklearn-train", "> 0.1.0"),
    ],
)
def test_what_is_not_there_is_not_found(hub, catalog, name, version):
    with pytest.raises(NotFoundError):
        hub.resolved(catalog, "task", name, version)


@pytest.mark.parametrize("path", ["/api/v1/packages/tekton-task/sklearn-catalog/nothing", "/api", "/task", "/nothing/"])
def test_unknown_addresses_are_404(released, path):
    with served(released.out / "hub") as hub, pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(hub.url + path)
    assert caught.value.code == 404


def test_our_server_tells_json_pages_and_yaml_apart(released):
    with served(released.out / "hub") as hub:
        types = {
            path: urllib.request.urlopen(hub.url + path).headers["Content-Type"]
            for path in (
                "/",
                "/api/v1/packages/tekton-task/sklearn-catalog/metric-gate",
                "/task/metric-gate/0.1/metric-gate.yaml",
                "/assets/site.css",
            )
        }
    assert list(types.values()) == [
        "text/html; charset=utf-8",
        "application/json",
        "text/plain; charset=utf-8",
        "text/css",
    ]


def test_of_several_versions_the_newest_that_fits_is_taken(fresh):
    fresh.catalog.add_version("task", "metric-gate", "0.1", "0.2")
    fresh.catalog.add_version("task", "metric-gate", "0.1", "0.10")
    for version in ("0.2", "0.10"):
        fresh.catalog.change(f"task/metric-gate/{version}/metric-gate.yaml", "gate:0.1.0", f"gate:{version}.0")
        fresh.catalog.set_image("metric-gate", version, f"{version}.0")
    fresh.catalog.release(fresh.target, fresh.out)

    def version_of(text):
        return yaml.safe_load(text)["metadata"]["labels"]["app.kubernetes.io/version"]

    with served(fresh.out / "hub") as hub:
        assert version_of(hub.installed("sklearn-catalog", "metric-gate")) == "0.10"
        asked = {">= 0.1.0": "0.10", "< 0.10": "0.2", "~> 0.2.0": "0.2", "0.1": "0.1", ">= 0.1, != 0.10.0": "0.2"}
        for version, wanted in asked.items():
            assert version_of(hub.resolved("sklearn-catalog", "task", "metric-gate", version)) == wanted
    page = (fresh.out / "hub/task/metric-gate/0.1/index.html").read_text()
    assert re.search(r'newer version: <a href="../../../task/metric-gate/0.10/">0.10.0</a>', page)
    assert "metric-gate-0.1" not in page


@pytest.mark.parametrize("text", ["newest", "", ">= 1 <", "0.1.0.0"])
def test_what_is_no_constraint_is_refused(text):
    with pytest.raises(TaskError, match="is no version and no constraint"):
        constraint(text)


def test_a_hub_that_is_not_served_is_named():
    with pytest.raises(TaskError, match=r"http://127.0.0.1:9/api/v1/packages/tekton-task/c/n"):
        Hub("http://127.0.0.1:9").installed("c", "n")


def test_the_verb_refuses_a_folder_without_a_hub(tmp_path, capsys):
    from catalog import hub

    assert hub.main([str(tmp_path)]) == 2
    assert f"hub: error: {tmp_path} holds no hub; ./scripts/release writes one" in capsys.readouterr().err


def test_the_verb_names_a_port_that_is_taken(released, capsys):
    from catalog import hub

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert hub.main([str(released.out / "hub"), "--port", port]) == 3
    assert f"can't listen on 127.0.0.1:{port}" in capsys.readouterr().err


def test_files_of_a_hub_are_the_same_below_any_prefix(released):
    """A project's page on a forge lies below its name; nothing may start at the server's root."""
    for page in Path(released.out / "hub").rglob("*.html"):
        if page.parts[len(released.out.parts) + 1] in {"api", "v1"}:
            continue
        assert not re.search(r'(?:href|src)="/', page.read_text()), page
