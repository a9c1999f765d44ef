import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskkit.canonical import canonical_json, digest_of, hash_stream, is_json_object

documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children) | st.dictionaries(st.text(), children),
)


@given(documents)
def test_reading_and_writing_again_gives_the_same_bytes(document):
    content = canonical_json(document)
    assert canonical_json(json.loads(content)) == content


@given(st.dictionaries(st.text(), st.integers()))
def test_the_order_of_keys_does_not_matter(document):
    assert canonical_json(dict(reversed(document.items()))) == canonical_json(document)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(number):
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json({"x": number})


@given(st.binary(max_size=10_000))
def test_a_stream_has_the_digest_and_size_of_its_bytes(content):
    sha256, size = hash_stream(io.BytesIO(content))
    assert (f"sha256:{sha256}", size) == (digest_of(content), len(content))


@pytest.mark.parametrize(
    ("content", "ours"),
    [(b'{"a": 1, "b": 2, "c": 3}', True), (b'{"a": 1}', False), (b'["a", "b"]', False), (b"", False), (b"\xff", False),
     (b"[" * 100_000, False), (None, False)],
    ids=["with more", "without one", "a list", "empty", "no text", "too deep", "not there"],
)  # fmt: skip
def test_a_json_object_is_known_by_its_keys(tmp_path, content, ours):
    file = tmp_path / "document.json"
    if content is not None:
        file.write_bytes(content)
    assert is_json_object(file, {"a", "b"}) is ours
