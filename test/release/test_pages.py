"""The hub's pages in a real browser: found, read, copied; on a phone, in the dark, without scripts."""

import re
import shutil
from itertools import pairwise
from urllib.parse import urljoin, urlsplit

import pytest

from catalog.releasing.verifying import served

playwright = pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module")
def browser():
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if not program:
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as run:
        browser = run.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(released):
    with served(released.out / "hub") as hub:
        yield hub.url


@pytest.fixture(scope="module")
def tabs(browser, site):
    """A tab for each way of looking, opened once; with what it complained of, or asked somebody else for."""
    opened, complaints = {}, []

    def tab(options):
        if repr(options) not in opened:
            page = opened[repr(options)] = browser.new_context(**options).new_page()
            page.on("console", lambda message: complaints.append(message.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on(
                "request", lambda request: request.url.startswith((site, "data:")) or complaints.append(request.url)
            )
            page.on(
                "response",
                lambda response: response.status < 400 or complaints.append(f"{response.status} {response.url}"),
            )
        return opened[repr(options)]

    return tab, complaints


@pytest.fixture
def open_page(tabs, site):
    """Opens a page; whatever it complains of, or asks somebody else for, fails the test."""
    tab, complaints = tabs

    def open_page(path="/", **options):
        page = tab({"viewport": {"width": 1280, "height": 900}} | options)
        page.goto(site + path)
        return page

    yield open_page
    told, complaints[:] = list(complaints), []
    assert told == []


PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
PAGES = ["/", "/task/sklearn-train/", "/task/model-serve-build/0.1/", "/pipeline/clone-train-gate-build/0.1/"]


def cards(page):
    return [card.inner_text() for card in page.locator(".card:visible h3").all()]


def test_the_search_finds_by_name_tag_param_and_result_and_its_address_can_be_shared(open_page, site):
    page = open_page()
    assert len(cards(page)) == 5
    found = {
        "quality-gate": 1,
        "scikit-learn": 5,
        "hyperparameters": 3,
        "image_digest": 3,
        "pip-config": 3,
        "pipeline mlops": 2,
    }
    for words, count in found.items():
        page.get_by_label("Search").fill(words)
        assert len(cards(page)) == count, words
    assert page.get_by_role("status").inner_text() == "2 of 5"
    page.get_by_label("Search").fill("quality-gate")
    assert cards(page) == ["metric-gate"]
    assert not page.get_by_role("heading", name="Pipelines").is_visible()
    assert page.url == f"{site}/?q=quality-gate"
    page.get_by_label("Search").press("Enter")
    page.wait_for_url(f"{site}/task/metric-gate/0.1/")
    assert cards(open_page("/?q=quality-gate")) == ["metric-gate"]


def test_a_search_without_a_hit_says_so(open_page):
    page = open_page()
    page.keyboard.press("/")
    page.keyboard.type("no such thing")
    assert cards(page) == []
    assert page.get_by_role("status").inner_text().startswith("Nothing has all of these words")


def test_a_tag_leads_to_what_else_has_it(open_page, site):
    page = open_page("/task/metric-gate/0.1/")
    page.get_by_role("link", name="quality-gate").click()
    page.wait_for_url(re.compile(r"\?q=quality-gate"))
    assert cards(page) == ["metric-gate"]


def test_a_tasks_page_tells_everything_of_it(open_page, released):
    page = open_page("/task/sklearn-train/0.1/")
    text = page.inner_text("main")
    for part in ("hyperparameters", "pip-config", "model-digest", "dataset-sha256", "train.yaml", "linux/amd64"):
        assert part in text
    for digest in (
        released.bundle("Task", "sklearn-train"),
        next(one["reference"] for one in released.record["images"] if one["program"] == "sklearn-train"),
    ):
        assert digest in text
    assert page.locator("#errors").count() == 1
    default = page.locator("#param-script .default").inner_text()
    assert default == "Default: src/train.py"
    assert "The first one." in open_page("/task/metric-gate/0.1/").inner_text("main")


def test_each_way_of_use_is_one_click_away_and_names_this_hub(open_page, site, released):
    page = open_page("/task/metric-gate/0.1/")
    assert (
        f"ARTIFACT_HUB_API_SERVER={site}\ntkn hub install task metric-gate --from sklearn-catalog --version 0.1.0"
        in page.locator(".way:visible code").last.inner_text()
    )
    page.get_by_text("Hub resolver", exact=True).click()
    assert f"value: {site}" in page.locator(".way:visible pre").inner_text()
    page.get_by_text("Bundles", exact=True).click()
    assert released.bundle("Task", "metric-gate") in page.locator(".way:visible pre").inner_text()
    page.get_by_text("kubectl", exact=True).click()
    command = page.locator(".way:visible pre").inner_text()
    assert (
        page.request.get(command.split()[-1]).text()
        == (released.out / "yaml/task/metric-gate/0.1/metric-gate.yaml").read_text()
    )
    assert open_page("/pipeline/train-gate-build/").get_by_text("tkn", exact=True).count() == 0


def test_ways_can_be_chosen_with_the_keyboard(open_page):
    page = open_page("/task/metric-gate/0.1/")
    page.locator("#way-tkn").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#way-hub").is_checked()
    assert "resolver: hub" in page.locator(".way:visible pre").inner_text()


def test_a_snippet_is_copied_whole(open_page, site):
    page = open_page("/task/metric-gate/0.1/", permissions=["clipboard-read", "clipboard-write"])
    page.locator(".way:visible .snippet").hover()
    page.locator(".way:visible .copy").click()
    page.get_by_text("Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == (
        f"export ARTIFACT_HUB_API_SERVER={site}\ntkn hub install task metric-gate --from sklearn-catalog --version 0.1.0"
    )


@pytest.mark.parametrize("path", PAGES)
def test_nothing_is_wider_than_a_phone(open_page, path):
    page = open_page(path, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    tall = page.locator(".top").bounding_box()["height"]
    assert tall < 64
    size = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
    assert size >= 16


CONTRAST = """() => {
  const channel = (value) => { value /= 255; return value <= .03928 ? value / 12.92 : ((value + .055) / 1.055) ** 2.4; };
  const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (color) => { const [r, g, b] = numbers(color).map(channel); return .2126 * r + .7152 * g + .0722 * b; };
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const color = getComputedStyle(element).backgroundColor, parts = numbers(color);
      if (parts.length < 4 || parts[3] > 0) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const poor = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({ opacityProperty: true })) continue;
    const [one, two] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
    const ratio = (one + .05) / (two + .05);
    if (ratio < 4.5) poor.push(`${ratio.toFixed(2)} ${element.className || element.tagName}: ${walker.currentNode.data.trim().slice(0, 30)}`);
  }
  return [...new Set(poor)];
}"""


@pytest.mark.parametrize("path", PAGES)
def test_text_can_be_read_by_day_and_by_night(open_page, path):
    page = open_page(path)
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        red, *_ = map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor")))
        assert red > 200 if scheme == "light" else red < 60
        assert page.evaluate(CONTRAST) == [], scheme


def test_without_scripts_everything_is_there(open_page):
    page = open_page("/task/metric-gate/0.1/", java_script_enabled=False)
    page.get_by_text("Hub resolver", exact=True).click()
    assert "https://HUB" in page.locator(".way:visible pre").inner_text()
    assert len(cards(open_page("/", java_script_enabled=False))) == 5


@pytest.mark.parametrize("path", PAGES)
def test_headings_and_names_are_there_for_those_who_listen(open_page, path):
    page = open_page(path)
    assert page.locator("h1").count() == 1
    levels = [
        int(tag[1]) for tag in page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map((one) => one.tagName)")
    ]
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.evaluate("document.documentElement.lang") == "en"
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))


def test_every_link_between_pages_leads_somewhere(open_page, site):
    """Addresses on this site, from every page, with their anchors."""
    waiting, seen = ["/"], {}
    page = open_page("/")
    while waiting:
        path = waiting.pop()
        page.goto(site + path)
        hrefs = page.evaluate("[...document.querySelectorAll('[href]')].map((one) => one.getAttribute('href'))")
        seen[path] = page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)"), []
        for href in hrefs:
            target = urlsplit(urljoin(site + path, href))
            if f"{target.scheme}://{target.netloc}" != site:
                continue
            seen[path][1].append((target.path, target.fragment))
            if target.path.endswith("/") and target.path not in seen and target.path not in waiting:
                waiting.append(target.path)
    assert len(seen) == 6
    for links in (found for _, found in seen.values()):
        for path, fragment in links:
            if path in seen:
                assert not fragment or fragment in seen[path][0], (path, fragment)
            else:
                assert page.request.get(site + path).ok, path
