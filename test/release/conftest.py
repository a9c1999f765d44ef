"""Real registries on loopback, a small catalog with images of a few bytes, and somebody else's git-clone."""

import contextlib
import json
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from docker_registry import QUICK, DockerRegistry

from catalog import release
from catalog.environments import ROOT
from catalog.imaging.finishing import OCI
from catalog.releasing import run
from catalog.releasing.bundles import bundle, entry
from catalog.releasing.objects import program_images, read_objects
from catalog.releasing.places import FolderPlace
from catalog.releasing.progress import Progress
from catalog.tree import Tree
from taskkit.oci.documents import Platform
from taskkit.oci.images import Addition, append, scratch
from taskkit.oci.publishing import write_to_layout
from taskkit.oci.tar_layers import InlineFile, layer

GIT_CLONE_IMAGE = "tektoncd-catalog/git-clone/git-init"
GIT_CLONE_BUNDLE = "tektoncd-catalog/git-clone/bundle"


@pytest.fixture(scope="session")
def start_registry(tmp_path_factory):
    """Registries of the session."""
    if not shutil.which("docker-registry"):
        pytest.skip("docker-registry is not installed")
    started = []

    def start():
        started.append(DockerRegistry(tmp_path_factory.mktemp("registry")).start())
        return started[-1]

    yield start
    for one in started:
        with contextlib.suppress(ProcessLookupError):
            one.stop()


def small_image(text: str, version: str = "0.1.0"):
    labels = {OCI + "version": version}
    content = layer([InlineFile("opt/program", text.encode())])
    addition = Addition((content,), ("COPY program",), {}, labels, {})
    return append(scratch(Platform("amd64", "linux")), lambda _: addition)


@dataclass
class SmallCatalog:
    """A copy of Tasks and Pipelines of the tree, with images that are there but small."""

    root: Path
    images: Path
    settings: dict = field(default_factory=dict)

    @property
    def tree(self) -> Tree:
        return Tree(self.root)

    def change(self, file: str, old: str, new: str) -> None:
        text = (self.root / file).read_text()
        assert old in text, f"{file} has no {old!r}"
        (self.root / file).write_text(text.replace(old, new))

    def write(self, file: str, text: str) -> None:
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        (self.root / file).write_text(text)

    def add_version(self, kind: str, name: str, old: str, new: str) -> None:
        """A copy of a version's folder under a new one."""
        folder = self.root / kind / name
        shutil.copytree(folder / old, folder / new)
        self.change(f"{kind}/{name}/{new}/{name}.yaml", f'version: "{old}"', f'version: "{new}"')

    def set_image(self, program: str, text: str, version: str = "0.1.0") -> None:
        write_to_layout(small_image(text, version), FolderPlace(self.images).store(program), version, "move")

    def release(self, registry: str, out: Path, **more) -> None:
        settings = release.Settings(
            **{
                "registry": registry, "version": "", "hub_url": "", "git_clone_bundle": None, "images": str(self.images),
                "insecure": (), "out": out, "dry_run": False, "rebuild": False, "skip_checks": True, "replace": False,
            } | self.settings | more
        )  # fmt: skip
        release.publish(settings, self.tree, Progress())


OBJECTS = {
    "task": ("metric-gate", "model-serve-build", "sklearn-train"),
    "pipeline": ("clone-train-gate-build", "train-gate-build"),
}
"""In their first version, whatever the tree has besides: a new Task or version changes no test."""


def make_catalog(folder: Path) -> SmallCatalog:
    made = SmallCatalog(folder / "tree", folder / "images")
    for kind, names in OBJECTS.items():
        for name in names:
            shutil.copytree(ROOT / kind / name / "0.1", made.root / kind / name / "0.1")
            shutil.copy(ROOT / kind / name / "CHANGELOG.md", made.root / kind / name)
    for named in program_images(read_objects(made.root)):
        made.set_image(named.program, f"{named.program}, version {named.tag}", named.tag)
    return made


@pytest.fixture
def catalog(tmp_path):
    return make_catalog(tmp_path)


@dataclass
class GitClone:
    """git-clone as its project publishes it, in a registry that is not ours."""

    registry: DockerRegistry
    digest: str

    @property
    def reference(self) -> str:
        return f"{self.registry.host}/{GIT_CLONE_BUNDLE}:v1.7.0"


@pytest.fixture(scope="session")
def kept_git_clone(start_registry):
    registry = start_registry()
    return GitClone(registry, put_git_clone(registry))


@pytest.fixture
def git_clone(kept_git_clone):
    """A test may switch its registry off."""
    yield kept_git_clone
    if not kept_git_clone.registry.runs:
        kept_git_clone.registry.start()


