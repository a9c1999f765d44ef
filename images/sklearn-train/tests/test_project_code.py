import importlib
import sys

import pytest

from sklearn_train.project_code import ProjectCode, project_modules
from taskkit.errors import TaskError


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project whose modules have names that nothing else has; what is imported is forgotten afterwards."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "path", [str(tmp_path / "code"), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    files = {
        "src/zfeatures.py": "import zpack.inner\nfrom pathlib import Path\nWORDS = "
                            "(Path(__file__).parent / 'zwords.txt').read_text()\ndef late():\n    import zlate\n",
        "src/zwords.txt": "words",
        "src/zlate.py": "import numpy\n",
        "src/zserve.py": "import zpack.other\nimport fastapi\n",
        "src/zunused.py": "",
        "zpack/__init__.py": "",
        "zpack/inner.py": "from . import sibling\n",
        "zpack/sibling.py": "NAME = __name__\n",
        "zpack/other.py": "",
    }  # fmt: skip
    for name, text in files.items():
        (tmp_path / "work" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "work" / name).write_text(text)
    yield tmp_path / "work"
    for name in [name for name in sys.modules if name.startswith(("zfeatures", "zpack", "zlate"))]:
        del sys.modules[name]


def code_of(project):
    return sorted(path.relative_to(project.parent / "code").as_posix()
                  for path in (project.parent / "code").rglob("*") if path.is_file())  # fmt: skip


def test_what_loading_imports_is_copied_as_it_is_imported_and_loaded_from_the_copy(project):
    code = ProjectCode(project, project.parent / "code", {"zfeatures": project / "src/zfeatures.py"}, [project])
    code.include_files(["src/zwords.txt"])
    (project.parent / "code" / "zwords.txt").write_text("beside the copy")
    code.activate()
    module = importlib.import_module("zfeatures")
    assert module.WORDS == "beside the copy"
    assert module.__file__ == str(project.parent / "code" / "zfeatures.py")
    assert sys.modules["zpack.sibling"].__file__.startswith(str(project.parent / "code"))
    assert code_of(project) == ["src/zwords.txt", "zfeatures.py", "zpack/__init__.py", "zpack/inner.py",
                                "zpack/sibling.py", "zwords.txt"]  # fmt: skip
    assert code.modules == {"zfeatures", "zpack", "zpack.inner", "zpack.sibling"}


def test_imports_inside_functions_and_of_included_files_are_found_by_reading(project):
    code = ProjectCode(project, project.parent / "code", {}, [project / "src", project])
    code.include_files(["src/zwords.txt", "src/zserve.py:app"])
    code.include_imports(["src/zwords.txt", "src/zserve.py:app"])
    code.activate()
    importlib.import_module("zfeatures")
    code.copy_imports()
    assert code_of(project) == [
        "src/zserve.py", "src/zwords.txt", "zfeatures.py", "zlate.py", "zpack/__init__.py", "zpack/inner.py",
        "zpack/other.py", "zpack/sibling.py", "zwords.txt",
    ]  # fmt: skip


def test_a_link_that_leads_out_of_the_workspace_is_refused(project):
    (project / "src" / "zlink.txt").symlink_to("/etc/hostname")
    (project / "more").mkdir()
    (project / "more" / "zlink.txt").symlink_to("/etc/hostname")
    code = ProjectCode(project, project.parent / "code", {}, [project])
    with pytest.raises(TaskError, match="leads out of the workspace"):
        code.include_files(["src/zlink.txt"])
    with pytest.raises(TaskError, match="is a link that leads out of the workspace"):
        code.include_files(["more"])


def test_only_modules_of_the_workspace_count_as_the_projects(tmp_path):
    modules = {"own": f"{tmp_path}/src/own.py", "json": "/usr/lib/json.py", "__main__": f"{tmp_path}/src/train.py",
               "extra": f"{tmp_path}/over/extra.py", "data": f"{tmp_path}/x.txt"}  # fmt: skip
    assert set(project_modules(modules, tmp_path, [tmp_path / "over"])) == {"own"}
