"""Pages for people, from the same plan as the hub: a start page with search, a page for each Task, Pipeline, version.

Static, without a framework and without anything from elsewhere; what scripts add is convenience.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from catalog.releasing.hub_tree import packages
from catalog.releasing.markup import highlighted, inline, markdown, shown
from catalog.releasing.objects import CATALOG, DESCRIPTION, KINDS, SOURCE
from catalog.releasing.page import HUB, Page
from catalog.releasing.planning import Plan

_PAGES = Path(__file__).parent / "pages"


def site_files(plan: Plan) -> dict[str, bytes]:
    """Path below the hub's root → content."""
    templates = _templates(plan)
    every = [[Page(one, plan, versions) for one in versions] for versions in packages(plan)]
    files = {
        "index.html": _start(templates, plan, [pages[0] for pages in every]),
        "404.html": templates.get_template("missing.html.jinja").render(),
        ".nojekyll": "",
        "assets/site.css": (_PAGES / "site.css").read_text(encoding="utf-8"),
        "assets/site.js": (_PAGES / "site.js").read_text(encoding="utf-8"),
    }
    for pages in every:
        files[f"{pages[0].folder}/index.html"] = _page(templates, pages[0], "../../")
        for page in pages:
            files[f"{page.path}index.html"] = _page(templates, page, "../../../")
    return {name: text.encode() for name, text in files.items()}


def _templates(plan: Plan) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_PAGES),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    hub = plan.record.hub_url or HUB

    def snippet(text: str, language: str) -> str:
        return highlighted(text.replace(HUB, hub), language, HUB)

    environment.filters |= {"inline": inline, "markdown": markdown, "shown": shown, "snippet": snippet}
    environment.globals |= {
        "catalog": CATALOG,
        "description": DESCRIPTION,
        "source_url": SOURCE,
        "release": plan.record,
        "everything": plan.everything,
    }
    return environment


def _start(templates: Environment, plan: Plan, pages: list[Page]) -> str:
    groups = [
        {"id": f"{kind.lower()}s", "title": f"{kind}s", "pages": [page for page in pages if page.kind == kind]}
        for kind in KINDS
    ]
    task = next((page.name for page in pages if page.kind == "Task"), "NAME")
    hub_snippets = {
        "tkn": f"export ARTIFACT_HUB_API_SERVER={HUB}\ntkn hub install task {task} --from {CATALOG}",
        "config": _resolver_config(),
    }
    return templates.get_template("start.html.jinja").render(
        title=f"{CATALOG}: {DESCRIPTION}",
        about=DESCRIPTION,
        root="./",
        groups=[group for group in groups if group["pages"]],
        hub_snippets=hub_snippets,
        plan=plan,
    )


def _resolver_config() -> str:
    urls = f"- {HUB}\\n- https://artifacthub.io\\n"
    where = "-n tekton-pipelines-resolvers configmap hubresolver-config"
    return f'kubectl patch {where} --type merge -p \'{{"data": {{"artifact-hub-urls": "{urls}"}}}}\''


def _page(templates: Environment, page: Page, root: str) -> str:
    sections: list[tuple[str, str, Any]] = [
        ("steps", "Tasks", page.calls),
        ("params", "Params", page.params),
        ("workspaces", "Workspaces", page.workspaces),
        ("results", "Results", page.results),
        ("samples", "Samples", page.samples),
        *((note.id, note.title, True) for note in page.notes),
        ("changes", "Changes", page.changelog),
        ("digests", "Digests", True),
    ]
    return templates.get_template("object.html.jinja").render(
        title=f"{page.name} {page.full_version} · {CATALOG}",
        about=page.summary,
        root=root,
        page=page,
        sections=sections,
    )
