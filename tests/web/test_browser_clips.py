"""A clip in a real browser: dropped, its first seconds seen before the rest, cancelled, taken home."""

import json
import time
from fractions import Fraction

import pytest
import skimage.data
from clips import gray, pictures, write_clip
from PIL import Image

pytest.importorskip("av")
pytest.importorskip("uvicorn")
pytest.importorskip("selenium")
from selenium.webdriver.common.by import By
from test_browser import click, downloaded, element

from benchmarks.figures.screenshot import CHROMIUM, DRIVER, drop, is_colored, wait
from media.clip import open_clip

pytestmark = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason=f"needs {CHROMIUM} and {DRIVER}"
)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Of 6 seconds and few frames: each is asked of the model."""
    frames = gray(pictures(60, (192, 128), skimage.data.coffee()))
    path = tmp_path_factory.mktemp("films") / "old film.mp4"
    return write_clip(path, frames, time_base=Fraction(1, 10))


def state(driver):
    return driver.find_element(By.CSS_SELECTOR, "#clips li").get_attribute("data-state")


def line(driver):
    return driver.find_element(By.CSS_SELECTOR, "#clips output").text


def plays(driver, what):
    """Whether the browser has decoded the beginning of the clip."""
    script = """const video = document.querySelector("#clips video");
        const isShown = video && !video.hidden && video.src.includes(arguments[0]);
        return isShown && video.readyState >= 2 ? video.duration : 0"""
    return driver.execute_script(script, what)


def test_photos_beside_a_clip_are_seen_on_low_screens(driver, film, tmp_path):
    names = [tmp_path / name for name in ("a.png", "b.png")]
    for name in names:
        Image.fromarray(skimage.data.coffee()[:200]).convert("L").save(name)
    drop(driver, film, *names)
    wait(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#strip li")) == 2)
    wait(driver, lambda d: plays(d, "/full"))
    size = {"width": 1100, "height": 600, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert element(driver, "strip").size["height"] > 50
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_drop_watch_download(driver, film, tmp_path):
    drop(driver, film)
    assert wait(driver, lambda d: plays(d, "/preview")) == pytest.approx(2, abs=0.1)
    assert wait(driver, lambda d: plays(d, "/full")) == pytest.approx(6, abs=0.1)
    assert state(driver) == "done"
    assert "60 frames" in line(driver)
    click(driver, "#clips [name=save]")
    path = downloaded(driver, tmp_path, "old film_colorized.mp4")
    assert open_clip(path, max_pixels=10**6).num_frames == 60
    errors = [e for e in driver.get_log("browser") if e["level"] == "SEVERE"]
    assert not [e for e in errors if "Content Security Policy" in e["message"]], json.dumps(errors)


def fail_progress(driver, failure):
    """Let questions how far a clip is fail: `n` of them were asked before."""
    script = f"""const real = window.fetch;
        window.asked = 0;
        window.fetch = (path, ...rest) => {{
            if (!path.includes("/progress")) return real(path, ...rest);
            const n = window.asked++;
            return {failure} : real(path, ...rest);
        }}"""
    driver.execute_script(script)


def test_a_clip_that_is_gone_is_not_asked_for_again(driver, film):
    gone = """new Response('{"error": "it is gone"}', {status: 404})"""
    fail_progress(driver, f"n > 0 ? Promise.resolve({gone})")
    drop(driver, film)
    wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#clips li") and line(d) == "it is gone")
    assert not driver.find_element(By.CSS_SELECTOR, "#clips progress").is_displayed()
    time.sleep(2.5)
    assert driver.execute_script("return window.asked") == 2


def test_cancel_color_again_remove(driver, film):
    drop(driver, film)
    wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#clips [name=cancel]"))
    click(driver, "#clips [name=cancel]")
    wait(driver, lambda d: state(d) == "cancelled")
    assert not driver.find_element(By.CSS_SELECTOR, "#clips [name=save]").is_displayed()
    fail_progress(driver, "n < 2 ? Promise.reject(new TypeError('no network'))")
    click(driver, "#clips [name=again]")
    wait(driver, lambda d: "cannot be reached" in line(d))
    wait(driver, lambda d: state(d) == "done")
    assert "60 frames" in line(driver)
    click(driver, "#clips [name=remove]")
    wait(driver, lambda d: element(d, "empty").is_displayed())


def test_beside_a_photo(driver, film, tmp_path):
    from PIL import Image

    photo = tmp_path / "cat.png"
    Image.fromarray(skimage.data.chelsea()).save(photo)
    drop(driver, film, photo)
    wait(driver, is_colored)
    assert element(driver, "gray").is_displayed()
    assert driver.find_element(By.CSS_SELECTOR, "#clips li").is_displayed()
    element(driver, "clear").click()
    assert element(driver, "empty").is_displayed()
    assert not driver.find_elements(By.CSS_SELECTOR, "#clips li")
