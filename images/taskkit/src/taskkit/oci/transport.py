"""HTTP for registries: retries within bounds, redirects, TLS, proxies. Knows no registry's paths and no tokens.

What is sent again: requests that met a broken connection, 408, 429 or 5xx, after a pause that doubles, or the one that
``Retry-After`` asks for. `Patience` bounds both the number of attempts and the sum of the pauses. Requests with a body
that streams are the caller's to send again.
"""

from __future__ import annotations

import email.utils
import ipaddress
import os
import random
import ssl
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError, LocationParseError, MaxRetryError, ProxyError, SSLError

from taskkit.errors import TaskError, UsageError

AGAIN = frozenset({408, 429, 500, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
REDIRECT_LIMIT = 5
ERROR_BODY_LIMIT = 64 << 10
BODY_SECONDS = 120.0
_TIMEOUT = urllib3.Timeout(connect=15, read=60)

Body = bytes | Iterable[bytes] | None
Response = urllib3.BaseHTTPResponse


@dataclass(frozen=True)
class Patience:
    """Attempts per request, pauses in seconds, and their sum that is never exceeded."""

    attempts: int = 6
    first: float = 0.5
    longest: float = 30.0
    total: float = 120.0
    sleep: Callable[[float], None] = time.sleep

    def pause(self, attempt: int, spent: float, asked: float | None) -> float | None:
        """Seconds to wait after the n-th failed attempt (from 1), None for giving up."""
        if attempt >= self.attempts:
            return None
        # Not a secret: keeps builds that failed together from coming back together.
        grown = min(self.longest, self.first * 2 ** (attempt - 1)) * random.uniform(0.75, 1.25)  # noqa: S311
        wanted = grown if asked is None else max(asked, 0.0)
        return wanted if spent + wanted <= self.total else None


class ConnectionFailedError(TaskError):
    """No answer, or one that broke off.

    ``tls``: the server may not speak TLS at all. ``settled``: it may, but a certificate or a proxy is in the way.
    """

    def __init__(self, problem: str, remedy: str, *, tls: bool = False, settled: bool = False) -> None:
        super().__init__(problem, remedy)
        self.tls = tls
        self.settled = settled


@dataclass(frozen=True)
class Call:
    """A request. ``secrets``: headers that only the host of ``url`` may see. ``streams``: hand the body out unread."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Body = None
    streams: bool = False

    def __str__(self) -> str:
        return f"{self.method} {shown(self.url)}"


def shown(url: str) -> str:
    """A URL without its query, which may hold signatures, and without user information."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"


class Transport:
    """Connections to any host, kept open. Safe to use from several threads."""

    def __init__(self, ca_directory: Path | None = None, patience: Patience | None = None) -> None:
        self.patience = patience or Patience()
        self._own_context = tls_context(ca_directory) if ca_directory else None
        self._pools: dict[tuple[str, bool], urllib3.PoolManager] = {}
        self.requests = 0
        """How many requests were sent so far."""

    def send(self, call: Call, *, retry: bool = True, statuses_again: frozenset[int] = AGAIN) -> Response:
        """The answer, of whatever status, redirects followed. Raises ConnectionFailedError."""
        retry = retry and not _streams(call.body)
        spent, attempt = 0.0, 0
        while True:
            attempt += 1
            failure: ConnectionFailedError | None = None
            asked = None
            try:
                response = self._follow(call)
                if not retry or response.status not in statuses_again:
                    return response
                asked = retry_after(response)
            except ConnectionFailedError as error:
                if not retry or error.tls:
                    raise
                failure = error
            pause = self.patience.pause(attempt, spent, asked)
            if pause is None:
                if failure:
                    raise failure
                return response
            if failure is None:
                drain(response)
            self.patience.sleep(pause)
            spent += pause

    def _follow(self, call: Call) -> Response:
        method, url, body, secrets = call.method, call.url, call.body, dict(call.secrets)
        for _ in range(REDIRECT_LIMIT + 1):
            response = self._once(method, url, {**call.headers, **secrets}, body)
            target = response.headers.get("Location")
            if response.status not in REDIRECTS or not target:
                return response
            if _streams(body) or (body and response.status not in (307, 308)):
                return response
            target = absolute(url, target)
            if urlsplit(url).scheme == "https" and urlsplit(target).scheme != "https":
                raise TaskError(f"{call} is redirected from https to {shown(target)}", "mend the registry's address")
            if origin(target) != origin(url):
                secrets = {}
            drain(response)
            url = target
        raise TaskError(f"{call} is redirected more than {REDIRECT_LIMIT} times", "mend the registry's address")

    def _once(self, method: str, url: str, headers: Mapping[str, str], body: Body) -> Response:
        self.requests += 1
        try:
            return self._pool(url).request(
                method,
                url,
                headers=dict(headers),
                body=body,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=_TIMEOUT,
            )
        except (LocationParseError, UnicodeError) as error:
            raise UsageError(f"'{shown(url)}' is no address ({error})", "mend the reference") from error
        except (HTTPError, OSError) as error:
            raise connection_failed(f"{method} {shown(url)}", error) from error

    def _pool(self, url: str) -> urllib3.PoolManager:
        proxy = proxy_for(url)
        secure = url.startswith("https:") or proxy.startswith("https:")
        if (proxy, secure) not in self._pools:
            options: dict[str, Any] = {"maxsize": 8, "num_pools": 16}
            if secure:
                options["ssl_context"] = self._context
            self._pools[proxy, secure] = proxy_pool(proxy, options) if proxy else urllib3.PoolManager(**options)
        return self._pools[proxy, secure]

    @cached_property
    def _context(self) -> ssl.SSLContext:
        """Reading the system's authorities takes as long as a request, and nothing in clear needs them."""
        return self._own_context or tls_context(None)


def pieces(response: Response) -> Iterator[bytes]:
    """A body of a few kilobytes as it comes. Raises TimeoutError where it takes longer than BODY_SECONDS as a whole.

    The timeout of a connection is one between two bytes, which a body that drips never meets.
    """
    until = time.monotonic() + BODY_SECONDS
    while piece := response.read1(1 << 16, decode_content=False):
        yield piece
        if time.monotonic() > until:
            raise TimeoutError


def drain(response: Response) -> None:
    """Reads what is left of an answer, so that its connection can be used again; gives it up where that takes long."""
    left = ERROR_BODY_LIMIT
    try:
        for piece in pieces(response):
            left -= len(piece)
            if left < 0:
                response.close()
                return
    except (HTTPError, OSError):
        response.close()
    finally:
        response.release_conn()


def _streams(body: Body) -> bool:
    return body is not None and not isinstance(body, bytes)


def absolute(base: str, given: str) -> str:
    """The address that a server gives, made whole. Raises TaskError, which does not show it: it may hold signatures."""
    try:
        url = urljoin(base, given)
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good:
        raise TaskError(f"{shown(base)} gives an address that can't be read", "mend the registry's address")
    return url


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: who sees what is sent there."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or {"https": 443}.get(parts.scheme, 80)


def connection_failed(what: str, error: Exception) -> ConnectionFailedError:
    """One line about what urllib3 or the system raised, with the remedy that fits."""
    cause: BaseException = error
    while isinstance(cause, MaxRetryError) and cause.reason:
        cause = cause.reason
    text = " ".join(str(cause).split())
    text = text.partition(">: ")[2] or text
    if isinstance(cause, SSLError) or isinstance(cause.__cause__, ssl.SSLError):
        if "CERTIFICATE_VERIFY_FAILED" in text:
            return ConnectionFailedError(
                f"{what} failed: the certificate is not trusted ({text})",
                "bind the workspace ssl-ca-directory with the authority's certificate",
                settled=True,
            )
        return ConnectionFailedError(
            f"{what} failed: {text}", "if the registry speaks plain HTTP, name it in insecure-registries", tls=True
        )
    if isinstance(cause, ProxyError):
        return ConnectionFailedError(
            f"{what} failed at the proxy: {text}", "check HTTP_PROXY, HTTPS_PROXY and NO_PROXY", settled=True
        )
    return ConnectionFailedError(f"{what} failed: {text}", "check that the registry is up and can be reached from here")


def retry_after(response: Response) -> float | None:
    """Seconds that ``Retry-After`` asks for, as a number or as a date."""
    value = response.headers.get("Retry-After", "").strip()
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, (email.utils.parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def tls_context(ca_directory: Path | None) -> ssl.SSLContext:
    """The system's authorities and those in a folder (PEM files, entries that start with a dot ignored).

    Raises UsageError.
    """
    context = ssl.create_default_context()
    if ca_directory is None:
        return context
    files = sorted(path for path in ca_directory.glob("*") if not path.name.startswith(".") and path.is_file())
    if not files:
        raise UsageError(
            f"ssl-ca-directory {ca_directory} holds no file", "put the authority's certificate there, in PEM"
        )
    for path in files:
        try:
            context.load_verify_locations(cafile=path)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"ssl-ca-directory: {path} holds no certificate in PEM ({error})", "mend or remove it"
            ) from error
    return context


def proxy_for(url: str) -> str:
    """The proxy that the environment names for a URL (``HTTPS_PROXY``, ``NO_PROXY`` …, either case), or ''.

    Addresses in ``NO_PROXY`` may be networks, as Kubernetes writes them.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    bypassed: bool = urllib.request.proxy_bypass_environment(parts.netloc.rpartition("@")[2])  # type: ignore[attr-defined]
    if bypassed or _in_no_proxy_network(host):
        return ""
    found = urllib.request.getproxies_environment().get(parts.scheme, "")
    return found if "://" in found or not found else f"http://{found}"


def _in_no_proxy_network(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(","):
        try:
            if address in ipaddress.ip_network(entry.strip(), strict=False):
                return True
        except ValueError:
            continue
    return False


def proxy_pool(proxy: str, options: dict[str, Any]) -> urllib3.PoolManager:
    parts = urlsplit(proxy)
    headers = None
    if parts.username:
        headers = urllib3.make_headers(proxy_basic_auth=f"{parts.username}:{parts.password or ''}")
    return urllib3.ProxyManager(f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}", proxy_headers=headers, **options)
