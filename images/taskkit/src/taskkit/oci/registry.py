"""A registry host: which scheme it speaks, what it wants for credentials, and who gets to see them."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlencode, urlsplit

import msgspec
from urllib3.exceptions import HTTPError

from taskkit.errors import TaskError
from taskkit.oci.authorization import DockerConfig, Token, parse_challenges, parse_token
from taskkit.oci.references import DOCKER_HUB
from taskkit.oci.transport import (
    ERROR_BODY_LIMIT,
    Call,
    ConnectionFailedError,
    Response,
    Transport,
    absolute,
    drain,
    origin,
    pieces,
    shown,
)

_HUB_HOST = "registry-1.docker.io"
StreamBody = Callable[[], Iterable[bytes]]


class RefusedError(TaskError):
    """The registry answered with an error. ``status`` is the HTTP status, ``codes`` its error codes."""

    def __init__(self, problem: str, remedy: str, status: int, codes: tuple[str, ...]) -> None:
        super().__init__(problem, remedy)
        self.status = status
        self.codes = codes


class Registry:
    """One host: which scheme it speaks, and what it wants for credentials."""

    def __init__(self, host: str, transport: Transport, config: DockerConfig, *, plain: bool = False) -> None:
        self.host = host
        self.transport = transport
        self._config = config
        self._address = _HUB_HOST if host == DOCKER_HUB else host
        self._scheme = "http" if plain else ("" if may_be_plain(host) else "https")
        self._lock = threading.RLock()
        self._basic = False
        self._realm: Mapping[str, str] = {}
        self._tokens: list[Token] = []
        self._wanted: frozenset[str] = frozenset()

    def want(self, scopes: Iterable[str]) -> None:
        """Announces scopes that will be needed, so that one token serves them all."""
        with self._lock:
            self._wanted |= frozenset(scopes)

    def url(self, path: str) -> str:
        with self._lock:
            if not self._scheme:
                self._scheme = self._try_schemes()
        return f"{self._scheme}://{self._address}{path}"

    def _try_schemes(self) -> str:
        """Loopback and private addresses: TLS first, plain HTTP where nothing there speaks TLS."""
        try:
            drain(self.transport.send(Call("GET", f"https://{self._address}/v2/"), retry=False))
        except ConnectionFailedError as error:
            if error.settled:  # else whoever stands in between could have credentials sent in clear
                raise
            return "http"
        return "https"

    def send(
        self,
        method: str,
        target: str,
        scopes: frozenset[str],
        headers: Mapping[str, str] | None = None,
        body: bytes | StreamBody | None = None,
        *,
        retry: bool = True,
    ) -> Response:
        """The answer to a request for a path of this registry, or for a URL that it gave; 401 is answered once.

        Credentials go to this registry's own address only. Raises TaskError.
        """
        url = self.url(target) if target.startswith("/") else target
        # A mount reads a neighbour, but is asked for as one who may push here.
        repository = max(scopes, key=lambda scope: (scope.endswith("push"), scope)).split(":")[1]
        own = origin(url) == origin(self.url("/"))
        for again in (True, False):
            secrets = self._secrets(scopes, repository) if own else {}
            content = body() if callable(body) else body
            response = self.transport.send(Call(method, url, headers or {}, secrets, content), retry=retry)
            if response.status != 401 or not own or not again:
                return response
            if not self._answer(response, secrets, scopes, repository):
                return response
            drain(response)
        raise AssertionError("unreachable")

    def _secrets(self, scopes: frozenset[str], repository: str) -> dict[str, str]:
        credentials = self._config.credentials(self.host, repository)
        with self._lock:
            if self._basic and credentials:
                return {"Authorization": credentials.basic}
            if credentials and credentials.registry_token:
                return {"Authorization": f"Bearer {credentials.registry_token}"}
            if self._realm:
                token = next((token for token in self._tokens if token.covers(scopes)), None)
                token = token or self._fetch_token(scopes, repository)
                return {"Authorization": f"Bearer {token.value}"}
            return {}

    def _answer(self, response: Response, sent: Mapping[str, str], scopes: frozenset[str], repository: str) -> bool:
        """Learns from a 401 what is wanted; False where there is nothing new to offer."""
        challenges = parse_challenges(response.headers.getlist("WWW-Authenticate"))
        bearer = next(
            (one.parameters for one in challenges if one.scheme == "bearer" and "realm" in one.parameters), None
        )
        with self._lock:
            if bearer is not None:
                used = sent.get("Authorization", "").removeprefix("Bearer ")
                self._tokens = [token for token in self._tokens if token.value != used]
                self._realm = bearer
                if not any(token.covers(scopes) for token in self._tokens):
                    self._fetch_token(scopes, repository)
                return True
            has_basic = any(one.scheme == "basic" for one in challenges)
            if has_basic and not self._basic and self._config.credentials(self.host, repository):
                self._basic = True
                return True
            return False

    def _fetch_token(self, scopes: frozenset[str], repository: str) -> Token:
        """Asks the token service for all announced scopes, and where it refuses those together, for the needed ones."""
        for wanted in dict.fromkeys((scopes | self._wanted, scopes)):
            response = self.transport.send(self._token_call(wanted, repository))
            content = read_some(response, ERROR_BODY_LIMIT)
            if response.status == 200 and (token := parse_token(content, wanted)):
                self._tokens.append(token)
                return token
        realm = shown(absolute(self.url("/"), self._realm["realm"]))
        raise self.refused(response, content, f"log in at {realm}", repository)

    def _token_call(self, scopes: frozenset[str], repository: str) -> Call:
        realm = absolute(self.url("/"), self._realm["realm"])
        if self._scheme == "https" and urlsplit(realm).scheme != "https":
            raise TaskError(
                f"{self.host} wants the credentials sent to {shown(realm)} in clear", "mend the registry's realm"
            )
        credentials = self._config.credentials(self.host, repository)
        query = [("service", self._realm["service"])] if "service" in self._realm else []
        if credentials and credentials.identity_token:
            form = [
                *query,
                ("grant_type", "refresh_token"),
                ("refresh_token", credentials.identity_token),
                ("client_id", "sklearn-catalog"),
                ("scope", " ".join(sorted(scopes))),
            ]
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            return Call("POST", realm, headers, body=urlencode(form).encode())
        query += [("scope", scope) for scope in sorted(scopes)]
        secrets = {}
        if credentials:
            query.append(("account", credentials.username))
            secrets = {"Authorization": credentials.basic}
        return Call("GET", f"{realm}{'&' if '?' in realm else '?'}{urlencode(query)}", secrets=secrets)

    def refused(self, response: Response, content: bytes, what: str, repository: str) -> RefusedError:
        """One line about an answer that is no success."""
        codes, told = _errors(content)
        problem = f"{self.host} could not {what}: {response.status}{f' {told}' if told else ''}"
        return RefusedError(problem, self._remedy(response.status, repository), response.status, codes)

    def _remedy(self, status: int, repository: str) -> str:
        credentials = self._config.credentials(self.host, repository)
        if status in (401, 403):
            if credentials:
                return f"it refused the credentials of {self._config.where}; use an account that may do this"
            if self._config.helpers & {"*", self.host}:
                return (
                    f"{self._config.where} leaves the credentials to a helper, which is not run; write them as 'auths'"
                )
            return f"there are no credentials for {self.host}; bind the workspace dockerconfig"
        if status == 404:
            return "check the name; some registries want a repository to be made first"
        if status == 429 or status >= 500:
            return "the registry is busy or broken; run again later"
        return "check the image's name and the registry"


def read_some(response: Response, limit: int) -> bytes:
    """Up to ``limit`` bytes of an answer's body; what broke off counts as ended."""
    found = b""
    try:
        for piece in pieces(response):
            found += piece
            if len(found) >= limit:
                break
    except (HTTPError, OSError):
        return found[:limit]
    finally:
        response.release_conn()
    return found[:limit]


class _ErrorItem(msgspec.Struct, frozen=True):
    code: str = ""
    message: str = ""


class _ErrorBody(msgspec.Struct, frozen=True):
    errors: tuple[_ErrorItem, ...] = ()
    details: str = ""


def _errors(content: bytes) -> tuple[tuple[str, ...], str]:
    """(codes, text) of an error body as the distribution-spec has it."""
    try:
        body = msgspec.json.decode(content, type=_ErrorBody)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return (), ""
    told = "; ".join(" ".join(f"{item.code} {item.message}".split()) for item in body.errors) or body.details
    return tuple(item.code for item in body.errors), told[:300]


def may_be_plain(host: str) -> bool:
    """Loopback and private addresses and ``.local`` names, as go-containerregistry takes them."""
    name = urlsplit(f"//{host}").hostname or ""
    if name == "localhost" or name.endswith((".localhost", ".local")):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    return address.is_loopback or address.is_private
