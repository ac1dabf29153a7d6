"""The page: how long after a click a hint is seen in the colours, in a real Chromium.

    python -m benchmarks.speed.bench_hint_time --json=docs/guided/hint_time.json

A photo of 1 MP, gray; dots of several colours one after the other, each where nothing is yet. Seconds from
the release of the mouse to the picture that the browser has loaded, in the page's own clock: the upload of
the hints, the solve, the network where the model takes hints itself, the JPEG. Browser and server share the
cores. The first dot is apart: what is prepared once for a photo is in it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import skimage.color
import skimage.data
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By

from benchmarks.common import machine, parse, report, serving, summary
from benchmarks.figures.screenshot import chromium, drop, is_colored, wait

MODELS = ("unet_vivid", "unet_hints")
SIZE = (1224, 816)
_CLOCK = """const image = document.getElementById("color");
window.released = window.seen = 0;
document.getElementById("canvas").addEventListener("pointerup", () => (window.released = performance.now()));
image.addEventListener("load", () => (window.seen = performance.now()));"""
_ELAPSED = "return window.seen > window.released ? (window.seen - window.released) / 1000 : null"


def measure(photo: Path, model: str, rounds: int) -> dict[str, float]:
    """Seconds of the first dot, and of so many after it."""
    rng = np.random.default_rng(0)
    with serving(f"--weights={model}") as (url, _), chromium(width=1400, height=1000) as driver:
        driver.get(url)
        drop(driver, photo)
        wait(driver, is_colored)
        for name, value in (("view", "correct"), ("tool", "dot")):
            driver.find_element(By.CSS_SELECTOR, f"[name={name}][value={value}]").click()
        driver.execute_script(_CLOCK)
        places = rng.permutation(100)[: rounds + 1]
        first, *others = [_dot(driver, *divmod(int(place), 10)) for place in places]
    return {"first": first, **summary(others)}


def _dot(driver: webdriver.Chrome, row: int, column: int) -> float:
    """Seconds until a dot at a place of a grid of ten by ten is seen."""
    canvas = driver.find_element(By.ID, "canvas")
    x, y = ((place - 4.5) / 11 * canvas.size[side] for place, side in ((column, "width"), (row, "height")))
    driver.execute_script("window.released = Infinity; document.getElementById('likely').replaceChildren()")
    ActionChains(driver).move_to_element_with_offset(canvas, int(x), int(y)).click().perform()
    elapsed: float = wait(driver, lambda d: is_colored(d) and d.execute_script(_ELAPSED))
    # Likely colours are asked for next, and the next dot is not to wait for them.
    wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#likely button"))
    return elapsed


def main() -> None:
    """Measure and report."""
    args = parse(__doc__ or "", rounds=10)
    with tempfile.TemporaryDirectory() as name:
        photo = Path(name) / "coffee.jpg"
        gray = (skimage.color.rgb2gray(skimage.data.coffee()) * 255).round().astype(np.uint8)
        Image.fromarray(gray).resize(SIZE, Image.Resampling.BICUBIC).save(photo, quality=95)
        seconds = {model: measure(photo, model, args.rounds) for model in MODELS}
    rows = {
        model: f"{each['median']:.2f} s [{each['low']:.2f}, {each['high']:.2f}], first {each['first']:.2f} s"
        for model, each in seconds.items()
    }
    command = f"python -m benchmarks.speed.bench_hint_time --rounds={args.rounds}"
    figures = {"command": command, "size": SIZE, "seconds": seconds, "machine": machine("cpu")}
    report("seconds from a click to its colours", rows, figures, args.json)


if __name__ == "__main__":
    main()
