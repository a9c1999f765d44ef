import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.errors import UsageError
from taskkit.oci.references import LayoutReference, RegistryReference, parse_reference, parse_registry_reference

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(("text", "registry", "repository"), [
    ("python", "docker.io", "library/python"), ("team/image", "docker.io", "team/image"),
    ("docker.io/python", "docker.io", "library/python"), ("index.docker.io/a/b", "docker.io", "a/b"),
    ("localhost/a", "localhost", "a"), ("localhost:5000/a", "localhost:5000", "a"), ("ghcr.io/a/b/c", "ghcr.io", "a/b/c"),
    ("[::1]:5000/a", "[::1]:5000", "a"), ("10.0.0.1/a", "10.0.0.1", "a"), ("Host/a", "Host", "a"),
    ("a__b/c-d.e_f", "docker.io", "a__b/c-d.e_f"),
])  # fmt: skip
def test_names_are_normalized_as_docker_does(text, registry, repository):
    parsed = parse_registry_reference(text, "image")
    assert (parsed.registry, parsed.repository, parsed.tag, parsed.digest) == (registry, repository, "", "")


@pytest.mark.parametrize(("text", "part"), [
    ("ghcr.io/A", "repository 'A'"), ("ghcr.io/a//b", "repository 'a//b'"), ("ghcr.io/", "repository ''"), ("", "repository 'library/'"),
    ("ghcr.io/a:", "tag ''"), ("ghcr.io/a:-x", "tag '-x'"), ("ghcr.io/a:" + "x" * 129, "tag 'xxx"), ("a@sha256:12", "digest 'sha256:12'"),
    ("a@", "digest ''"), ("https://ghcr.io/a", "registry 'https:'"), ("ghcr.io/a b", "repository 'a b'"), ("ghcr.io/a_", "repository 'a_'"),
    ("-x.io/a", "registry '-x.io'"), ("ghcr.io/" + "a" * 256, "repository 'aaa"), ("ghcr.io/../a", "repository '../a'"),
    ("ghcr.io/a\n", "repository 'a\n'"), ("oci-layout:", "names no folder"), ("oci-layout:a:b c", "tag 'b c'"),
])  # fmt: skip
def test_what_is_wrong_in_a_name_is_named(text, part):
    with pytest.raises(UsageError) as error:
        parse_reference(text, "image")
    assert " ".join(part.split()) in str(error.value)
    assert str(error.value).startswith("image '")


@pytest.mark.parametrize(("text", "path", "tag"), [
    ("oci-layout:out", "out", ""), ("oci-layout:out:v1", "out", "v1"), ("oci-layout:/a:b/c", "/a:b/c", ""),
    ("oci-layout:/a:b/c:v1", "/a:b/c", "v1"), ("oci-layout:./x y", "./x y", ""),
])  # fmt: skip
def test_layouts_have_a_path_and_perhaps_a_tag(text, path, tag):
    assert parse_reference(text, "image") == LayoutReference(path, tag)
    assert parse_reference(f"{text}@{DIGEST}", "image") == LayoutReference(path, tag, DIGEST)


components = st.from_regex(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+){0,2}", fullmatch=True)
references = st.builds(
    RegistryReference,
    registry=st.sampled_from(["localhost", "ghcr.io", "localhost:5000", "10.1.2.3:80", "[::1]:5000", "a-b.c"]),
    repository=st.lists(components, min_size=1, max_size=4).map("/".join),
    tag=st.just("") | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    digest=st.just("") | st.just(DIGEST),
)


@given(references)
def test_what_is_written_is_read_again(reference):
    assert parse_registry_reference(str(reference), "image") == reference


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text):
    message = ""
    try:
        parsed = parse_reference(text, "image")
        assert parse_reference(str(parsed), "image") == parsed
    except UsageError as error:
        message = str(error)
    assert len(message.splitlines()) <= 1
