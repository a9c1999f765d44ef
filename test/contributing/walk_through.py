"""What a contributor makes of a new task: it counts lines, and then may skip blank ones."""

NAME, PACKAGE = "row-counter", "row_counter"


def give_it_logic(checkout):
    """A choice whether blank lines count, with its test."""
    package = f"images/{NAME}/src/{PACKAGE}"
    checkout.change(f"{package}/line_count.py", "def count_lines(path: Path) -> int:", "def count_lines(path: Path, blank: bool) -> int:")  # fmt: skip
    checkout.change(
        f"{package}/line_count.py",
        'len(path.read_text(encoding="utf-8").splitlines())',
        'sum(blank or bool(line.strip()) for line in path.read_text(encoding="utf-8").splitlines())',
    )
    checkout.change(
        f"{package}/command.py",
        '    options=(Option("file", "The text file, a path in the workspace.", required=True),),\n',
        '    options=(\n        Option("file", "The text file, a path in the workspace.", required=True),\n'
        '        Option("blank", "Whether blank lines `count` or not: `skip`.", "count", choices=("count", "skip")),\n'
        "    ),\n",
    )
    checkout.change(f"{package}/command.py", "count_lines(path)", 'count_lines(path, arguments["blank"] == "count")')
    with (checkout.root / "images" / NAME / "tests" / "test_command.py").open("a") as tests:
        tests.write(
            "\n\ndef test_blank_lines_can_be_skipped(run):\n"
            '    assert run("--file=data", "--blank=skip", data="a\\n \\nb\\n") == (0, "2", "")\n'
        )


def declare_it(checkout):
    """The param, and a run that must fail for its sake."""
    manifest = f"task/{NAME}/0.1/{NAME}.yaml"
    checkout.change(
        manifest,
        "      type: string\n  results:",
        "      type: string\n    - name: blank\n      description: |\n        Whether blank lines `count` or not: `skip`.\n"
        '      type: string\n      default: "count"\n  results:',
    )
    checkout.change(manifest, "        - --result\n", "        - --blank=$(params.blank)\n        - --result\n")
    folder = checkout.root / "task" / NAME / "0.1" / "tests" / "must-fail"
    run = (folder / "file-missing.yaml").read_text()
    for old, new in (
        ("file-missing", "wrong-choice"),
        ('exit-code: "3"', 'exit-code: "2"'),
        ("file data/missing.csv can't be read", "--blank is 'perhaps'; it takes one of: count, skip"),
        ("      value: data/missing.csv\n", "      value: data/iris.csv\n    - name: blank\n      value: perhaps\n"),
    ):
        assert old in run
        run = run.replace(old, new)
    (folder / "wrong-choice.yaml").write_text(run)
