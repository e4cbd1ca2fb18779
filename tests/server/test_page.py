"""The page in a real Chromium, with a fake microphone that plays recordings."""

import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from voxgrad.audio.io import read_audio

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import Select, WebDriverWait  # noqa: E402

CHROMIUM = next((found for name in ("chromium", "chromium-browser") if (found := shutil.which(name))), None)
DRIVER = shutil.which("chromedriver")
LJ = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "lj"
PICTURES = os.environ.get("VOXGRAD_SCREENSHOTS")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None, reason="needs chromium and chromedriver, as Debian has them"
    ),
]


class Page:
    """What a person does on the page."""

    def __init__(self, browser, address: str, microphone: Path) -> None:
        self.browser, self.microphone = browser, microphone
        browser.get(address)

    def __getitem__(self, identifier: str):
        return self.browser.find_element(By.ID, identifier)

    def until(self, condition, seconds: float = 60):
        return WebDriverWait(self.browser, seconds, 0.1).until(lambda _: condition())

    def shown(self, identifier: str) -> None:
        self.until(lambda: any(one.is_displayed() for one in self.browser.find_elements(By.ID, identifier)))

    def fill(self, identifier: str, text: str) -> None:
        self[identifier].clear()
        self[identifier].send_keys(text)

    def click(self, text: str, place=None) -> None:
        found = (place or self.browser).find_elements(By.TAG_NAME, "button")
        next(one for one in found if one.text == text and one.is_displayed()).click()

    def play_into_microphone(self, samples: np.ndarray, rate: int) -> None:
        soundfile.write(self.microphone, samples, rate, "PCM_16")

    def log(self) -> list[str]:
        return [one["message"] for one in self.browser.get_log("browser") if one["level"] == "SEVERE"]

    def picture(self, name: str) -> None:
        """In both themes and at both widths, to be looked at."""
        if PICTURES is None:
            return
        for theme in ("light", "dark"):
            self.browser.execute_cdp_cmd(
                "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            )
            for width in (1280, 390):
                size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                assert wide <= width, f"{name} is wider than {width} px"
                self.browser.save_screenshot(str(Path(PICTURES) / f"{name}-{theme}-{width}.png"))
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.fixture
def page(served, tmp_path):
    microphone = tmp_path / "microphone.wav"
    soundfile.write(microphone, np.zeros(48000), 48000)
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
        yield Page(browser, served.address, microphone)
    finally:
        browser.quit()


def sentences() -> list[tuple[str, np.ndarray]]:
    """Texts of LJ with their samples at 22.05 kHz, short ones."""
    lines = [line.split("|") for line in (LJ / "metadata.csv").read_text(encoding="utf-8").splitlines()]
    found = [(line[1], read_audio(LJ / "wavs" / f"{line[0]}.wav").samples) for line in lines]
    return sorted(found, key=lambda one: len(one[1]))[3:13]


def record(page: Page, samples: np.ndarray) -> str:
    """Say something into the microphone; returns what the page says to it."""
    quiet = np.random.default_rng(0).normal(size=len(samples) + 2 * 22050) * 1e-4
    page.play_into_microphone(np.clip(np.pad(samples, 22050) + quiet, -1, 1), 22050)
    page["record"].click()
    page.until(lambda: page["record"].text == "Stop")
    time.sleep(len(samples) / 22050 + 1.7)
    page["record"].click()
    page.until(lambda: page["record"].text == "Record" and page["record"].is_enabled())
    return page["take-status"].text


def begin(page: Page, name: str, texts: list[str]) -> None:
    page["tab-make"].click()
    page.shown("voice-name")
    page.fill("voice-name", name)
    page.fill("speaker-name", "Linda Johnson")
    page.browser.execute_script("document.querySelector('#begin details').open = true")
    page.fill("own-prompts", "\n".join(texts))
    page.click("Begin")
    assert page["begin"].is_displayed()  # without consent there is no session
    page.picture("consent")
    page["agreed"].click()
    page.click("Begin")
    page.shown("record")


def test_a_person_speaks_hears_and_downloads(page):
    page.until(lambda: "robot" in page["voice"].text)
    Select(page["voice"]).select_by_value("robot")
    page.fill("text", "Hello there. The sun is warm.")
    page.click("Speak", page["speak"])
    page.until(lambda: "s of speech, seed 0" in page["speak-status"].text)
    assert [word.strip(".") for word in page["words"].text.split()] == ["Hello", "there", "The", "sun", "is", "warm"]
    page.click("Play")
    page.until(lambda: page.browser.execute_script("return document.querySelectorAll('#words .now').length") == 1)
    colours = page.browser.execute_script(
        "const c = document.getElementById('mel').getContext('2d').getImageData(0, 0, 960, 160).data;"
        "return new Set(c).size"
    )
    assert colours > 50  # the mel is drawn
    page.picture("speak")
    seconds = page.browser.execute_async_script(
        "const done = arguments[0]; const audio = new Audio(document.getElementById('download').href);"
        "audio.onloadedmetadata = () => done(audio.duration); audio.onerror = () => done(-1);"
    )
    assert seconds == pytest.approx(float(page["speak-status"].text.split()[0]), abs=0.1)
    page.click("Make it again")
    page.until(lambda: "seed 1" in page["speak-status"].text)
    page.fill("text", "Привет")
    page.click("Speak", page["speak"])
    page.until(lambda: "Cyrillic" in page["notice"].text)
    assert [one for one in page.log() if "400" not in one] == []


def test_tabs_work_by_keyboard_and_every_field_has_a_name(page):
    page["tab-speak"].send_keys(Keys.ARROW_RIGHT)
    page.shown("make")
    assert page.browser.switch_to.active_element.get_attribute("id") == "tab-make"
    page["tab-make"].send_keys(Keys.ARROW_RIGHT)
    page.until(lambda: "english" in page["voices"].text)
    page.picture("voices")
    unnamed = page.browser.execute_script(
        "return [...document.querySelectorAll('input, textarea, select, button')].filter((one) =>"
        "!one.labels?.length && !one.ariaLabel && !one.textContent.trim() && !one.hasAttribute('aria-labelledby'))"
        ".map((one) => one.outerHTML)"
    )
    assert unnamed == []
    assert page.log() == []


@pytest.mark.skipif(not LJ.is_dir(), reason="needs ../shared/data/lj")
def test_from_nothing_to_a_voice(page, served):
    """Consent, prompts, one of them refused, a clone with few steps, its card, and its speech."""
    known = sentences()
    begin(page, "lj", [text for text, _ in known])
    assert "clipped" in record(page, 20 * known[0][1])
    for _, samples in known:
        told = record(page, samples)
        if not told.startswith(("Good", "All")):
            page["keep"].click()
            page.until(lambda: page["take-status"].text.startswith(("Good", "All")))
    Select(page["preset"]).select_by_value("tiny")
    page["clone"].click()
    page.shown("cancel")
    page.until(lambda: "Training" in page["clone-status"].text, 240)
    page.picture("cloning")
    page.until(lambda: page["clone-status"].text.startswith("lj@v1"), 300)
    page.until(lambda: len(page["card"].find_elements(By.TAG_NAME, "audio")) >= 3, 60)
    page.browser.execute_script("document.getElementById('card').scrollIntoView()")
    page.picture("card")
    page["tab-speak"].click()
    page.until(lambda: "lj" in page["voice"].text)
    Select(page["voice"]).select_by_value("lj")
    page.click("Speak", page["speak"])
    page.until(lambda: "s of speech" in page["speak-status"].text)
    page["tab-voices"].click()
    page.until(lambda: "Linda Johnson: I agree" in page["voices"].text)
    page.picture("voices-with-lj")
    assert page.log() == []
