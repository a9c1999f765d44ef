"""Steps: how they start, what they see, how they fail."""

from __future__ import annotations

import textwrap

import pytest

from catalog.engine.running import run_folder
from catalog.engine.steps import merged


def task(steps, head="", params="[]"):
    head = textwrap.indent(textwrap.dedent(head).strip(), " " * 4)
    return f"""
apiVersion: tekton.dev/v1
kind: TaskRun
metadata: {{name: t}}
spec:
  params: {params}
  taskSpec:
{head}
    steps:
{textwrap.indent(textwrap.dedent(steps).strip(), "      ")}
"""


def test_a_script_without_shebang_stops_at_the_first_failure_one_with_shebang_does_not(execute):
    ran = execute(
        task("""
        - {name: bash, image: x, script: "#!/bin/bash\\nfalse\\necho went on"}
        - {name: plain, image: x, script: "false\\necho never"}
        """)
    )
    assert ran.log == "went on"
    assert ran.outcome.task("t").message == "step plain exited with code 1"


def test_a_pipe_of_a_plain_script_fails_only_with_its_last_command(execute):
    assert execute(task('- {image: x, script: "false | true"}')).outcome.succeeded


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ("{name: s, image: x, command: [no-such-program-here]}", "no-such-program-here: not found"),
        ("{name: s, image: x, command: [/etc/passwd]}", "/etc/passwd: not executable"),
        ('{name: s, image: x, script: "#!/no/such/interpreter\\ntrue"}', "interpreter of its first line was not found"),
        ('{name: s, image: x, script: "\\n#!/bin/sh\\ntrue"}', "exec format error"),
    ],
)
def test_what_cannot_be_started_fails_the_task_even_with_onerror_continue(execute, step, message):
    ran = execute(task(f"- {step[:-1]}, onError: continue}}\n- {{name: next, image: x, script: echo never}}"))
    outcome = ran.outcome.task("t")
    assert (outcome.status, outcome.exit_code) == ("Failed", 1)
    assert message in outcome.message
    assert ran.log == ""


def test_onerror_continue_lets_a_failed_process_pass_and_records_its_code(execute):
    ran = execute(
        task("""
        - {name: bad, image: x, onError: continue, script: exit 5}
        - {name: look, image: x, script: "cat $(steps.step-bad.exitCode.path)"}
        """)
    )
    assert ran.outcome.succeeded
    assert ran.log == "5"
    assert [(s.exit_code, s.ended) for s in ran.outcome.task("t").steps] == [(5, "Continued"), (0, "Completed")]


def test_a_killed_process_is_named_by_its_signal(execute):
    failed = execute(task("- {name: s, image: x, script: 'kill -9 $$'}")).outcome.task("t")
    assert (failed.exit_code, failed.message) == (255, "step s was killed by SIGKILL")
    ignored = execute(task("- {name: s, image: x, onError: continue, script: 'kill -TERM $$'}")).outcome
    assert ignored.succeeded
    assert ignored.task("t").steps[0].exit_code == -1


def test_exit_256_is_success(execute):
    assert execute(task("- {image: x, command: [bash, -c, exit 256]}")).outcome.succeeded


def test_a_step_over_its_timeout_is_ended_and_fails_the_task(execute):
    ran = execute(task("- {name: s, image: x, timeout: 200ms, onError: continue, script: 'echo in; sleep 30'}"))
    outcome = ran.outcome.task("t")
    assert (outcome.reason, outcome.exit_code) == ("StepFailed", 1)
    assert outcome.message == "step s exceeded the step's timeout of 200ms"
    assert outcome.seconds < 5


def test_kubernetes_expands_args_and_env_after_tekton_but_not_scripts(execute):
    ran = execute(
        task(
            """
            - name: a
              image: x
              env:
                - {name: FIRST, value: $(params.p)}
                - {name: SECOND, value: "<$(FIRST)> $$(FIRST) $(LATER)"}
                - {name: LATER, value: l}
              command: [printf, '%s\\n']
              args: [$(SECOND), $(params.p), "a$$b", $$(params.p)]
            - {name: b, image: x, env: [{name: V, value: 1}], script: "echo '$(V) $$$$ $$(params.p)'"}
            """,
            params="[{name: p, value: v}]",
        ).replace("value: 1}", 'value: "1"}')
    )
    # $$(params.p) is no escape for Tekton, which leaves $v; a script keeps what Tekton left.
    assert ran.log.splitlines() == ["<v> $(FIRST) $(LATER)", "v", "a$b", "$v", "$(V) $$$$ $v"]


def test_a_params_value_may_hold_a_variable_of_a_later_phase_only(execute):
    ran = execute(
        task(
            "- {image: x, command: [echo], args: ['$(params.a)', '$(params.b)']}",
            params="[{name: a, value: '$(context.taskRun.name)'}, {name: b, value: '$(params.a)'}]",
        )
    )
    assert ran.log == "t $(params.a)"


def test_values_reach_a_command_unharmed_whatever_they_hold(execute):
    nasty = "\"; rm -rf / #\n$(id) `id` * ~ \\ 'x'"
    import json

    ran = execute(
        task(
            '- {image: x, command: [printf, "%s|"], args: ["--x=$(params.p)", "$(params.l[*])"]}',
            params=f"[{{name: p, value: {json.dumps(nasty)}}}, {{name: l, value: ['', ' a ']}}]",
        )
    )
    assert ran.log == f"--x={nasty}|| a |"


