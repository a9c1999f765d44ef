"""The page at / as a person uses it, in headless Chromium."""

import shutil

import pytest

playwright = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (Debian package)")]


@pytest.fixture(scope="module")
def page():
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser.new_page(viewport={"width": 1100, "height": 800})
        browser.close()


def test_a_person_tries_the_model_with_nothing_from_elsewhere(page, iris_server):
    wanted, faults = [], []
    page.on("request", lambda request: wanted.append(request.url))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(iris_server.url + "/")
    page.wait_for_selector(".chance")
    first = page.inner_text("#answer")
    page.fill("#field-2", "99")
    page.wait_for_selector(".field.unseen")
    page.wait_for_function("text => document.getElementById('answer').innerText !== text", arg=first)
    page.fill("#field-1", "wide")
    page.wait_for_selector(".field.wrong")
    assert "is not a number" in page.inner_text(".field.wrong small")
    assert "'sepal.width': is not a number" in page.inner_text("#answer")
    assert set(wanted) == {iris_server.url + "/", iris_server.url + "/predict"}
    assert faults == []
