"""The report in a real browser: no error, no request, players that play, and an order that changes."""

import os
import shutil
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser():
    if BROWSER is None:
        pytest.skip("there is no Chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.slow
def test_the_report_works_in_a_browser(browser, chain, tmp_path):
    report = os.environ.get("VOXGRAD_REPORT")
    path = Path(report) if report is not None else chain.dataset.path("report.html")
    page = browser.new_page(viewport={"width": 390, "height": 844})
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    cards = page.locator("#clips article")
    count = cards.count()
    assert count > 0
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    for key in ("seconds", "id", "snr", "doubt"):
        page.select_option("#by", key)
        for _ in range(2):
            page.click("#turn")
            shown = cards.evaluate_all(f"cards => cards.map(card => card.dataset.{key})")
            assert len(shown) == count
            values = shown if key == "id" else [float(value) for value in shown if value]
            assert values in (sorted(values), sorted(values, reverse=True))
    page.select_option("#only", "rejected")
    assert cards.count() == page.evaluate("cards.filter(c => c.dataset.verdict === 'rejected').length")
    page.select_option("#only", "")
    played = page.evaluate(
        """async () => {
            const audio = document.querySelector("audio");
            audio.muted = true;
            await audio.play();
            await new Promise(done => setTimeout(done, 500));
            return [audio.currentTime, audio.duration];
        }"""
    )
    assert 0 < played[0] <= played[1]
    assert said == []
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
    page.screenshot(path=tmp_path / "phone.png")