def test_stdin_is_empty_home_and_tmp_are_private_and_nothing_of_the_caller_leaks(execute, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/leak")
    monkeypatch.setenv("SECRET_TOKEN", "leak")
    ran = execute(
        task("""
        - {name: a, image: x, script: 'cat; touch $HOME/f $TMPDIR/g; echo "[$PYTHONPATH$SECRET_TOKEN$VIRTUAL_ENV]"'}
        - {name: b, image: x, script: 'ls -A $HOME $TMPDIR | grep -v : || true'}
        - {name: c, image: x, env: [{name: HOME, value: /tmp}], script: '[ "$HOME" = "$TMPDIR" ] && [ "$HOME" != /tmp ]'}
        """)
    )
    assert ran.outcome.succeeded
    assert [line for line in ran.log.splitlines() if line] == ["[]"]


def test_a_step_takes_its_working_directory_from_a_workspace(execute, tmp_path):
    folder = tmp_path / "w"
    folder.mkdir()
    ran = execute(
        task("- {image: x, workingDir: $(workspaces.w.path), command: [pwd]}", "workspaces: [{name: w}]").replace(
            "  taskSpec:", "  workspaces: [{name: w, emptyDir: {}}]\n  taskSpec:"
        ),
        {"w": folder},
    )
    assert ran.log == str(folder)


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        ("relative/dir", "workingDir relative/dir is relative"),
        ("/no/such/dir", "workingDir /no/such/dir does not exist"),
    ],
)
def test_a_working_directory_that_cannot_be_fails_by_name(execute, directory, message):
    outcome = execute(task(f"- {{image: x, workingDir: {directory}, command: [pwd]}}")).outcome.task("t")
    assert outcome.reason == "TaskRunValidationFailed"
    assert message in outcome.message


def test_step_results_reach_later_steps_the_task_and_when(execute):
    ran = execute(
        task(
            """
            - name: first
              image: x
              results: [{name: word}, {name: list, type: array}]
              script: |
                printf hello > $(step.results.word.path)
                printf '["a","b"]' > $(step.results.list.path)
            - {name: second, image: x, command: [echo, $(steps.first.results.word), "$(steps.first.results.list[*])"]}
            - name: skipped
              image: x
              when: [{input: $(steps.first.results.word), operator: in, values: [bye]}]
              script: echo never
            """,
            "results: [{name: out, value: $(steps.first.results.word)}]",
        )
    )
    assert ran.log == "hello a b"
    assert ran.outcome.results == {"out": "hello"}
    assert [step.ended for step in ran.outcome.task("t").steps] == ["Completed", "Completed", "Skipped"]


def test_the_template_gives_what_a_step_leaves_out(execute):
    ran = execute(
        task(
            """
            - {name: a, image: x}
            - {name: b, image: x, command: [echo, own]}
            - {name: c, image: x, args: [mine]}
            - {name: d, image: x, command: [env], args: [echo, "$(B)"], env: [{name: B, value: "$(A)"}]}
            """,
            """
            stepTemplate:
              command: [echo]
              args: [template]
              env: [{name: A, value: "1"}]
            """,
        )
    )
    # A step's new variables come before the template's: $(A) is unknown to B.
    assert ran.log.splitlines() == ["template", "own template", "mine", "$(A)"]


def test_env_is_merged_by_name_in_kubernetes_order():
    template = {"env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]}
    [step] = merged([{"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]}], template)
    assert [(v["name"], v["value"]) for v in step["env"]] == [("A", "1"), ("B", "3"), ("C", "4")]


KEPT = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {level: info, other: x}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
data: {token: czNjcmV0}
---
"""


def test_variables_come_from_config_maps_and_secrets(execute):
    ran = execute(
        KEPT
        + task("""
        - image: x
          envFrom: [{prefix: S_, configMapRef: {name: settings}}]
          env:
            - {name: TOKEN, valueFrom: {secretKeyRef: {name: keys, key: token}}}
            - {name: NONE, valueFrom: {configMapKeyRef: {name: settings, key: ghost, optional: true}}}
            - {name: BOTH, value: "$(S_level) $(TOKEN)"}
          script: echo "$S_level $TOKEN ${NONE-unset} $BOTH"
        """)
    )
    assert ran.log == "info s3cret unset info s3cret"


def test_a_variable_from_a_missing_secret_fails_by_name(execute):
    text = "- {image: x, script: env, env: [{name: T, valueFrom: {secretKeyRef: {name: keys, key: token}}}]}"
    outcome = execute(task(text)).outcome.task("t")
    assert outcome.message == "env T: Secret keys with key token is not among the documents given"


def test_steps_share_an_empty_dir_mounted_at_tmp(execute):
    ran = execute(
        task(
            """
            - {name: a, image: x, volumeMounts: [{name: t, mountPath: /tmp}], script: touch $TMPDIR/f}
            - {name: b, image: x, volumeMounts: [{name: t, mountPath: /tmp}], script: ls $TMPDIR}
            - {name: c, image: x, script: ls $TMPDIR}
            """,
            "volumes: [{name: t, emptyDir: {}}]",
        )
    )
    assert ran.log == "f"


def test_what_a_step_has_write_protected_is_removed_too(tmp_path):
    with run_folder() as folder:
        (folder / "a/b").mkdir(parents=True)
        (folder / "a/b/f").touch()
        (folder / "a/b").chmod(0o500)
        (folder / "a").chmod(0o500)
    assert not folder.exists()


def test_results_that_grew_too_large_are_those_of_the_step_before(execute):
    ran = execute("""
        apiVersion: tekton.dev/v1
        kind: TaskRun
        metadata: {name: t}
        spec:
          taskSpec:
            results: [{name: r}, {name: large}]
            steps:
            - {name: small, image: x, script: 'printf kept > $(results.r.path)'}
            - {name: over, image: x, script: 'head -c 5000 /dev/zero | tr "\\\\0" x > $(results.large.path)'}
        """)
    assert ran.outcome.tasks[0].results == {"r": "kept"}
    assert "its results take" in ran.outcome.message
