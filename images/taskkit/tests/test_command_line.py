import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.command_line import Arguments, Option, Outcome, Program, Result, parse, run
from taskkit.errors import TaskError, UsageError

BAKE = Program(
    name="bake",
    summary="Bakes a cake.",
    version="1.2.3",
    options=(
        Option("recipe", "the recipe", required=True),
        Option("oven", "where", default="gas", choices=("gas", "electric")),
        Option("base", "what it stands on", default="plate", allows_empty=True),
        Option("toppings", "what goes on top", default=()),
        Option("notes", "for the cook", default=("hurry",), free=True),
    ),
    results=(Result("weight", "in grams"), Result("colour", "of the crust")),
)


def test_a_string_is_one_element_and_an_array_is_a_flag_with_values():
    arguments = parse(BAKE, ["--recipe=plum", "--toppings", "sugar", "nuts", "--", "--slowly", "-x", ""])
    assert arguments["recipe"] == "plum"
    assert arguments.array("toppings") == ("sugar", "nuts")
    assert arguments.array("notes") == ("--slowly", "-x", "")


def test_an_empty_string_means_not_given_so_the_default_holds():
    assert parse(BAKE, ["--recipe=plum", "--oven="])["oven"] == "gas"


def test_an_option_that_allows_empty_tells_empty_from_left_out():
    assert parse(BAKE, ["--recipe=plum", "--base="])["base"] == ""
    assert parse(BAKE, ["--recipe=plum"])["base"] == "plate"


def test_an_empty_required_option_says_what_it_is():
    with pytest.raises(UsageError, match="--recipe is required; it is: the recipe") as caught:
        parse(BAKE, ["--recipe="])
    assert caught.value.exit_code == 2


def test_an_array_without_values_is_empty_and_the_free_array_has_its_default_only_without_dashes():
    assert parse(BAKE, ["--recipe=a", "--toppings"]).array("toppings") == ()
    assert parse(BAKE, ["--recipe=a"]).array("notes") == ("hurry",)
    assert parse(BAKE, ["--recipe=a", "--"]).array("notes") == ()


def test_a_value_that_is_not_a_choice_is_named_with_the_choices():
    with pytest.raises(UsageError, match="--oven is 'wood'; it takes one of: gas, electric"):
        parse(BAKE, ["--recipe=a", "--oven=wood"])


def test_an_option_is_never_guessed_from_its_beginning():
    with pytest.raises(UsageError, match="--rec"):
        parse(BAKE, ["--recipe=a", "--rec=b"])


@given(st.text(), st.lists(st.text(min_size=1).filter(lambda text: not text.startswith("-"))), st.lists(st.text()))
def test_whatever_a_param_holds_arrives_unchanged(recipe, toppings, notes):
    arguments = parse(BAKE, [f"--recipe=r{recipe}", "--toppings", *toppings, "--", *notes])
    assert arguments["recipe"] == f"r{recipe}"
    assert arguments.array("toppings") == tuple(toppings)
    assert arguments.array("notes") == tuple(notes)


def test_results_are_written_and_those_without_a_value_are_empty(tmp_path):
    files = [f"weight={tmp_path / 'w'}", f"colour={tmp_path / 'c'}"]
    code = run(BAKE, lambda _: Outcome({"weight": "500"}), ["--recipe=a", "--result", *files])
    assert (code, (tmp_path / "w").read_text(), (tmp_path / "c").read_text()) == (0, "500", "")


def test_results_exist_even_when_the_work_fails(tmp_path):
    def burn(_: Arguments) -> Outcome:
        raise TaskError("the cake is burnt", "lower the heat")

    assert run(BAKE, burn, ["--recipe=a", "--result", f"weight={tmp_path / 'w'}"]) == 3
    assert (tmp_path / "w").read_text() == ""


def test_results_exist_even_when_the_command_line_is_wrong(tmp_path):
    assert run(BAKE, lambda _: Outcome({}), ["--oven=wood", "--result", f"weight={tmp_path / 'w'}", "--toppings"]) == 2
    assert (tmp_path / "w").read_text() == ""


