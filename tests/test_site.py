"""The documents as a site: every link and picture leads somewhere, and a phone's browser shows the pages."""

import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import genoscan

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site as `make docs` builds it, from what that has read already; a warning would end it."""
    place = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-c", ROOT / "docs", "-d", ROOT / "build" / "doctrees"]
    subprocess.run([sys.executable, "-m", "sphinx", *options, ROOT, place], check=True)
    return place


class Page(HTMLParser):
    """Where a page can be entered, and what it leads to and shows."""

    def __init__(self, text):
        super().__init__()
        self.anchors, self.links = set(), []
        self.feed(text)

    def handle_starttag(self, _, attributes):
        named = dict(attributes)
        self.anchors |= {named[name] for name in ("id", "name") if named.get(name)}
        self.links += [named[name] for name in ("href", "src") if named.get(name)]


def test_every_link_and_picture_leads_somewhere(site):
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in site.rglob("*.html")}
    assert len(pages) > 20
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), (path.name, link)
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, (path.name, link)


def test_the_public_names_are_on_the_page_of_the_api(site):
    anchors = Page((site / "docs" / "api.html").read_text(encoding="utf-8")).anchors
    assert {f"genoscan.{name}" for name in genoscan.__all__} <= anchors


def test_a_phone_shows_the_pages_without_complaint(site, browser):
    page = browser.new_page(viewport={"width": 390, "height": 800})
    said = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(request.url))
    for name in ("index", "README", "docs/api", "docs/export"):
        page.goto((site / f"{name}.html").as_uri())
        page.wait_for_selector("article h1")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, name
        assert page.evaluate("[...document.images].every(one => one.naturalWidth > 0)"), name
    assert said == []
    page.close()
