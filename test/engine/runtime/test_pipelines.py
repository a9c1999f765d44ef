"""Whole PipelineRuns on real processes."""

from __future__ import annotations

import textwrap
import threading
import time

import pytest

from catalog.engine.planning import PlanError
from catalog.engine.process import Cancellation


def pipeline(tasks, *, spec="", run="", before=""):
    return f"""{before}
apiVersion: tekton.dev/v1
kind: PipelineRun
metadata: {{name: p}}
spec:
{textwrap.indent(textwrap.dedent(run).strip(), "  ")}
  pipelineSpec:
{textwrap.indent(textwrap.dedent(spec).strip(), "    ")}
{textwrap.indent(textwrap.dedent(tasks).strip(), "    ")}
"""


def script(text, name="s"):
    return f"{{steps: [{{name: {name}, image: x, script: '{text}'}}]}}"


def by_name(ran):
    return {task.name: (str(task.status), str(task.reason)) for task in ran.outcome.tasks}


def test_branches_run_side_by_side(execute, tmp_path):
    meet = "touch {dir}/{me}; while [ ! -e {dir}/{you} ]; do sleep 0.02; done"
    tasks = f"""
        tasks:
          - {{name: a, taskSpec: {script(meet.format(dir=tmp_path, me="a", you="b"))}, timeout: 10s}}
          - {{name: b, taskSpec: {script(meet.format(dir=tmp_path, me="b", you="a"))}, timeout: 10s}}
        """
    assert execute(pipeline(tasks), jobs=2).outcome.succeeded


def test_with_one_job_only_one_task_runs_at_a_time(execute, tmp_path):
    alone = f"mkdir {tmp_path}/lock && sleep 0.05 && rmdir {tmp_path}/lock"
    tasks = "tasks:\n" + "\n".join(f"  - {{name: t{i}, taskSpec: {script(alone)}}}" for i in range(4))
    assert execute(pipeline(tasks), jobs=1).outcome.succeeded


def test_a_claim_carries_files_from_task_to_task_an_empty_dir_does_not(execute):
    tasks = """
        tasks:
          - name: write
            workspaces: [{name: w, workspace: shared}, {name: e, workspace: scratch}]
            taskSpec:
              workspaces: [{name: w}, {name: e}]
              steps: [{image: x, script: 'echo hello > $(workspaces.w.path)/f; echo > $(workspaces.e.path)/f'}]
          - name: read
            runAfter: [write]
            workspaces: [{name: w, workspace: shared}, {name: e, workspace: scratch}]
            taskSpec:
              workspaces: [{name: w}, {name: e}]
              steps: [{image: x, script: 'cat $(workspaces.w.path)/f; ls $(workspaces.e.path)'}]
        """
    run = "workspaces: [{name: shared, volumeClaimTemplate: {spec: {}}}, {name: scratch, emptyDir: {}}]"
    ran = execute(pipeline(tasks, run=run, spec="workspaces: [{name: shared}, {name: scratch}]"))
    assert ran.outcome.succeeded
    assert ran.log == "hello"
    assert (ran.outcome.workspaces["shared"] / "f").read_text() == "hello\n"


def test_sub_paths_of_run_and_task_are_joined(execute):
    tasks = """
        tasks:
          - name: write
            workspaces: [{name: w, workspace: shared, subPath: $(params.where)}]
            taskSpec: {workspaces: [{name: w}], steps: [{image: x, script: 'echo > $(workspaces.w.path)/f'}]}
        """
    run = """
        params: [{name: where, value: inner}]
        workspaces: [{name: shared, subPath: outer, persistentVolumeClaim: {claimName: c}}]
        """
    ran = execute(pipeline(tasks, run=run, spec="workspaces: [{name: shared}]\nparams: [{name: where}]"))
    assert (ran.folder / "claims/c/outer/inner/f").exists()


