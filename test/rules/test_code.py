"""Where code is in a container, and what is wrong with it."""

from __future__ import annotations

import pytest

IMAGE = "docker.io/library/golang:1.24"
SPEC = """
params: [{{name: url}}, {{name: list, type: array}}]
steps:
- name: s
  image: {image}
  {step}
"""


def step(tree, text):
    tree.task(SPEC.format(image=IMAGE, step=text), "example.yaml")


@pytest.mark.parametrize(
    "command",
    [
        'command: [bash, -c, "curl $(params.url)"]',
        'command: [bash, -ec, "curl $(params.url)"]',
        'command: [/bin/sh]\n  args: [-x, -c, "curl $(params.url)"]',
        'command: [/usr/bin/env, bash, -lc, "curl $(params.url)"]',
        'command: [timeout, "5", sh, -c, "curl $(params.url)"]',
        'command: [python3, -c, "print(\'$(params.url)\')"]',
        'command: [node, -e, "f(\'$(params.url)\')"]',
        'args: [-c, "curl $(params.url)"]',
        'command: [sh, -c, "$(params.list[*])"]',
    ],
)  # fmt: skip
def test_a_value_in_what_an_interpreter_is_given_is_found(tree, command):
    step(tree, command)
    assert tree.only("param-in-shell")


@pytest.mark.parametrize(
    "command",
    [
        "command: [sh, -c, 'curl \"$1\"', sh, $(params.url)]",
        "command: [curl, $(params.url)]",
        "command: [sh, script.sh, -c, $(params.url)]",
        'command: [grep, -c, "$(params.url)"]',
        'command: [sh, -c, "ls $(workspaces.w.path) $(context.taskRun.name)"]',
    ],
)
def test_a_value_that_stays_a_value_is_not(tree, command):
    step(tree, command)
    assert tree.of("param-in-shell") == []


def test_the_finding_is_on_the_line_of_the_variable_and_names_them_all(tree):
    tree.task("""
params: [{name: a}, {name: b}, {name: c}, {name: d}]
steps:
- name: s
  image: i
  script: |
    #!/bin/bash
    set -e
    echo "$(params.a)" $(params.b) $(params.a)
    echo $(params.c) $(params["d"])""", "example.yaml")  # fmt: skip
    found = tree.only("param-in-script")
    assert found.position.line == 12
    assert "$(params.a), $(params.b), $(params.c) and 1 more" in found.message
    assert found.remedy == "set 'env: [{name: A, value: $(params.a)}]' and write \"$A\" in the code"


def test_in_python_the_remedy_is_pythons(tree):
    step(tree, 'script: |\n    #!/usr/bin/env python3\n    print("$(params.url)")')
    assert 'write os.environ["URL"] in the code' in tree.only("param-in-script").remedy


def test_results_of_other_tasks_and_steps_are_values_too(tree):
    tree.write("p.yaml", """\
apiVersion: tekton.dev/v1
kind: Pipeline
metadata: {name: p}
spec:
  tasks:
  - {name: a, taskSpec: {results: [{name: r}], steps: [{name: s, image: i, command: [c, $(results.r.path)]}]}}
  - name: b
    taskSpec:
      steps:
      - name: s
        image: i
        command: [sh, -c, "echo $(tasks.a.results.r)"]
""")  # fmt: skip
    assert "$(tasks.a.results.r)" in tree.only("param-in-shell").message


def test_a_script_that_is_a_param_as_a_whole_has_a_message_of_its_own(tree):
    step(tree, "script: $(params.url)")
    found = tree.only("param-in-script")
    assert found.message == "the step 's' runs whatever $(params.url) says"
    assert "ignore this with a reason" in found.remedy


@pytest.mark.parametrize(
    ("script", "line", "message"),
    [
        ("#!/bin/sh\nset -e\nfor x in a b; do\n  echo $x\n", 4, "unexpected end of file"),
        ("#!/bin/bash\nset -e\necho )\n", 3, "near unexpected token"),
        ("#!/usr/bin/env python3\nimport os\nprint(\n", 3, "Python: '(' was never closed"),
        ("#!/usr/bin/python3 -u\nif True:\npass\n", 3, "Python: expected an indented block"),
    ],
)
def test_scripts_that_cannot_be_parsed_are_found_at_their_line(tree, script, line, message):
    indented = "script: |\n" + "".join(f"    {one}\n" for one in script.splitlines())
    step(tree, indented)
    found = tree.only("script-syntax")
    assert found.position.line == 9 + line
    assert message in found.message
    assert f"line {line} of the script" in found.remedy


