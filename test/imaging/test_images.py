"""Images of the programs: what goes into which layer, and what an image says of itself."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import re
import tarfile
from pathlib import Path

import pytest

from catalog import images
from catalog.imaging import builders, dockerfiles, engines, finishing, pip_secrets
from catalog.imaging.errors import ImageError
from catalog.tree import TREE, Tree
from taskkit.oci.content import bytes_blob
from taskkit.oci.documents import CONFIG, MANIFEST, Manifest, Platform, document
from taskkit.oci.images import Image
from taskkit.oci.layout import Layout
from taskkit.oci.publishing import write_to_layout

PROGRAMS = images.programs()
TRAIN, SERVER, LEAN_SERVER = (
    TREE.root / "images" / name / "requirements.lock" for name in ("sklearn-train", "model-server", "model-server-onnx")
)


def _install():
    spec = importlib.util.spec_from_file_location("install_in_images", TREE.root / "images" / "base" / "install.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


install = _install()


def _names(lines):
    return {re.split(r"[=<>~! ;\[]", line, maxsplit=1)[0] for line in lines}


@pytest.mark.parametrize(("mine", "theirs"), [(TRAIN, SERVER), (SERVER, TRAIN)])
def test_shared_and_own_layer_together_are_the_lock(mine, theirs):
    shared, own = install.chosen(mine, theirs, None), install.chosen(mine, None, theirs)
    everything = install.chosen(mine, None, None)
    assert sorted([*shared, *own]) == sorted(everything)
    assert len(everything) == mine.read_text().count("==")
    assert all("--hash=sha256:" in line for line in everything)


def test_the_shared_layer_is_the_same_from_both_sides():
    assert sorted(install.chosen(TRAIN, SERVER, None)) == sorted(install.chosen(SERVER, TRAIN, None))
    assert {"scikit-learn", "numpy", "scipy", "pandas"} <= _names(install.chosen(TRAIN, SERVER, None))
    assert "pip" in _names(install.chosen(TRAIN, None, SERVER))
    assert "pip" not in _names(install.chosen(SERVER, None, None))


def test_tests_go_and_what_is_imported_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(install, "VENV", tmp_path / "venv")
    gone = ("numpy/tests/test_a.py", "numpy/_core/tests/test_b.py", "sklearn/conftest.py", "pyarrow/include/arrow/api.h",
            "scipy/special/tests/data/x.npz", "onnxruntime/capi/libonnxruntime.so.1.32.0", "numpy/_core/lib/libnpymath.a")  # fmt: skip
    kept = ("numpy/_core/tests/_natype.py", "numpy/testing/__init__.py", "fastapi/testclient.py", "sklearn/base.py",
            "onnxruntime/capi/onnxruntime_pybind11_state.so", "project/tests/data.py")  # fmt: skip
    for name in (*gone, *kept):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    install.prune(tmp_path)
    assert [name for name in gone if (tmp_path / name).exists()] == []
    assert [name for name in kept if not (tmp_path / name).exists()] == []


def _stages(program):
    text = (TREE.root / "images" / program / "Dockerfile").read_text()
    return dict(re.findall(r"^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", text, re.MULTILINE | re.DOTALL)), text


@pytest.mark.parametrize("program", PROGRAMS)
def test_our_code_is_the_last_layer_and_nobody_is_root(program):
    last_stage = _stages(program)[1].rpartition("\nFROM ")[2]
    instructions = [line for line in last_stage.splitlines() if re.match(r"(COPY|ADD|RUN)\b", line)]
    assert instructions[-1] == "COPY --from=program /opt/venv /opt/venv"
    assert all(line.startswith("COPY --from=") for line in instructions)
    assert "USER 65532:0" in last_stage
    assert f'ENTRYPOINT ["{dockerfiles.program_in(program)}"]' in last_stage


@pytest.mark.parametrize("program", PROGRAMS)
def test_home_and_user_are_set_where_kubernetes_does_not_put_them_into_params(program):
    last_stage = _stages(program)[1].rpartition("\nFROM ")[2]
    assert re.search(r"^ENV .*HOME=/tmp USER=nonroot\b", last_stage, re.MULTILINE)


@pytest.mark.parametrize("program", PROGRAMS)
def test_pip_gets_its_configuration_for_a_moment_only(program):
    text = _stages(program)[1]
    runs = re.findall(r"^RUN (?:.*\\\n)*.*$", text, re.MULTILINE)
    assert runs
    for run in runs:
        assert "--mount=type=secret,id=pip.conf --mount=type=secret,id=certificates" in run
    assert not re.search(r"^(ENV|ARG) .*(PIP_|INDEX|CERT)", text, re.MULTILINE)


def test_the_server_without_scikit_learn_has_the_rest_of_the_server_in_the_same_versions():
    server, lean = install.chosen(SERVER, None, None), install.chosen(LEAN_SERVER, None, None)
    assert set(lean) < set(server)
    left_out = _names(server) - _names(lean)
    assert {"scikit-learn", "scipy", "pandas", "joblib", "skops"} <= left_out
    assert {"onnxruntime", "numpy", "fastapi", "uvicorn", "msgspec", "urllib3"} <= _names(lean)
    assert dockerfiles.program_in("model-server-onnx") == "model-server"
    assert images.project("model-server-onnx")["name"] == "sklearn-catalog-model-server"


def test_what_an_image_is_made_of_includes_its_program_wherever_that_lies():
    made_of = {str(path.relative_to(TREE.root / "images")) for path in dockerfiles.sources("model-server-onnx")}
    assert {"model-server-onnx/requirements.lock", "model-server/src/model_server/serving.py", "base/install.py",
            "taskkit/src/taskkit/errors.py"} <= made_of  # fmt: skip
    assert not [name for name in made_of if name.startswith("sklearn-train/") or "/tests/" in name]


def test_train_and_server_share_a_layer_by_the_same_instructions():
    train, server = _stages("sklearn-train")[0], _stages("model-server")[0]
    assert train["sklearn"] == server["sklearn"]


# --- what comes of a build


def _tar(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return out.getvalue()


PACKAGES = "opt/venv/lib/python3.13/site-packages"
BASE_LAYER = {"usr/bin/python3": b"ELF"}
VENV_LAYER = {
    "opt/venv/pyvenv.cfg": b"home = /usr/bin\nversion = 3.13.5\n",
    f"{PACKAGES}/scikit_learn-1.9.1.dist-info/METADATA": b"Name: scikit-learn",
    f"{PACKAGES}/numpy/tests/fixture-1.0.dist-info/METADATA": b"no distribution",
}


def _built(folder: Path, *layers, squeezed=True):
    """The layout that an engine leaves."""
    media = finishing.GZIP_LAYER if squeezed else finishing.PLAIN_LAYER
    contents = [_tar(layer) for layer in layers]
    blobs = [bytes_blob(gzip.compress(content) if squeezed else content, media) for content in contents]
    diff_ids = [bytes_blob(content, "").digest for content in contents]
    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": diff_ids},
              "config": {"User": "65532:0", "Labels": {"org.opencontainers.image.version": "of the base"}}}  # fmt: skip
    config_blob = bytes_blob(json.dumps(config).encode(), CONFIG)
    manifest = Manifest(config=config_blob.descriptor, media_type=MANIFEST, layers=tuple(b.descriptor for b in blobs))
    write_to_layout(Image(document(manifest, MANIFEST), (), (config_blob, *blobs)), Layout(folder), "", "move")
    return folder


def _finish(built, target, above=1):
    def make_labels(contents):
        return finishing.labels(contents, "x", "what it does", "0.1.0", "", "docker.io/library/python:3.13-slim")

    finishing.finish(built, target, make_labels, above)
    layout = Layout(target)
    return finishing.read_base(layout, layout.manifest(layout.find())).platforms[0]


def test_an_image_says_what_is_in_it(tmp_path):
    image = _finish(_built(tmp_path / "built", BASE_LAYER, VENV_LAYER), tmp_path / "x")
    assert image.labels["dev.sklearn-catalog.python"] == "3.13.5"
    assert json.loads(image.labels["dev.sklearn-catalog.packages"]) == {"scikit-learn": "1.9.1"}
    assert image.labels["dev.sklearn-catalog.libc"] == "glibc"
    assert image.labels["org.opencontainers.image.version"] == "0.1.0"
    assert "org.opencontainers.image.revision" not in image.labels
    assert image.config["config"]["User"] == "65532:0"
    assert image.platform == Platform("amd64", "linux")


def test_musl_is_told_by_its_loader(tmp_path):
    layer = {**VENV_LAYER, "lib/ld-musl-x86_64.so.1": b"ELF"}
    assert _finish(_built(tmp_path / "built", layer), tmp_path / "x").labels["dev.sklearn-catalog.libc"] == "musl"


def test_plain_layers_are_squeezed_to_the_same_bytes_each_time(tmp_path):
    first = _finish(_built(tmp_path / "one", BASE_LAYER, VENV_LAYER, squeezed=False), tmp_path / "x")
    second = _finish(_built(tmp_path / "two", BASE_LAYER, VENV_LAYER, squeezed=False), tmp_path / "y")
    assert first.descriptor.digest == second.descriptor.digest
    assert {layer.descriptor.media_type for layer in first.layers} == {finishing.GZIP_LAYER}
    content = b"".join(first.layers[1].checked())
    assert bytes_blob(gzip.decompress(content), "").digest == first.config["rootfs"]["diff_ids"][1]


def test_a_new_build_takes_the_place_of_the_old_one(tmp_path):
    _finish(_built(tmp_path / "one", BASE_LAYER, VENV_LAYER), tmp_path / "x")
    _finish(_built(tmp_path / "two", VENV_LAYER), tmp_path / "x")
    assert len(list((tmp_path / "x" / "blobs" / "sha256").iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_sizes_are_told_above_the_base(tmp_path):
    image = _finish(
        _built(tmp_path / "built", BASE_LAYER, VENV_LAYER, {"opt/venv/bin/x": b"#!"}), tmp_path / "x", above=2
    )
    found = finishing.sizes(tmp_path / "x")
    base, packages, code = (layer.size for layer in image.layers)
    assert (found.total, found.above_base, found.last) == (base + packages + code, packages + code, code)
    assert finishing.sizes(tmp_path / "nothing") is None


def test_an_image_without_the_environment_is_refused(tmp_path):
    with pytest.raises(ImageError, match=r"has no opt/venv/pyvenv\.cfg"):
        _finish(_built(tmp_path / "built", BASE_LAYER), tmp_path / "x")


# --- the machine


def test_pip_is_told_the_hosts_index_and_certificates():
    index = {"UV_DEFAULT_INDEX": "https://user:secret@index.example/simple", "UV_INSECURE_HOST": "index.example"}
    text = pip_secrets.pip_configuration(index, has_certificates=True)
    assert "index-url = https://user:secret@index.example/simple\n" in text
    assert "trusted-host = index.example\n" in text
    assert "cert = /run/secrets/certificates\n" in text
    assert "cert" not in pip_secrets.pip_configuration({}, has_certificates=False)


def test_the_secrets_are_gone_after_the_build():
    with pip_secrets.pip_secrets() as secrets:
        assert secrets["pip.conf"].stat().st_mode & 0o077 == 0
    assert not secrets["pip.conf"].exists()


def test_a_machine_without_an_engine_is_told_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ImageError, match=r"none of docker, podman and buildah works here; .*apt-get install buildah"):
        engines.find_engine()
    with pytest.raises(ImageError, match="podman doesn't work here"):
        engines.find_engine("podman")


def test_as_root_on_debian_the_engine_is_installed(monkeypatch):
    installed = []
    monkeypatch.setattr(builders.os, "geteuid", lambda: 0)
    monkeypatch.setattr(builders.shutil, "which", lambda name: f"/usr/bin/{name}" if name == "apt-get" else None)
    monkeypatch.setattr(builders, "_install", installed.append)

    def found(asked=""):
        if installed:
            return engines.Engine("buildah")
        raise ImageError("none works here")

    monkeypatch.setattr(builders, "find_engine", found)
    assert builders.ready_engine("") == engines.Engine("buildah")
    assert installed == [{"buildah": "buildah", "mmdebstrap": "mmdebstrap"}]
    installed.clear()
    with pytest.raises(ImageError, match="none works here"):
        builders.ready_engine("podman")
    assert installed == []


class _Building:
    """An engine whose image is always the same until told otherwise."""

    def __init__(self, layers):
        self.image, self.layers, self.written = "one", layers, 0

    def build(self, build):
        pass

    def identity(self, image):
        return self.image

    def write_layout(self, image, folder):
        self.written += 1
        _built(folder, *self.layers)


def test_an_image_that_did_not_change_is_not_written_again(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Tree, "layout", lambda self, program: tmp_path / program)
    engine = _Building([BASE_LAYER, VENV_LAYER])

    def build():
        images._build(engine, "metric-gate", ("base", "base"), {})
        return finishing.sizes(tmp_path / "metric-gate").digest

    first = build()
    (tmp_path / "metric-gate" / "index.json").touch()
    assert build() == first
    assert engine.written == 1
    assert "is up to date" in capsys.readouterr().out
    engine.image, engine.layers = "two", [BASE_LAYER, VENV_LAYER, {"opt/venv/bin/x": b"#!"}]
    assert build() != first
    assert engine.written == 2


class _Engine:
    def __init__(self, *, pulls):
        self.pulls = pulls

    def has(self, image):
        return False

    def pull(self, image):
        return self.pulls


def test_the_base_is_the_one_asked_for_or_pulled_or_made(monkeypatch):
    monkeypatch.setattr(images, "local_base_images", lambda engine: ("made:run", "made:build"))
    default = images.base_images(_Engine(pulls=True), "")
    assert default == ("docker.io/library/python:3.13-slim", "docker.io/library/python:3.13-slim")
    assert images.base_images(_Engine(pulls=False), "") == ("made:run", "made:build")
    assert images.base_images(_Engine(pulls=True), "local") == ("made:run", "made:build")
    assert images.base_images(_Engine(pulls=False), "my/python:3.13") == ("my/python:3.13", "my/python:3.13")


def test_an_unknown_program_is_named(capsys):
    assert images.main(["build", "nosuch"]) == 2
    assert "there is no program 'nosuch'; there are: metric-gate, model-serve-build" in capsys.readouterr().err


def test_pushing_what_was_not_built_says_how_to_build_it(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Tree, "layout", lambda self, program: tmp_path / program)
    assert images.main(["push", "127.0.0.1:1", "metric-gate"]) == 3
    assert "holds no image; ./scripts/images build metric-gate" in capsys.readouterr().err


def test_a_list_names_what_is_not_built(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(Tree, "layout", lambda self, program: tmp_path / program)
    assert images.main(["list"]) == 0
    assert "not built; ./scripts/images build sklearn-train" in capsys.readouterr().out