def test_an_inline_task_sees_the_pipelines_params_results_and_workspaces_a_referenced_one_only_what_it_gets(execute):
    before = textwrap.dedent("""
        apiVersion: tekton.dev/v1
        kind: Task
        metadata: {name: referenced}
        spec:
          params: [{name: p, default: own}]
          steps: [{image: x, script: 'echo referenced $(params.p)'}]
        ---
        """)
    tasks = """
        tasks:
          - name: make
            taskSpec:
              results: [{name: r}]
              steps: [{image: x, script: 'printf made > $(results.r.path)'}]
          - name: inline
            runAfter: [make]
            taskSpec:
              params: [{name: p, default: own}]
              steps: [{image: x, script: 'echo inline $(params.p) $(tasks.make.results.r); ls $(workspaces.w.path)'}]
          - {name: scoped, runAfter: [inline], params: [{name: p, value: mine}], taskSpec: {steps: [{image: x, script: 'echo $(params.p)'}]}}
          - {name: referenced, runAfter: [scoped], taskRef: {name: referenced}}
        """
    run = "params: [{name: p, value: pipeline}]\nworkspaces: [{name: w, emptyDir: {}}]"
    ran = execute(pipeline(tasks, run=run, spec="params: [{name: p}]\nworkspaces: [{name: w}]", before=before))
    assert ran.log.splitlines() == ["inline pipeline made", "mine", "referenced own"]


def test_context_variables(execute):
    before = textwrap.dedent("""
        apiVersion: tekton.dev/v1
        kind: Task
        metadata: {name: named}
        spec:
          steps: [{image: x, script: 'echo $(context.task.name) $(context.taskRun.name) $(context.task.retry-count)'}]
        ---
        """)
    tasks = """
        tasks:
          - {name: a, taskRef: {name: named}}
          - name: b
            runAfter: [a]
            retries: 2
            params: [{name: r, value: $(context.pipelineTask.retries)}]
            taskSpec:
              params: [{name: r}]
              steps: [{image: x, script: 'echo $(context.pipelineRun.name) $(context.pipeline.name) $(params.r) $(context.task.name)'}]
        """
    assert execute(pipeline(tasks, before=before)).log.splitlines() == ["named p-a 0", "p p 2 p-b"]


def test_when_guards_and_finally_reads_statuses(execute):
    tasks = f"""
        tasks:
          - name: decide
            taskSpec: {{results: [{{name: verdict}}], steps: [{{image: x, script: 'printf fail > $(results.verdict.path)'}}]}}
          - name: build
            when: [{{input: $(tasks.decide.results.verdict), operator: in, values: [pass, overridden]}}]
            taskSpec: {script("echo never")}
        finally:
          - name: report
            params: [{{name: s, value: "$(tasks.build.status) $(tasks.decide.status) $(tasks.status)"}}]
            taskSpec: {{params: [{{name: s}}], steps: [{{image: x, script: 'echo $(params.s)'}}]}}
        """
    ran = execute(pipeline(tasks))
    assert by_name(ran)["build"] == ("Skipped", "When Expressions evaluated to false")
    assert (ran.outcome.status, ran.outcome.reason) == ("Succeeded", "Completed")
    assert ran.log == "None Succeeded Completed"


def test_a_failure_stops_the_rest_finally_runs_and_the_exit_code_is_kept(execute):
    tasks = f"""
        tasks:
          - {{name: gate, taskSpec: {script("exit 10")}}}
          - {{name: build, runAfter: [gate], taskSpec: {script("echo never")}}}
        finally:
          - {{name: tidy, taskSpec: {script("echo tidy")}}}
        """
    ran = execute(pipeline(tasks))
    assert (ran.outcome.status, ran.outcome.reason) == ("Failed", "Failed")
    assert ran.outcome.task("gate").exit_code == 10
    assert by_name(ran)["build"] == ("Skipped", "PipelineRun was stopping")
    assert ran.log == "tidy"


def test_a_failure_is_in_the_end_why_all_other_tasks_were_skipped(execute):
    tasks = f"""
        tasks:
          - {{name: guarded, when: [{{input: a, operator: in, values: [b]}}], taskSpec: {script("echo never")}}}
          - {{name: bad, runAfter: [guarded], taskSpec: {script("exit 1")}}}
        finally:
          - {{name: last, when: [{{input: a, operator: in, values: [b]}}], taskSpec: {script("echo never")}}}
        """
    found = by_name(execute(pipeline(tasks)))
    assert found["guarded"] == ("Skipped", "PipelineRun was stopping")
    assert found["last"] == ("Skipped", "When Expressions evaluated to false")