@pytest.fixture
def without_pages(monkeypatch):
    """For tests of what is not seen in a browser: pages take a second to render."""
    monkeypatch.setattr(run.site, "site_files", lambda plan: {})


@pytest.fixture
def quick():
    return QUICK


@dataclass
class Release:
    """What a release left: the registry, the folder, the record."""

    catalog: SmallCatalog
    registry: DockerRegistry
    out: Path

    @property
    def target(self) -> str:
        return f"{self.registry.host}/team/catalog"

    @property
    def record(self) -> dict:
        return json.loads((self.out / "release.json").read_text())

    def bundle(self, kind: str, name: str) -> str:
        found = [one["reference"] for one in self.record["bundles"] if (one["kind"], one["name"]) == (kind, name)]
        (reference,) = found
        return reference


@pytest.fixture(scope="session")
def released(tmp_path_factory, start_registry, kept_git_clone):
    """One release that tests only read."""
    folder = tmp_path_factory.mktemp("released")
    catalog = make_catalog(folder)
    catalog.write("task/metric-gate/CHANGELOG.md", "# Changes\n\n## 0.1\n\n* The **first** one.\n")
    catalog.settings["git_clone_bundle"] = kept_git_clone.reference
    made = Release(catalog, start_registry(), folder / "dist")
    catalog.release(made.target, made.out)
    return made


@dataclass(frozen=True)
class Origin:
    """A release and git-clone, in registries that may be switched off."""

    released: Release
    git_clone: GitClone

    @property
    def target(self):
        return self.released.target

    @property
    def hosts(self):
        return [self.released.registry.host, self.git_clone.registry.host]

    def switch_off(self):
        self.released.registry.stop()
        self.git_clone.registry.stop()


@pytest.fixture
def origin(released, git_clone):
    yield Origin(released, git_clone)
    if not released.registry.runs:
        released.registry.start()


@pytest.fixture(scope="session")
def workbench(start_registry):
    """A registry whose content each test chooses."""
    return start_registry()


@pytest.fixture
def empty(workbench):
    """A registry that holds nothing, and may be switched off."""
    return workbench.hold(None)


@pytest.fixture
def fresh(tmp_path, catalog, empty, git_clone):
    """A catalog and a registry of its own, nothing released yet."""
    catalog.settings["git_clone_bundle"] = git_clone.reference
    return Release(catalog, empty, tmp_path / "dist")


@dataclass(frozen=True)
class Kept:
    """What the first release of the catalog left behind."""

    data: Path
    out: Path


@pytest.fixture(scope="session")
def kept(tmp_path_factory, workbench, kept_git_clone):
    folder = tmp_path_factory.mktemp("kept")
    catalog = make_catalog(folder)
    catalog.settings["git_clone_bundle"] = kept_git_clone.reference
    made = Release(catalog, workbench.hold(None), folder / "dist")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run.site, "site_files", lambda plan: {})
        catalog.release(made.target, made.out)
    shutil.copytree(workbench.data, folder / "data")
    return Kept(folder / "data", made.out)


@pytest.fixture
def already(tmp_path, catalog, workbench, kept, git_clone):
    """A catalog whose first release is in a registry of its own."""
    shutil.copytree(kept.out, tmp_path / "dist")
    catalog.settings["git_clone_bundle"] = git_clone.reference
    return Release(catalog, workbench.hold(kept.data), tmp_path / "dist")


def put_git_clone(registry: DockerRegistry) -> str:
    place = registry.place("tektoncd-catalog/git-clone")
    image = small_image("git-init", "1.7.0")
    place.stage("git-init", image)
    place.tag("git-init", image.root, "v1.7.0")
    task = {
        "apiVersion": "tekton.dev/v1",
        "kind": "Task",
        "metadata": {"name": "git-clone"},
        "spec": {
            "params": [
                {"name": "url", "type": "string"},
                {"name": "gitInitImage", "type": "string", "default": f"{registry.host}/{GIT_CLONE_IMAGE}:v1.7.0"},
            ],
            "steps": [{"name": "clone", "image": "$(params.gitInitImage)", "command": ["git-init"]}],
        },
    }
    action = {
        "apiVersion": "tekton.dev/v1beta1",
        "kind": "StepAction",
        "metadata": {"name": "git-clone"},
        "spec": {"image": f"{registry.host}/{GIT_CLONE_IMAGE}:v1.7.0", "command": ["git-init"]},
    }
    made = bundle([entry(task), entry(action)], {"org.opencontainers.image.title": "git-clone"})
    place.stage("bundle", made)
    place.tag("bundle", made.root, "v1.7.0")
    return made.digest
