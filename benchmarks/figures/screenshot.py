"""Draw docs/web.png: the page as a browser shows it, with a photo that scikit-image ships."""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skimage.color
import skimage.data
from PIL import Image
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.common import serving
from core.files import write_bytes

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
PATIENCE = 60
"""Seconds to wait for a server or a page on a busy machine."""

_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-dev-shm-usage"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


@contextlib.contextmanager
def chromium(*, width: int, height: int) -> Iterator[webdriver.Chrome]:
    """A browser without a window and without a past, which notes every request that it makes."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = str(CHROMIUM)
        for flag in (*_FLAGS, f"--user-data-dir={profile}", f"--window-size={width},{height}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
        driver = webdriver.Chrome(options, Service(str(DRIVER)))
        try:
            yield driver
        finally:
            driver.quit()


def wait(driver: webdriver.Chrome, condition: Callable[[webdriver.Chrome], Any]) -> Any:
    """Wait until a condition holds, and return what it does."""
    redrawn = [StaleElementReferenceException]
    return WebDriverWait(driver, PATIENCE, ignored_exceptions=redrawn).until(condition)


def drop(driver: webdriver.Chrome, *photos: Path) -> None:
    """Give the page photos, as the file dialog does."""
    field = wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "input[type=file]"))[0]
    field.send_keys("\n".join(map(str, photos)))


def is_colored(driver: webdriver.Chrome) -> bool:
    """Whether the page shows a photo in colour, and is done with it."""
    script = """const image = document.getElementById("color");
        return !image.hidden && image.complete && image.naturalWidth > 0 && !document.body.ariaBusy"""
    return bool(driver.execute_script(script))


def _draw(driver: webdriver.Chrome) -> None:
    """Correct the colours a little: a dot, and a stroke of another colour."""
    for name, value in (("view", "correct"), ("tool", "dot")):
        driver.find_element(By.CSS_SELECTOR, f"[name={name}][value={value}]").click()
    canvas = driver.find_element(By.ID, "canvas")
    width, height = canvas.size["width"], canvas.size["height"]

    def paint(color: str, x: float, y: float, *steps: tuple[float, float]) -> None:
        script = "arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('change'))"
        driver.execute_script(script, driver.find_element(By.ID, "picker"), color)
        hand = ActionChains(driver).move_to_element_with_offset(canvas, int(x * width), int(y * height))
        hand.click_and_hold()
        for right, down in steps:
            hand.move_by_offset(int(right * width), int(down * height))
        hand.release().perform()

    paint("#8a5a2b", 0.0, -0.12)
    driver.find_element(By.CSS_SELECTOR, "[value=brush]").click()
    paint("#2f6f8f", -0.27, 0.1, (0.05, 0.2), (0.12, 0.1))
    wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#likely button"))
    wait(driver, is_colored)


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("docs/web.png"))
    parser.add_argument("--width", type=int, default=1120, help="of the window, pixels")
    parser.add_argument("--height", type=int, default=850, help="of the window, pixels")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder) / "coffee.jpg"
        gray = skimage.color.rgb2gray(skimage.data.coffee())
        Image.fromarray((gray * 255).round().astype(np.uint8)).save(photo, quality=95)
        with serving() as (url, _), chromium(width=args.width, height=args.height) as driver:
            driver.get(url)
            drop(driver, photo)
            wait(driver, is_colored)
            _draw(driver)
            png = driver.get_screenshot_as_png()
    picture = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(256).save(picture, "PNG", optimize=True)
    write_bytes(args.output, picture.getvalue())
    print(args.output)


if __name__ == "__main__":
    main()
