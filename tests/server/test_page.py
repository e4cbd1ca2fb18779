"""The page in a real Chromium, with a fake microphone that plays recordings."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxgrad.audio.io import Samples, read_audio

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
LJ = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "lj"
PICTURES = os.environ.get("VOXGRAD_SCREENSHOTS")
RATE = 22050
GAP = 5  # seconds between two sentences, in which the page checks a take
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver, as Debian has them"
    ),
]


class Page:
    """What a person does on the page."""

    def __init__(self, browser, address: str) -> None:
        self.browser, self.address = browser, address

    def open(self, view: str = "") -> None:
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}/#/{view}")
        self.until(lambda: self.browser.find_elements(By.CSS_SELECTOR, "main h1"))

    def __getitem__(self, identifier: str):
        return self.browser.find_element(By.ID, identifier)

    def until(self, condition, seconds: float = 60):
        return WebDriverWait(self.browser, seconds, 0.1).until(lambda _: condition())

    def shown(self, identifier: str) -> None:
        self.until(lambda: any(one.is_displayed() for one in self.browser.find_elements(By.ID, identifier)))

    def fill(self, identifier: str, text: str) -> None:
        self[identifier].clear()
        self[identifier].send_keys(text)

    def click(self, text: str) -> None:
        found = self.browser.find_elements(By.CSS_SELECTOR, "button, a")
        next(one for one in found if one.text == text and one.is_displayed()).click()

    def click_choice(self, name: str, value: str) -> None:
        self.browser.find_element(By.CSS_SELECTOR, f"input[name={name}][value='{value}']").click()

    def log(self) -> list[str]:
        return [one["message"] for one in self.browser.get_log("browser") if one["level"] == "SEVERE"]

    def picture(self, name: str) -> None:
        """In both themes and at three widths, to be looked at; nothing may be wider than the screen."""
        for theme in ("light", "dark"):
            self.browser.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            )
            for width in (1280, 768, 360):
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is wider than {width} px"
                if PICTURES is not None:
                    self.browser.save_screenshot(str(Path(PICTURES) / f"{name}-{theme}-{width}.png"))
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def sentences() -> list[tuple[str, Samples]]:
    """Texts of LJ with their samples, short ones."""
    lines = [line.split("|") for line in (LJ / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    found = [(line[1], read_audio(LJ / "wavs" / f"{line[0]}.wav").samples) for line in lines]
    return sorted(found, key=lambda one: len(one[1]))[3:9]


@pytest.fixture
def page(served, tmp_path):
    """Its microphone hears the first sentence clipped, and then all, with gaps."""
    microphone, known = tmp_path / "microphone.wav", sentences() if LJ.is_dir() else []
    takes = [np.clip(20 * samples, -1, 1) for _, samples in known[:1]] + [0.8 * samples for _, samples in known]
    joined = np.concatenate([np.zeros(8 * RATE), *(np.pad(take, (0, GAP * RATE)) for take in takes)])
    noise = np.random.default_rng(0).normal(size=len(joined)) * 3e-4
    soundfile.write(microphone, np.clip(joined + noise, -1, 1), RATE, "PCM_16")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"),
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={microphone}%noloop",
        "--autoplay-policy=no-user-gesture-required",
        f"--user-data-dir={tmp_path / 'profile'}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    try:
        yield Page(browser, served.address)
    finally:
        browser.quit()


def test_a_person_speaks_hears_and_saves(page):
    page.open("speak?voice=robot")
    assert page["voice"].text == "robot"
    page.fill("text", "Hello there. The sun is warm.")
    page["speak"].click()
    page.until(lambda: " s of speech" in page["speak-status"].text)
    spoken = [word.strip(".") for word in page["words"].text.split()]
    assert spoken == ["Hello", "there", "The", "sun", "is", "warm"]
    page["words"].find_elements(By.TAG_NAME, "button")[4].click()  # plays from there
    page.until(lambda: page.browser.find_elements(By.CSS_SELECTOR, "#words .now"))
    assert page.browser.find_element(By.CSS_SELECTOR, "#words .now").text in {"is", "warm."}
    page.picture("speak")
    page["again"].click()
    page.until(lambda: page["seed"].get_property("value") == "1" and " s of speech" in page["speak-status"].text)
    page.fill("search", "nobody")
    assert page["voices"].text == ""
    page.fill("search", "rob")
    assert "robot" in page["voices"].text
    page.fill("search", "")
    page.click_choice("sex", "Male")
    page.click_choice("pitch", "High pitch")
    tags = [one.text for one in page["voices"].find_elements(By.TAG_NAME, "small")]
    assert tags
    assert all(tag.startswith("Male") and tag.endswith("High pitch") for tag in tags)
    page.picture("filtered")
    page.click("Choose")
    taken = page["voice"].text
    assert taken != "robot"
    assert page.browser.switch_to.active_element.get_attribute("id") == "speak"
    page.browser.refresh()  # the text and the voice are kept, although the address named another voice
    page.until(lambda: page.browser.find_elements(By.ID, "voice"))
    assert page["text"].get_property("value") == "Hello there. The sun is warm."
    assert page["voice"].text == taken
    page.open("speak?voice=nobody")
    assert "no voice “nobody”" in page["speak-status"].text
    page.fill("text", "Привет")
    page["speak"].click()
    page.until(lambda: "Cyrillic" in page["notice"].text)
    assert [one for one in page.log() if "400" not in one] == []


def test_every_view_has_an_address_a_title_and_names_for_its_fields(page):
    for view, title in (
        ("", "What should it say?"),
        ("new", "Clone a voice"),
        ("speak", "Speak"),
        ("voices", "Your"),
        ("docs", "For"),
    ):
        page.open(view)
        page.until(lambda title=title: page.browser.title.startswith(title))
        page.picture(f"view-{view}")
        unnamed = page.browser.execute_script(
            "return [...document.querySelectorAll('input, textarea, select, button')].filter((one) =>"
            "!one.labels?.length && !one.ariaLabel && !one.textContent.trim() && !one.hasAttribute('aria-labelledby'))"
            ".map((one) => one.outerHTML)"
        )
        assert unnamed == []
    page.click("Speak")
    page.until(lambda: page.browser.title.startswith("Speak"))
    assert page.browser.switch_to.active_element.tag_name == "h1"
    assert page.log() == []


@pytest.mark.skipif(not LJ.is_dir(), reason="needs ../shared/data/lj")
def test_from_nothing_to_a_voice(page):
    """Consent, sentences that are read without touching anything, one of them refused, a clone, and its speech."""
    page.open("new")
    page.fill("speaker-name", "Linda Johnson")
    page.browser.execute_script("document.querySelector('details').open = true")
    page.fill("own-prompts", "\n".join(text for text, _ in sentences()))
    page.click("Continue")
    assert page["begin"].is_displayed()  # without consent there is no session
    page["agreed"].click()
    page.click("Continue")
    page.shown("turn-on")
    page["turn-on"].click()
    page.shown("record")
    page.browser.switch_to.active_element.send_keys(Keys.SPACE)  # the button that was focused
    page.until(lambda: "clipped" in page["take-status"].text)
    page.picture("refused")
    assert page["keep"].is_displayed()
    assert page["hear"].is_displayed()
    page.until(lambda: "All sentences" in page["take-status"].text, 120)
    page.picture("recorded")
    page["undo"].click()
    page.until(lambda: "is deleted" in page["take-status"].text)
    page["make"].click()
    if page["question"].is_displayed():  # less than half a minute
        page.click("OK")
    page.shown("clone")
    page.browser.execute_script("document.querySelector('details').open = true")
    Select(page["preset"]).select_by_value("tiny")
    page["clone"].click()
    page.until(lambda: "Learning" in page["clone-status"].text, 240)
    page.picture("cloning")
    page.until(lambda: len(page.browser.find_elements(By.CSS_SELECTOR, ".pair button")) == 2, 300)
    page.picture("result")
    judged = [one.text for one in page.browser.find_elements(By.CSS_SELECTOR, ".verdicts li")]
    assert any(one.startswith(("Sounds", "Does not sound", "Training")) for one in judged), judged
    page["say"].click()
    page["remake"].click()  # a voice that is there can be made again
    assert page["clone"].is_displayed()
    page.browser.refresh()
    page.shown("say")
    page.click("Speak with this voice")
    page.until(lambda: page["voice"].text == "linda-johnson")
    page["speak"].click()
    page.until(lambda: " s of speech" in page["speak-status"].text)
    page.open("voices")
    assert "Linda Johnson: I agree" in page["view"].text
    time.sleep(0.5)
    assert page.log() == []
