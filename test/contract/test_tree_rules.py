"""What holds for any file of the tree: links, names, sizes, places, locks."""

from catalog.checks import links, locks, text_rules


def test_links_to_missing_files_and_headings_are_found_and_code_is_left_alone(files):
    root = files(**{
        "a.md": "# One two: `three`\n[x](b.md) [y](b.md#there) [z](#one-two-three) [w](https://example.com)\n"
                "[gone](c.md)\n[nowhere](b.md#here)\n```\n[code](d.md)\n```\n`[code](e.md)` ![i](pic.svg)\n",
        "b.md": "## There\n# Twice\n# Twice\n[second](#twice-1) [third](#twice-2)\n",
    })  # fmt: skip
    assert [(one.position.file, one.position.line, one.message) for one in links.findings(root)] == [
        ("a.md", 3, "there is no 'c.md'"),
        ("a.md", 4, "'b.md' has no heading '#here'"),
        ("a.md", 8, "there is no 'pic.svg'"),
        ("b.md", 4, "'b.md' has no heading '#twice-2'"),
    ]


def test_long_modules_vague_names_machine_paths_and_index_addresses_are_found(files):
    home = "/home" + "/somebody/"
    root = files(
        **{
            "a/long.py": "x = 1\n" * 401,
            "a/string_utils.py": "class StepManager:\n    pass\n",
            "a/notes.txt": f"see {home}notes\n",
            "a/tools.lock": "--index-url https://" + "example.com/simple\na==1\n",
            "a/commonly.py": "class Uncommon:\n    pass\n",
        }
    )
    assert {(one.position.file, one.rule) for one in text_rules.findings(root)} == {
        ("a/long.py", "module-size"),
        ("a/string_utils.py", "vague-name"),
        ("a/notes.txt", "machine-path"),
        ("a/tools.lock", "index-address"),
    }
    assert {one.position.line for one in text_rules.findings(root) if "StepManager" in one.message} == {1}


def test_a_lock_that_lacks_or_contradicts_what_is_declared_is_found(tmp_path, monkeypatch):
    tools, program = tmp_path / "tools.lock", tmp_path / "program.lock"
    tools.write_text("numpy==2.4.1 \\\n    --hash=sha256:00\npyyaml==6.0.3 \\\n", encoding="utf-8")
    program.write_text("numpy==2.4.0 \\\n    --hash=sha256:00\n", encoding="utf-8")
    monkeypatch.setattr(locks, "TOOLS", tools)
    monkeypatch.setattr(locks, "declared", lambda: {tools: ["numpy>=3"], program: ["numpy", "PyYAML>=6"]})
    assert [(one.position.file, one.message) for one in locks.findings(tmp_path)] == [
        ("tools.lock", "numpy 2.4.1 does not satisfy 'numpy>=3'"),
        ("program.lock", "it does not hold PyYAML, which is declared"),
        ("program.lock", "numpy 2.4.0 is not what tools.lock has (2.4.1)"),
    ]