def test_an_ignored_failure_has_its_own_reason(execute):
    tasks = f"""
        tasks:
          - {{name: bad, onError: continue, taskSpec: {script("exit 3")}}}
          - {{name: next, runAfter: [bad], taskSpec: {script("echo on")}}}
        """
    ran = execute(pipeline(tasks))
    assert ran.outcome.succeeded
    assert by_name(ran)["bad"] == ("Failed", "FailureIgnored")
    assert ran.log == "on"


def test_a_task_is_tried_again_with_a_fresh_empty_dir_until_it_succeeds(execute, tmp_path):
    attempt = f"echo try $(context.task.retry-count); ls -A $(workspaces.e.path); touch $(workspaces.e.path)/f; echo >> {tmp_path}/n; [ $(wc -l < {tmp_path}/n) -ge 3 ]"
    tasks = f"""
        tasks:
          - name: flaky
            retries: 5
            workspaces: [{{name: e}}]
            taskSpec:
              workspaces: [{{name: e}}]
              steps: [{{image: x, script: '{attempt}'}}]
        """
    ran = execute(pipeline(tasks, run="workspaces: [{name: e, emptyDir: {}}]", spec="workspaces: [{name: e}]"))
    task = ran.outcome.task("flaky")
    assert (task.status, task.attempts) == ("Succeeded", 3)
    assert ran.log.splitlines() == ["try 0", "try 1", "try 2"]
    assert any("retry 1 of 5" in notice for notice in ran.recorder.notices)


def test_a_tasks_timeout_fails_it_and_the_run(execute):
    ran = execute(pipeline(f"tasks: [{{name: slow, timeout: 200ms, taskSpec: {script('sleep 30')}}}]"))
    assert by_name(ran)["slow"] == ("Failed", "TaskRunTimeout")
    assert ran.outcome.reason == "Failed"
    assert ran.outcome.seconds < 5


def test_the_limit_for_tasks_cancels_them_and_leaves_finally_its_time(execute):
    tasks = f"""
        tasks:
          - {{name: slow, taskSpec: {script("sleep 30")}}}
          - {{name: later, runAfter: [slow], taskSpec: {script("echo never")}}}
        finally:
          - {{name: tidy, taskSpec: {script("echo tidy")}}}
        """
    ran = execute(pipeline(tasks, run="timeouts: {tasks: 300ms, pipeline: 1h}"))
    assert by_name(ran)["slow"] == ("Failed", "TaskRunCancelled")
    assert by_name(ran)["later"][0] == "Skipped"
    assert (ran.outcome.status, ran.outcome.reason) == ("Failed", "PipelineRunTimeout")
    assert ran.log == "tidy"


def test_the_limit_for_all_ends_the_run_without_finally(execute):
    tasks = f"""
        tasks: [{{name: slow, taskSpec: {script("sleep 30")}}}]
        finally: [{{name: tidy, taskSpec: {script("echo never")}}}]
        """
    ran = execute(pipeline(tasks, run="timeouts: {pipeline: 300ms}"))
    assert by_name(ran)["tidy"] == ("None", "PipelineRunTimeout")
    assert ran.outcome.reason == "PipelineRunTimeout"
    assert ran.log == ""


def test_the_limit_for_finally_ends_finally(execute):
    tasks = f"""
        tasks: [{{name: quick, taskSpec: {script("true")}}}]
        finally: [{{name: slow, taskSpec: {script("sleep 30")}}}]
        """
    ran = execute(pipeline(tasks, run="timeouts: {finally: 300ms, pipeline: 1h}"))
    assert by_name(ran)["slow"] == ("Failed", "TaskRunCancelled")
    assert ran.outcome.status == "Failed"


def test_a_cancelled_run_ends_its_processes_and_says_so(execute):
    switch = Cancellation()
    threading.Timer(0.3, switch.throw, ("stopped by SIGINT",)).start()
    tasks = f"""
        tasks:
          - {{name: slow, taskSpec: {script("sleep 30")}}}
          - {{name: later, runAfter: [slow], taskSpec: {script("echo never")}}}
        finally: [{{name: tidy, taskSpec: {script("echo never")}}}]
        """
    began = time.monotonic()
    ran = execute(pipeline(tasks), cancellation=switch)
    assert time.monotonic() - began < 5
    assert ran.outcome.reason == "Cancelled"
    assert by_name(ran) == {
        "slow": ("Failed", "TaskRunCancelled"),
        "later": ("None", "Cancelled"),
        "tidy": ("None", "Cancelled"),
    }
    assert ran.outcome.task("slow").message == "stopped by SIGINT"


