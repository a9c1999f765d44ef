"""Text to HTML: Markdown in descriptions, colours in snippets."""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup, escape
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

_MARKDOWN = MarkdownIt("commonmark", {"html": False}).enable("table")
_FORMATTER: HtmlFormatter[str] = HtmlFormatter(nowrap=True)


def inline(text: str) -> Markup:
    """A line of Markdown."""
    return Markup(_MARKDOWN.renderInline(" ".join(text.split())))  # noqa: S704 - it escapes what is no Markdown


def markdown(text: str) -> Markup:
    """Paragraphs of Markdown."""
    return Markup(_MARKDOWN.render(text))  # noqa: S704 - it escapes what is no Markdown


def shown(value: Any) -> str:
    """A param's default as it would be written in YAML."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def highlighted(text: str, language: str, placeholder: str) -> Markup:
    """A block of code; what the pages' script fills in is marked."""
    html = highlight(text.rstrip("\n"), get_lexer_by_name(language), _FORMATTER).rstrip("\n")
    marked = str(escape(placeholder))
    html = html.replace(marked, f'<span class="hub">{marked}</span>')
    kind = "snippet wraps" if language in {"bash", "text"} else "snippet"  # what is copied stays one line
    return Markup(f'<div class="{kind}"><pre tabindex="0"><code>{html}</code></pre></div>')  # noqa: S704 - escaped


@dataclass(frozen=True)
class Section:
    """A part of a page in Markdown, below a heading of the second level."""

    id: str
    title: str
    html: Markup


def sections(text: str, base: str, without: Collection[str] = ()) -> Iterator[Section]:
    """The parts of a Markdown page below headings, some left out; relative links lead to below ``base`` then."""
    tokens = _MARKDOWN.parse(text)
    _absolute(tokens, base)
    starts = [at for at, token in enumerate(tokens) if token.type == "heading_open" and token.tag == "h2"]
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        title = tokens[start + 1].content
        if title in without:
            continue
        html = _MARKDOWN.renderer.render(tokens[start + 3 : end], _MARKDOWN.options, {})
        yield Section(re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"), title, Markup(html))  # noqa: S704


def page_of_markdown(text: str, base: str) -> Markup:
    """A whole page without its title."""
    tokens = _MARKDOWN.parse(text)
    _absolute(tokens, base)
    if tokens and tokens[0].type == "heading_open" and tokens[0].tag == "h1":
        tokens = tokens[3:]
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = "h3"  # below the heading that the page gives it
    return Markup(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {}))  # noqa: S704


def _absolute(tokens: list[Token], base: str) -> None:
    for token in (inner for outer in tokens for inner in (outer.children or ())):
        name = {"link_open": "href", "image": "src"}.get(token.type, "")
        address = str(token.attrGet(name) or "") if name else ""
        if address and not re.match(r"[a-z]+:|#|/", address):
            scheme, _, path = base.partition("://")
            token.attrSet(name, f"{scheme}://{posixpath.normpath(posixpath.join(path, address))}")
