from __future__ import annotations

import time

from catalog import lint


def write(folder, name, text):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_findings_are_printed_sorted_with_a_count_and_errors_give_two(check, tmp_path, capsys):
    b = write(
        tmp_path, "b.yaml", check.task("steps:\n- {name: s, image: i, args: [$(params.x), $(workspaces.w.path)]}")
    )
    a = write(tmp_path, "a.yaml", check.task("results: [{name: r}, {name: r}]"))
    assert lint.main([str(tmp_path)]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[:3] for line in lines[:-1]] == [
        [f"{a}:6", "warning", "spec.results[1].name"],
        [f"{b}:7", "error", "spec.steps[0].args[0]"],
        [f"{b}:7", "warning", "spec.steps[0].args[1]"],
    ]
    assert lines[1].endswith("the param 'x' is not declared (declare it) [undeclared-param]")
    assert lines[-1] == "2 documents checked: 1 error, 2 warnings"


def test_nothing_wrong_gives_zero(check, tmp_path, capsys):
    write(tmp_path, "a.yaml", check.task(""))
    assert lint.main([str(tmp_path)]) == 0
    assert capsys.readouterr().out == "1 document checked: 0 errors, 0 warnings\n"


def test_warnings_give_zero_unless_strict(check, tmp_path):
    write(tmp_path, "a.yaml", check.task("results: [{name: r}, {name: r}]"))
    assert lint.main([str(tmp_path)]) == 0
    assert lint.main(["--strict", str(tmp_path)]) == 2


def test_a_path_that_is_not_there_is_an_error(tmp_path, capsys):
    assert lint.main([str(tmp_path / "gone.yaml")]) == 2
    assert "gone.yaml:1: error: no such file or folder (check the path) [file]" in capsys.readouterr().out


def test_two_hundred_documents_take_no_time_to_speak_of(check, tmp_path):
    run = check.document("TaskRun", "taskRef: {name: t1}\nparams: [{name: p, value: x}]")
    for n in range(100):
        write(tmp_path, f"{n}.yaml", check.task("params: [{name: p}]", f"t{n}") + "---\n" + run)
    start = time.perf_counter()
    assert lint.main([str(tmp_path)]) == 0
    assert time.perf_counter() - start < 5  # takes a tenth of that; a loaded machine must not fail the test
