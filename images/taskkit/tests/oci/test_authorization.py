import base64
import json

import pytest

from taskkit.errors import UsageError
from taskkit.oci.authorization import parse_challenges, parse_token, read_docker_config
from taskkit.oci.registry import may_be_plain


def auth(text):
    return {"auth": base64.b64encode(text.encode()).decode()}


@pytest.fixture
def config(tmp_path):
    def make(document, name="config.json"):
        (tmp_path / name).write_text(document if isinstance(document, str) else json.dumps(document))
        return read_docker_config(tmp_path)

    return make


@pytest.mark.parametrize(("key", "registry", "repository"), [
    ("ghcr.io", "ghcr.io", "a/b"), ("https://ghcr.io", "ghcr.io", "a/b"), ("https://ghcr.io/v2/", "ghcr.io", "a/b"),
    ("https://index.docker.io/v1/", "docker.io", "library/x"), ("docker.io", "docker.io", "a/b"), ("ghcr.io/a", "ghcr.io", "a/b"),
    ("localhost:5000", "localhost:5000", "x"),
])  # fmt: skip
def test_entries_are_found_however_they_are_written(config, key, registry, repository):
    found = config({"auths": {key: auth("me:pass:word")}}).credentials(registry, repository)
    assert (found.username, found.password) == ("me", "pass:word")


def test_the_longest_path_wins_and_other_paths_do_not_match(config):
    read = config({"auths": {"ghcr.io": auth("a:1"), "ghcr.io/team": auth("b:1"), "ghcr.io/team/x": auth("c:1")}})
    assert [read.credentials("ghcr.io", path).username for path in ("other", "team/y", "team/x", "teamx")] == [
        "a",
        "b",
        "c",
        "a",
    ]
    assert read.credentials("quay.io", "team/x") is None


def test_kubernetes_writes_username_and_password(config):
    read = config({"auths": {"ghcr.io": {"username": "u", "password": "p", "email": "x"}}}, ".dockerconfigjson")
    assert read.credentials("ghcr.io", "a").basic == "Basic " + base64.b64encode(b"u:p").decode()


@pytest.mark.parametrize(("content", "message"), [
    ("{", "is no docker config file"), ('{"auths": []}', "is no docker config file"),
    ('{"auths": {"a": {"auth": "%%%"}}}', r"auths\['a'\] has an 'auth' that is not base64"),
    ('{"auths": {"a": {"auth": "YWJj"}}}', "without a colon"),
])  # fmt: skip
def test_a_wrong_file_is_named_and_its_secrets_are_not(config, content, message):
    with pytest.raises(UsageError, match=message) as error:
        config(content)
    assert "YWJj" not in str(error.value)


def test_an_empty_folder_is_an_error_and_an_empty_home_is_not(tmp_path):
    with pytest.raises(UsageError, match=r"holds neither config\.json nor \.dockerconfigjson"):
        read_docker_config(tmp_path)
    assert read_docker_config(None, {"HOME": str(tmp_path)}).entries == {}
    assert read_docker_config(None, {}).entries == {}
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker" / "config.json").write_text(
        json.dumps({"auths": {"a.io": auth("u:p")}, "credsStore": "desktop"})
    )
    read = read_docker_config(None, {"HOME": str(tmp_path)})
    assert read.credentials("a.io", "x").username == "u"
    assert read.helpers == {"*"}


def test_nothing_secret_is_in_a_repr(config):
    read = config({"auths": {"a.io": auth("u:hidden-password")}})
    assert "hidden-password" not in repr(read) + repr(read.credentials("a.io", "x"))


@pytest.mark.parametrize(("header", "expected"), [
    ('Bearer realm="https://a/t",service="s",scope="repository:a:pull,push"',
     [("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:a:pull,push"})]),
    ('Basic realm="x \\"y\\""', [("basic", {"realm": 'x "y"'})]),
    ("Bearer realm=https://a", [("bearer", {"realm": "https://a"})]),
    ('Basic realm="a", Bearer realm="b", service="c"', [("basic", {"realm": "a"}), ("bearer", {"realm": "b", "service": "c"})]),
    ('Negotiate, Basic realm="x"', [("negotiate", {}), ("basic", {"realm": "x"})]),
    ('SCRAM-SHA-256 realm="x", Basic realm="y"', [("scram-sha-256", {"realm": "x"}), ("basic", {"realm": "y"})]),
    ('Negotiate YWJj==, Bearer realm="b"', [("negotiate", {}), ("bearer", {"realm": "b"})]),
    ("Negotiate", [("negotiate", {})]), ("", []), ("=;,", []),
])  # fmt: skip
def test_challenges_are_read(header, expected):
    assert [(one.scheme, one.parameters) for one in parse_challenges([header])] == expected


@pytest.mark.parametrize(("answer", "value"), [
    ({"token": "a"}, "a"), ({"access_token": "b", "expires_in": 3600}, "b"), ({"token": "a", "expires_in": "60"}, "a"),
])  # fmt: skip
def test_tokens_are_read_and_used_until_shortly_before_their_end(answer, value):
    scopes = frozenset({"repository:a:pull"})
    token = parse_token(json.dumps(answer).encode(), scopes)
    assert token.value == value
    assert token.covers(scopes)
    assert not token.covers(scopes | {"repository:b:pull"})


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"token": ""}', b'{"token": 5'])
def test_answers_without_a_token_are_none(answer):
    assert parse_token(answer, frozenset()) is None


@pytest.mark.parametrize(("host", "plain"), [
    ("localhost", True), ("localhost:5000", True), ("127.0.0.1:5000", True), ("[::1]:5000", True), ("10.1.2.3", True),
    ("192.168.1.1:80", True), ("registry.kube-system.svc.cluster.local:5000", True), ("ghcr.io", False), ("8.8.8.8", False),
    ("localhost.example.com", False),
])  # fmt: skip
def test_only_near_addresses_may_speak_plain_http(host, plain):
    assert may_be_plain(host) is plain
