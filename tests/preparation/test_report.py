"""The report in a real browser: no error, no request, players that play, and an order that changes."""

import json
import os
import shutil
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import Select  # noqa: E402

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)


@pytest.fixture
def browser():
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--autoplay-policy=no-user-gesture-required"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    yield browser
    browser.quit()


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None or shutil.which("chromedriver") is None, reason="needs chromium and chromedriver")
def test_the_report_works_in_a_browser(browser, chain):
    report = os.environ.get("VOXGRAD_REPORT")
    size = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get((chain.dataset.path("report.html") if report is None else Path(report)).as_uri())
    assert browser.execute_script("return document.documentElement.scrollWidth <= window.innerWidth")
    only, turn = Select(browser.find_element(By.ID, "only")), browser.find_element(By.ID, "turn")
    count = len(browser.find_elements(By.CSS_SELECTOR, "#clips article"))
    assert count > 0
    for key in ("seconds", "id", "snr", "doubt"):
        Select(browser.find_element(By.ID, "by")).select_by_value(key)
        for _ in range(2):
            turn.click()
            cards = browser.find_elements(By.CSS_SELECTOR, "#clips article")
            shown = [card.get_attribute(f"data-{key}") for card in cards]
            assert len(shown) == count
            values = shown if key == "id" else [float(value) for value in shown if value]
            assert values in (sorted(values), sorted(values, reverse=True))
    only.select_by_value("rejected")
    cards = browser.find_elements(By.CSS_SELECTOR, "#clips article")
    assert len(cards) == browser.execute_script("return cards.filter(c => c.dataset.verdict === 'rejected').length")
    only.select_by_value("")
    played, duration = browser.execute_async_script(
        """const audio = document.querySelector("audio"), done = arguments[0];
        audio.muted = true;
        audio.play().then(() => setTimeout(() => done([audio.currentTime, audio.duration]), 500));"""
    )
    assert 0 < played <= duration
    assert browser.get_log("browser") == []
    events = [json.loads(one["message"])["message"] for one in browser.get_log("performance")]
    asked = [one["params"]["request"]["url"] for one in events if one["method"] == "Network.requestWillBeSent"]
    assert asked
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
