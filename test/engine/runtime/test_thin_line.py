"""A Task with one step, and two tasks with a result between them."""

from __future__ import annotations


def test_a_task_with_one_command_runs_and_its_output_and_result_are_seen(execute):
    ran = execute("""
        apiVersion: tekton.dev/v1
        kind: TaskRun
        metadata: {name: hello}
        spec:
          params: [{name: who, value: "world; echo oops"}]
          taskSpec:
            params: [{name: who}]
            results: [{name: greeting}]
            steps:
              - name: greet
                image: busybox
                command: [sh, -c, 'echo "hello $1"; printf %s "$1" > $(results.greeting.path)', sh]
                args: [$(params.who)]
        """)
    assert ran.outcome.succeeded
    assert ran.log == "hello world; echo oops"
    assert ran.outcome.results == {"greeting": "world; echo oops"}


def test_a_result_reaches_the_next_task_and_the_pipeline(execute):
    ran = execute("""
        apiVersion: tekton.dev/v1
        kind: Task
        metadata: {name: double}
        spec:
          params: [{name: text}]
          results: [{name: twice}]
          steps:
            - image: busybox
              env: [{name: TEXT, value: $(params.text)}]
              script: printf %s "$TEXT$TEXT" > $(results.twice.path)
        ---
        apiVersion: tekton.dev/v1
        kind: PipelineRun
        metadata: {name: chain}
        spec:
          pipelineSpec:
            results: [{name: text, value: $(tasks.second.results.twice)}]
            tasks:
              - {name: second, taskRef: {name: double}, params: [{name: text, value: $(tasks.first.results.twice)}]}
              - {name: first, taskRef: {name: double}, params: [{name: text, value: ab}]}
        """)
    assert ran.outcome.succeeded
    assert ran.outcome.results == {"text": "abababab"}
    finished = [name for event, name in ran.recorder.events if event == "finished"]
    assert finished == ["first", "second"]


def test_a_failing_step_ends_the_run_with_its_exit_code(execute):
    ran = execute("""
        apiVersion: tekton.dev/v1
        kind: TaskRun
        metadata: {name: bad}
        spec:
          taskSpec:
            steps:
              - {name: one, image: busybox, script: exit 7}
              - {name: two, image: busybox, script: echo never}
        """)
    task = ran.outcome.task("bad")
    assert (task.status, task.reason, task.exit_code) == ("Failed", "StepFailed", 7)
    assert task.message == "step one exited with code 7"
    assert [(step.exit_code, step.ended) for step in task.steps] == [(7, "Error"), (1, "Skipped")]
    assert ran.log == ""