def test_dashes_within_an_array_that_is_not_the_last_are_refused_and_results_exist(tmp_path, capsys):
    result = ["--result", f"weight={tmp_path / 'w'}"]
    assert run(BAKE, lambda _: Outcome({}), ["--recipe=a", "--toppings", "nuts", "--", "x", *result, "--"]) == 2
    assert "--toppings has the element '--', which ends the options" in capsys.readouterr().err
    assert (tmp_path / "w").read_text() == ""


def test_results_of_that_name_among_the_last_array_are_its_own(tmp_path):
    assert parse(BAKE, ["--recipe=a", "--", "--result", "other=x"]).array("notes") == ("--result", "other=x")
    given = ["--recipe=a", "--result", f"weight={tmp_path / 'w'}", "--", "--result", "weight=x"]
    assert parse(BAKE, given).array("notes") == ("--result", "weight=x")


def test_an_error_is_one_line_with_its_remedy_and_no_traceback(capsys):
    def burn(_: Arguments) -> Outcome:
        raise TaskError("file 'a\nb' is burnt", "lower the heat")

    assert run(BAKE, burn, ["--recipe=a"]) == 3
    assert capsys.readouterr().err == "bake: error: file 'a b' is burnt; lower the heat\n"


def test_a_traceback_is_shown_with_debug_but_not_because_the_script_has_an_argument_of_that_name(capsys):
    def burn(_: Arguments) -> Outcome:
        raise TaskError("burnt")

    run(BAKE, burn, ["--recipe=a", "--debug"])
    assert "Traceback" in capsys.readouterr().err
    run(BAKE, burn, ["--recipe=a", "--", "--debug"])
    assert "Traceback" not in capsys.readouterr().err


def test_a_fault_of_ours_is_exit_code_70(capsys):
    def stumble(_: Arguments) -> Outcome:
        return {}["nothing"]  # type: ignore[no-any-return]

    assert run(BAKE, stumble, ["--recipe=a"]) == 70
    assert "internal fault: KeyError" in capsys.readouterr().err


def test_an_orderly_no_has_its_own_exit_code_and_still_writes_results(tmp_path, capsys):
    no = Outcome({"weight": "0"}, exit_code=10, error="too light")
    assert run(BAKE, lambda _: no, ["--recipe=a", "--result", f"weight={tmp_path / 'w'}"]) == 10
    assert (tmp_path / "w").read_text() == "0"
    assert capsys.readouterr().err == "bake: error: too light\n"


@pytest.mark.parametrize(
    ("element", "message"),
    [("weight", "is not NAME=PATH"), ("height=/x", "names 'height', which bake does not give")],
)
def test_a_result_that_is_not_declared_is_refused(element, message):
    with pytest.raises(UsageError, match=message):
        parse(BAKE, ["--recipe=a", "--result", element])


def test_a_result_file_that_cannot_be_written_is_named(capsys):
    assert run(BAKE, lambda _: Outcome({}), ["--recipe=a", "--result", "weight=/nowhere/w"]) == 3
    assert "result weight can't be written to /nowhere/w" in capsys.readouterr().err


def test_version_tells_the_environment(capsys):
    with pytest.raises(SystemExit) as caught:
        parse(BAKE, ["--version"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("bake 1.2.3\nPython 3.")
    assert "  msgspec " in shown


def test_a_reader_that_goes_away_is_no_fault_of_ours():
    program = (
        "from taskkit.command_line import Outcome, Program, run, say; import sys\n"
        "def work(_):\n    for at in range(10_000): say('a line of the log')\n    return Outcome({})\n"
        "sys.exit(run(Program('talk', 'Talks.', '1', ()), work, []))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.close()
    error = process.stderr.read()
    assert process.wait(60) == 3
    assert error.startswith("talk: error: the output was closed before its end; ")
    assert len(error.splitlines()) == 1
