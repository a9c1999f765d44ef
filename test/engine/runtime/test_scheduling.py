"""The scheduler alone: random pipelines played through without a process."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.engine.conclusion import pipeline_results, verdict
from catalog.engine.outcomes import Reason, Skip, Status, TaskOutcome
from catalog.engine.scheduling import Graph, Node, State, decide, status_values


def node(name, is_finally=False, **body):
    return Node(name, body, is_finally)


def ended(name, status=Status.SUCCEEDED, is_finally=False, **results):
    reason = Reason.SUCCEEDED if status is Status.SUCCEEDED else Reason.STEP_FAILED
    return TaskOutcome(name, status, reason, results=results, is_finally=is_finally)


def play(graph, behave, *, jobs=3, pick=None):
    """Runs the scheduler to its end; ``behave`` says how a task that was started ends. Returns outcomes and starts."""
    state = State()
    started, order = [], []
    while True:
        decision = decide(graph, state)
        outcomes = dict(state.outcomes)
        for outcome in decision.settled:
            assert outcome.name not in outcomes, "settled twice"
            assert outcome.name not in state.running, "skipped while it ran"
            outcomes[outcome.name] = outcome
        running = state.running
        for ready in decision.ready[: jobs - len(running)]:
            assert ready.node.name not in started, "started twice"
            started.append(ready.node.name)
            order.append(("start", ready.node.name))
            running |= {ready.node.name}
        state = State(outcomes, running)
        if decision.done:
            return state, started, order
        assert running, f"nothing runs and the pipeline is not done: {outcomes}"
        name = sorted(running)[pick(len(running)) if pick else 0]
        order.append(("end", name))
        outcome = behave(name)
        state = State({**outcomes, name: outcome}, running - {name})


@st.composite
def pipelines(draw):
    """Pipelines without circles: every task may wait for, or use results of, those written before it."""
    size = draw(st.integers(1, 7))
    nodes = []
    for number in range(size):
        earlier = [f"t{i}" for i in range(number)]
        after = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        uses = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=2)) if earlier else []
        body = {"runAfter": after, "params": [{"name": u, "value": f"$(tasks.{u}.results.r)"} for u in uses]}
        if draw(st.integers(0, 4)) == 0:
            body["when"] = [{"input": "a", "operator": "in", "values": ["b"]}]
        if draw(st.integers(0, 4)) == 0:
            body["onError"] = "continue"
        nodes.append(Node(f"t{number}", body))
    main = [n.name for n in nodes]
    for number in range(draw(st.integers(0, 2))):
        uses = draw(st.lists(st.sampled_from(main), unique=True, max_size=1))
        params = [{"name": u, "value": f"$(tasks.{u}.results.r)"} for u in uses]
        nodes.append(Node(f"f{number}", {"params": params}, is_finally=True))
    return Graph(tuple(draw(st.permutations(nodes))))


@settings(max_examples=300, deadline=None)
@given(pipelines(), st.data())
def test_every_task_gets_one_outcome_in_order_and_finally_comes_last(graph, data):
    fates = {
        n.name: data.draw(st.sampled_from(["ok", "ok", "ok", "fails", "no result"]), label=n.name) for n in graph.nodes
    }

    def behave(name):
        results = {} if fates[name] == "no result" else {"r": name}
        status = Status.FAILED if fates[name] == "fails" else Status.SUCCEEDED
        return ended(name, status, graph.by_name[name].is_finally, **results)

    jobs = data.draw(st.integers(1, 4))
    pick = lambda count: data.draw(st.integers(0, count - 1))  # noqa: E731
    state, started, order = play(graph, behave, jobs=jobs, pick=pick)

    assert set(state.outcomes) == {n.name for n in graph.nodes}
    at = {event: place for place, event in enumerate(order)}
    for name in started:
        for parent in graph.parents[name]:
            if parent in started:
                assert at["end", parent] < at["start", name]
    main = [n.name for n in graph.nodes if not n.is_finally]
    for n in graph.nodes:
        if n.is_finally and n.name in started:
            assert all(at["end", name] < at["start", n.name] for name in main if name in started)
        if n.is_finally:
            # A finally task is left out for one reason only here: a result that nobody wrote.
            wanted = [task for task, _ in n.result_references]
            possible = all("r" in state.outcomes[task].results for task in wanted)
            assert (n.name in started) == possible
    # After a failure that nobody ignores nothing of the main part starts.
    ended_badly = [
        at["end", n] for n in started if fates[n] == "fails" and n in main and not graph.by_name[n].ignores_failure
    ]
    if ended_badly:
        assert all(at["start", n] < min(ended_badly) for n in started if n in main)
    status, reason, _ = verdict(graph, state)
    bad = [
        n.name
        for n in graph.nodes
        if (state.outcomes[n.name].failed and not n.ignores_failure)
        or state.outcomes[n.name].reason == Reason.PIPELINE_INVALID
    ]
    assert (status is Status.FAILED) == bool(bad)
    if status is Status.SUCCEEDED:
        skipped = any(o.status is Status.SKIPPED for o in state.outcomes.values())
        assert (reason == Reason.COMPLETED) == skipped


WHEN_NO = [{"input": "a", "operator": "in", "values": ["b"]}]


def uses(*tasks):
    return [{"name": task, "value": f"$(tasks.{task}.results.r)"} for task in tasks]


def skips(graph, behave=ended):
    state, _, _ = play(graph, behave)
    return {name: str(o.reason) for name, o in state.outcomes.items() if o.status is Status.SKIPPED}


def test_after_a_task_skipped_by_when_order_goes_on_and_results_are_missing():
    graph = Graph(
        (
            node("a", when=WHEN_NO),
            node("ordered", runAfter=["a"]),
            node("user", params=uses("a")),
            node("child", params=uses("user")),
            node("grandchild", runAfter=["child"]),
            node("guarded", when=[{"input": "$(tasks.a.results.r)", "operator": "in", "values": ["x"]}]),
            node("guarded-not", when=[{"input": "$(tasks.a.results.r)", "operator": "notin", "values": ["x"]}]),
        )
    )
    assert skips(graph) == {
        "a": Skip.WHEN,
        "user": Skip.RESULTS,
        "child": Skip.PARENTS,
        "grandchild": Skip.PARENTS,
        "guarded": Skip.WHEN,
        "guarded-not": Skip.RESULTS,
    }


def test_a_failure_stops_what_has_not_started_and_finally_runs():
    graph = Graph((node("bad"), node("later", runAfter=["bad"]), node("end", is_finally=True)))
    state, started, _ = play(graph, lambda name: ended(name, Status.FAILED if name == "bad" else Status.SUCCEEDED))
    assert started == ["bad", "end"]
    assert state.outcomes["later"].reason == Skip.STOPPING
    assert verdict(graph, state)[:2] == (Status.FAILED, Reason.FAILED)


def test_an_ignored_failure_lets_the_run_succeed_but_the_status_of_all_is_failed():
    graph = Graph((node("bad", onError="continue"), node("later", runAfter=["bad"]), node("end", is_finally=True)))
    state, started, _ = play(graph, lambda name: ended(name, Status.FAILED if name == "bad" else Status.SUCCEEDED))
    assert started == ["bad", "later", "end"]
    assert verdict(graph, state)[0] is Status.SUCCEEDED
    assert "failed: 1 (1 ignored)" in verdict(graph, state)[2]
    values = status_values(graph, state)
    assert values.text("$(tasks.bad.status) $(tasks.later.status) $(tasks.status)") == "Failed Succeeded Failed"


def test_the_status_of_a_task_that_did_not_run_is_none_and_its_reason_empty():
    graph = Graph((node("a", when=WHEN_NO), node("b")))
    state, _, _ = play(graph, ended)
    values = status_values(graph, state)
    assert values.text("$(tasks.a.status) [$(tasks.a.reason)] $(tasks.b.status) $(tasks.status)") == (
        "None [] Succeeded Completed"
    )


def test_a_skipped_finally_task_makes_the_run_completed_but_not_the_status_of_all():
    graph = Graph((node("a"), node("end", is_finally=True, when=WHEN_NO)))
    state, _, _ = play(graph, ended)
    assert verdict(graph, state)[:2] == (Status.SUCCEEDED, Reason.COMPLETED)
    assert status_values(graph, state).text("$(tasks.status)") == "Succeeded"


def test_a_user_of_a_result_that_a_finished_task_did_not_write_makes_the_run_invalid():
    graph = Graph((node("a"), node("b", params=uses("a")), node("c", runAfter=["b"]), node("f", is_finally=True)))
    state, started, _ = play(graph, ended)
    assert started == ["a", "f"]
    assert state.outcomes["b"].status is Status.NOT_RUN
    assert state.outcomes["c"].reason == Skip.STOPPING
    status, reason, message = verdict(graph, state)
    assert (status, reason) == (Status.FAILED, Reason.PIPELINE_INVALID)
    assert "b: it uses the result r of task a, which did not write it" in message


def test_a_user_of_such_a_result_that_ignores_failures_is_skipped():
    graph = Graph((node("a"), node("b", onError="continue", params=uses("a"))))
    assert skips(graph) == {"b": Skip.RESULTS}


def test_an_index_beyond_an_array_result_makes_the_run_invalid():
    graph = Graph((node("a"), node("b", params=[{"name": "p", "value": "$(tasks.a.results.r[3])"}])))
    state, _, _ = play(graph, lambda name: ended(name, r=["x"]))
    assert "element 3 of an array of 1" in state.outcomes["b"].message


def test_an_index_beyond_an_array_result_ends_the_run_at_once_even_for_a_task_that_when_would_skip():
    beyond = {"params": [{"name": "p", "value": "$(tasks.a.results.r[3])"}], "when": WHEN_NO}
    graph = Graph((node("a"), node("b", **beyond), node("c", runAfter=["a"]), node("f", True)))
    state, started, _ = play(graph, lambda name: ended(name, r=["x"]), jobs=1)
    assert started == ["a"]
    assert verdict(graph, state)[:2] == (Status.FAILED, Reason.PIPELINE_INVALID)


def test_results_are_put_in_place_with_their_types_but_no_single_elements_into_steps():
    graph = Graph(
        (
            node("a"),
            node(
                "b",
                params=[{"name": "p", "value": "$(tasks.a.results.r[*])"}],
                taskSpec={
                    "steps": [
                        {
                            "script": "echo $(tasks.a.results.s) $(tasks.a.results.o.k) $(tasks.a.results.r[0])",
                            "args": ["$(tasks.a.results.r[*])"],
                        }
                    ],
                },
            ),
        )
    )
    decision = decide(graph, State({"a": ended("a", r=["x", "y"], s="text", o={"k": "v"})}))
    [ready] = decision.ready
    assert ready.body["params"] == [{"name": "p", "value": ["x", "y"]}]
    assert ready.body["taskSpec"]["steps"] == [{"script": "echo text v $(tasks.a.results.r[0])", "args": ["x", "y"]}]


def test_results_in_an_inline_spec_make_an_order_those_in_a_sub_path_do_not():
    inline = {"steps": [{"env": [{"name": "E", "value": "$(tasks.a.results.r)"}]}]}
    sub_path = [{"name": "w", "subPath": "$(tasks.a.results.r)"}]
    graph = Graph((node("a"), node("b", taskSpec=inline), node("c", workspaces=sub_path)))
    assert graph.parents == {"a": frozenset(), "b": frozenset({"a"}), "c": frozenset()}


def matrix_over(*tasks, **body):
    return {"matrix": {"params": [{"name": t, "value": f"$(tasks.{t}.results.r[*])"} for t in tasks]}, **body}


def test_a_matrix_over_an_empty_array_is_skipped_and_with_it_all_that_come_after():
    graph = Graph(
        (node("a"), node("m", **matrix_over("a")), node("ordered", runAfter=["m"]), node("f", True, **matrix_over("a")))
    )
    empty = "Matrix Parameters have an empty array"
    assert skips(graph, lambda name: ended(name, r=[])) == {"m": empty, "ordered": Skip.PARENTS, "f": empty}


def test_a_matrix_over_a_result_of_a_skipped_task_fails_the_run_where_a_param_would_be_skipped():
    graph = Graph((node("a", when=WHEN_NO), node("m", **matrix_over("a")), node("p", params=uses("a"))))
    state, started, _ = play(graph, ended)
    assert (started, state.outcomes["m"].reason) == ([], Reason.PIPELINE_INVALID)
    assert verdict(graph, state)[:2] == (Status.FAILED, Reason.PIPELINE_INVALID)


def test_a_finally_task_whose_matrix_waits_for_a_missing_result_lets_the_run_end_by_timeout():
    graph = Graph((node("a"), node("f", True, **matrix_over("a")), node("g", True)))
    state, started, _ = play(graph, ended)
    assert started == ["a", "g"]
    assert "on a cluster the run ends by timeout" in state.outcomes["f"].message
    assert verdict(graph, state)[:2] == (Status.FAILED, Reason.PIPELINE_TIMEOUT)


def test_a_text_in_place_of_a_matrix_list_ends_the_run_at_once_without_finally():
    text = {"matrix": {"params": [{"name": "p", "value": "$(tasks.a.results.r)"}]}}
    graph = Graph((node("a"), node("m", **text), node("later", runAfter=["m"]), node("f", True)))
    state, started, _ = play(graph, lambda name: ended(name, r="text"))
    assert started == ["a"]
    assert verdict(graph, state) == (
        Status.FAILED,
        Reason.MATRIX_INVALID,
        "m: the matrix param p is of type string, only arrays are fanned out",
    )


def test_a_pipeline_result_of_a_matrix_exists_only_when_a_task_uses_it_too():
    declared = [{"name": "out", "value": "$(tasks.m.results.r[*])"}]
    matrix = {"params": [{"name": "p", "value": ["x", "y"]}]}
    outcomes = {"m": ended("m", r=["x", "y"])}
    alone = Graph((node("m", matrix=matrix),))
    used = Graph((node("m", matrix=matrix), node("u", params=[{"name": "p", "value": "$(tasks.m.results.r[*])"}])))
    assert pipeline_results(declared, outcomes, alone.forgotten) == ({}, ["out"])
    assert pipeline_results(declared, outcomes, used.forgotten) == ({"out": ["x", "y"]}, [])


@pytest.mark.parametrize(
    ("over", "skip"), [({"tasks_over": True}, Skip.TASKS_TIMEOUT), ({"pipeline_over": True}, Skip.PIPELINE_TIMEOUT)]
)
def test_nothing_starts_when_the_time_is_over(over, skip):
    graph = Graph((node("a"), node("f", is_finally=True)))
    decision = decide(graph, State(**over))
    assert {o.name: o.reason for o in decision.settled}["a"] == skip
    # The limit for tasks leaves finally its time, the one for all does not.
    assert [ready.node.name for ready in decision.ready] == (["f"] if skip is Skip.TASKS_TIMEOUT else [])


def test_after_a_cancellation_nothing_starts_at_all():
    graph = Graph((node("a"), node("b", runAfter=["a"]), node("f", is_finally=True)))
    decision = decide(graph, State({"a": ended("a")}, cancelled=True))
    assert (decision.ready, decision.done) == ((), True)


RESULTS = [{"name": "out", "value": "$(tasks.a.results.r)"}]


def test_a_pipeline_result_of_a_skipped_or_failed_task_is_left_out():
    skipped = TaskOutcome("a", Status.SKIPPED, Skip.WHEN)
    assert pipeline_results(RESULTS, {"a": skipped}) == ({}, [])
    assert pipeline_results(RESULTS, {"a": ended("a", Status.FAILED)}) == ({}, [])
    assert pipeline_results(RESULTS, {"a": ended("a", Status.FAILED, r="kept")}) == ({"out": "kept"}, [])


def test_a_pipeline_result_that_a_succeeded_task_did_not_write_is_broken():
    assert pipeline_results(RESULTS, {"a": ended("a")}) == ({}, ["out"])


def test_pipeline_results_of_all_types_and_of_finally():
    outcomes = {"a": ended("a", r=["x", "y"], o={"k": "v"}), "f": ended("f", is_finally=True, r="last")}
    declared = [
        {"name": "all", "value": "$(tasks.a.results.r[*])"},
        {"name": "one", "value": "$(tasks.a.results.r[1]) and more"},
        {"name": "key", "value": "$(tasks.a.results.o.k)"},
        {"name": "map", "value": {"x": "$(tasks.a.results.o.k)"}},
        {"name": "last", "value": "$(finally.f.results.r)"},
        {"name": "constant", "value": "no reference"},
        {"name": "beyond", "value": "$(tasks.a.results.r[9])"},
    ]
    found, broken = pipeline_results(declared, outcomes)
    assert found == {"all": ["x", "y"], "one": "y and more", "key": "v", "map": {"x": "v"}, "last": "last"}
    assert broken == ["beyond"]
