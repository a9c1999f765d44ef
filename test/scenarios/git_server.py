"""A git server in the cluster: one repository by smart HTTP, and commits made from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from team import HARDENED, PROJECT, Team, packed

SERVE = """
from dulwich.repo import Repo
from dulwich.server import DictBackend
from dulwich.web import WSGIRequestHandlerLogger, WSGIServerLogger, make_server, make_wsgi_chain

repository = Repo.init_bare("/repositories/iris.git", mkdir=True)
repository.refs.set_symbolic_ref(b"HEAD", b"refs/heads/main")
served = make_wsgi_chain(DictBackend({"/iris.git": repository}))
make_server("", 8080, served, handler_class=WSGIRequestHandlerLogger, server_class=WSGIServerLogger).serve_forever()
"""
COMMIT = """
import sys, tarfile, tempfile
from dulwich import porcelain

message, branch = sys.argv[1:]
with tempfile.TemporaryDirectory() as folder:
    tarfile.open(fileobj=sys.stdin.buffer, mode="r|").extractall(folder)
    work = porcelain.init(folder)
    work.refs.set_symbolic_ref(b"HEAD", b"refs/heads/" + branch.encode())
    try:
        fetched = porcelain.fetch(work, "/repositories/iris.git", quiet=True).refs
    except Exception:
        fetched = {}
    if head := fetched.get(b"refs/heads/" + branch.encode()):
        work.refs[b"HEAD"] = head
    porcelain.add(work)
    who = b"Ada <ada@example.com>"
    commit = porcelain.commit(work, message=message.encode(), author=who, committer=who)
    porcelain.push(work, "/repositories/iris.git", b"refs/heads/" + branch.encode(), quiet=True)
    print(commit.decode())
"""


@dataclass(frozen=True)
class GitServer:
    team: Team
    url: str

    def commit(self, message: str, files: Mapping[str, str], branch: str = "main") -> str:
        """The project iris with these files in it or in place of its own, as the next commit of a branch; gives its id."""
        code = self.team.python(COMMIT, message, branch, stdin=packed(PROJECT, files), pod="git")
        return code.strip()


def start(team: Team) -> GitServer:
    """In the team's own namespace, under its own rules."""
    container = {
        "name": "git",
        "image": team.stage.images["sklearn-train"],
        "command": ["python3", "-c", SERVE],
        "env": [{"name": "HOME", "value": "/tmp"}],
        "readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "securityContext": HARDENED,
        "volumeMounts": [{"name": name, "mountPath": f"/{name}"} for name in ("repositories", "tmp")],
    }
    spec = {
        "securityContext": team.identity.security_context(),
        "containers": [container],
        "volumes": [{"name": name, "emptyDir": {}} for name in ("repositories", "tmp")],
        "terminationGracePeriodSeconds": 0,
    }
    metadata = {"name": "git", "labels": {"app": "git"}}
    service = {"selector": {"app": "git"}, "ports": [{"port": 80, "targetPort": 8080}]}
    team.apply(
        {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "git"}, "spec": service},
    )
    team.ready("pod/git")
    return GitServer(team, f"http://git.{team.kubectl.namespace}.svc/iris.git")