@pytest.mark.parametrize(
    "script",
    [
        '#!/bin/bash\nset -e\nif [ "$(params.url)" = "" ]; then\n  $(params["url"])\nfi\n',
        "#!/usr/bin/env python3\nx = $(params.url)\nprint(f'{x}')\n",
        "#!/usr/bin/env ruby\nend end end\n",
        "#!/usr/bin/python2\nprint 'old'\n",
    ],
)
def test_variables_of_tekton_and_other_languages_are_no_errors(tree, script):
    step(tree, "script: |\n" + "".join(f"    {one}\n" for one in script.splitlines()))
    assert tree.of("script-syntax") == []


def test_bash_only_reads_what_it_checks(tree, tmp_path):
    witness = tmp_path / "witness"
    step(tree, f"script: |\n    #!/bin/bash\n    set -e\n    touch {witness}\n    trap 'touch {witness}' EXIT\n")
    assert tree.of("script-syntax") == []
    assert not witness.exists()


@pytest.mark.parametrize("first", ["#!/bin/bash -e", "#!/bin/sh\nset -eu", "#!/bin/bash\nset -o errexit", "#!/bin/bash\nset -x -euo pipefail"])  # fmt: skip
def test_scripts_that_stop_at_an_error_are_fine(tree, first):
    step(tree, "script: |\n" + "".join(f"    {one}\n" for one in (first + "\na\nb").splitlines()))
    assert tree.of("no-set-e") == []


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\na\necho done\n",
        "#!/bin/sh\nA=$(a)\necho done\n",
        "#!/bin/sh\nfor one in 1 2; do\n  a\n  b\ndone\n",
        "#!/bin/sh\nif [ -f a ]; then\n  a\nfi\necho done\n",
    ],
)
def test_a_failure_that_is_passed_over_is_found(tree, script):
    step(tree, "script: |\n" + "".join(f"    {one}\n" for one in script.splitlines()))
    assert len(tree.of("no-set-e")) == 1


@pytest.mark.parametrize(
    "script",
    [
        "#!/bin/sh\nonly one\n",
        "#!/usr/bin/env python3\na()\nb()\n",
        "#!/bin/sh\n# a\n\nexec a\n",
        "#!/bin/sh\nlong \\\n  --option \\\n  last\n",
        '#!/bin/sh\nexport A="${B}"\na\n',
        '#!/bin/sh\nif [ "$A" = b ]; then\n  echo wrong\n  exit 1\nfi\necho right\n',
    ],
)
def test_where_nothing_can_be_passed_over_nothing_is_said(tree, script):
    step(tree, "script: |\n" + "".join(f"    {one}\n" for one in script.splitlines()))
    assert tree.of("no-set-e") == []


@pytest.mark.parametrize(
    "line",
    ["apt-get update && apt-get install -y jq", "apk add --no-cache git", "sudo dnf -y install jq", "npm install -g yarn",
     "go install github.com/x/y@latest", "python3 -m pip install --quiet yq", "if true; then pip install yq; fi"],
)  # fmt: skip
def test_programs_that_are_installed_while_it_runs_are_found(tree, line):
    step(tree, f"script: |\n    #!/bin/sh\n    set -e\n    {line}\n")
    assert tree.only("install-at-run").position.line == 12


@pytest.mark.parametrize(
    "line",
    ["pip install -r requirements.txt", "pip install --quiet -r requirements.txt", "pip install .", 'pip install "$WHEEL"',
     "npm install", "npm ci", "go install ./...", "echo apt-get install jq", "helm install x"],
)  # fmt: skip
def test_the_users_own_project_may_be_installed(tree, line):
    step(tree, f"script: |\n    #!/bin/sh\n    set -e\n    {line}\n")
    assert tree.of("install-at-run") == []


@pytest.mark.parametrize(
    "line", ["curl -s https://x | bash", "wget -qO- https://x |sudo -E sh -", "curl https://x \\\n      -o - | sh"]
)
def test_downloads_that_are_run_are_found(tree, line):
    step(tree, f"script: |\n    #!/bin/sh\n    set -e\n    {line}\n")
    assert tree.only("pipe-to-shell")


def test_downloads_that_are_only_read_are_not(tree):
    step(
        tree, "script: |\n    #!/bin/sh\n    set -e\n    curl https://x | jq . | tee sh\n    curl https://y; ls | sh\n"
    )
    assert tree.of("pipe-to-shell") == []