def test_a_pipeline_result_that_was_not_written_fails_a_run_whose_tasks_all_succeeded(execute):
    spec = "results: [{name: out, value: $(tasks.a.results.r)}]"
    tasks = "tasks: [{name: a, taskSpec: {results: [{name: r}], steps: [{image: x, script: 'true'}]}}]"
    ran = execute(pipeline(tasks, spec=spec))
    assert (ran.outcome.status, ran.outcome.reason) == ("Failed", "CouldntGetPipelineResult")
    assert "the results out name task results that were not written" in ran.outcome.message


def test_a_result_of_another_type_than_the_param_is_refused_when_it_arrives(execute):
    tasks = """
        tasks:
          - name: a
            taskSpec:
              results: [{name: r, type: array}]
              steps: [{image: x, script: "printf '[\\"x\\"]' > $(results.r.path)"}]
          - name: b
            params: [{name: p, value: "$(tasks.a.results.r[*])"}]
            taskSpec: {params: [{name: p, type: string}], steps: [{image: x, script: 'true'}]}
        """
    task = execute(pipeline(tasks)).outcome.task("b")
    assert task.reason == "TaskRunValidationFailed"
    assert task.message == "param p is of type string, but the value given is of type array"


def test_what_is_missing_is_refused_before_anything_runs(execute):
    before = textwrap.dedent("""
        apiVersion: tekton.dev/v1
        kind: Task
        metadata: {name: needy}
        spec: {params: [{name: p}], workspaces: [{name: w}], steps: [{image: x, script: 'true'}]}
        ---
        """)
    with pytest.raises(PlanError) as caught:
        execute(pipeline("tasks: [{name: a, taskRef: {name: needy}}]", before=before, spec="workspaces: [{name: s}]"))
    problems = "\n".join(caught.value.problems)
    assert "workspace s is not bound; bind it in the run or use --workspace s=<folder>" in problems
    assert "task a: its workspace w is not bound" in problems
    assert "task a: param p (string) is not given" in problems


def test_an_object_that_a_pipelines_param_leaves_without_a_key_is_refused_before_anything_runs(execute):
    spec = "params: [{name: o, type: object, properties: {a: {}, b: {}}, default: {a: A, b: B}}]"
    tasks = """
        tasks:
          - name: t
            params: [{name: o, value: "$(params.o[*])"}]
            taskSpec: {params: [{name: o, type: object, properties: {a: {}, b: {}}}], steps: [{image: x, script: 'true'}]}
        """
    with pytest.raises(PlanError, match="task t: param o lacks the keys b"):
        execute(pipeline(tasks, spec=spec, run="params: [{name: o, value: {a: given}}]"))


def test_the_old_spelling_of_params_counts_inside_a_task(execute):
    tasks = """
        tasks:
          - name: a
            params: [{name: p, value: new}]
            taskSpec: {params: [{name: p}], steps: [{image: x, command: [echo, $(inputs.params.p)]}]}
        """
    assert execute(pipeline(tasks)).log == "new"


@pytest.mark.parametrize(
    ("param", "step"), [("$(params.a[3])", "$(params.q)"), ("x", "$(params.a[3])")], ids=["task param", "inline step"]
)
def test_an_index_beyond_an_array_param_is_refused_before_anything_runs(execute, param, step):
    tasks = f"""
        tasks:
          - name: x
            params: [{{name: q, value: "{param}"}}]
            taskSpec: {{params: [{{name: q}}], steps: [{{image: x, command: [echo, "{step}"]}}]}}
        """
    with pytest.raises(PlanError, match=r"\$\(params.a\[3\]\) asks for element 3 of an array of 1"):
        execute(pipeline(tasks, spec="params: [{name: a, type: array}]", run="params: [{name: a, value: [x]}]"))
