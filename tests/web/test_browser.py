"""The page in a real browser: drop, see colour, change it, correct it, take it home; and hostile files."""

import base64
import io
import json
import time
import urllib.parse
import zipfile

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image
from test_server import bomb

from media.encode import save_picture
from media.metadata import Metadata
from media.picture import Picture, load_picture

pytest.importorskip("uvicorn")
pytest.importorskip("selenium")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.figures.screenshot import CHROMIUM, DRIVER, drop, is_colored, wait

pytestmark = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason=f"needs {CHROMIUM} and {DRIVER}"
)
COFFEE = skimage.data.coffee()[::2, ::2]
"""Small: what hints and a reference cost grows with the photo, and every step of these tests asks for it."""
GRAY = (skimage.color.rgb2gray(COFFEE) * 65535).round().astype(np.uint16)
HEIGHT, WIDTH = GRAY.shape
PLACE = (80, 150)
"""Row and column within the cup, of middle lightness."""
PIXELS = """const image = document.getElementById("color"), canvas = document.createElement("canvas");
[canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
canvas.getContext("2d").drawImage(image, 0, 0);
return canvas.toDataURL("image/png").split(",")[1]"""

COUNT = """window.held = new Set();
const { createObjectURL: make, revokeObjectURL: drop } = URL;
URL.createObjectURL = (blob) => {
  const address = make.call(URL, blob);
  held.add(address);
  return address;
};
URL.revokeObjectURL = (address) => {
  held.delete(address);
  drop.call(URL, address);
};"""


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """Gray, of 16 bits, with a resolution and a description."""
    exif = Image.Exif()
    exif[270] = "grandmother"
    path = tmp_path_factory.mktemp("photos") / "old photo.png"
    pixels = np.repeat(GRAY[..., None], 3, axis=2)
    save_picture(path, Picture(pixels, None, Metadata(exif.tobytes(), dpi=(300.0, 300.0))), quality=95)
    return path


def element(driver, name):
    return driver.find_element(By.ID, name)


def click(driver, selector):
    driver.find_element(By.CSS_SELECTOR, selector).click()


def shown(driver):
    """CIELAB of the colored picture, (H, W, 3)."""
    wait(driver, is_colored)
    png = base64.b64decode(driver.execute_script(PIXELS))
    return skimage.color.rgb2lab(np.asarray(Image.open(io.BytesIO(png)).convert("RGB")))


def chroma(driver):
    lab = shown(driver)
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def change(driver, action):
    """Do something that colors the photo anew, and wait until that is done."""
    wait(driver, is_colored)
    before = element(driver, "color").get_attribute("src")
    action()
    wait(driver, lambda d: element(d, "color").get_attribute("src") != before and is_colored(d))


def held(driver):
    """How many pictures the page keeps in memory, since `COUNT`."""
    return driver.execute_script("return held.size")


def downloaded(driver, folder, name):
    # Chromium makes an empty file of the name first.
    wait(driver, lambda _: (folder / name).exists() and (folder / name).stat().st_size)
    return folder / name


def correct(driver, photo, tool):
    drop(driver, photo)
    wait(driver, is_colored)
    click(driver, "[value=correct]")
    click(driver, f"[value={tool}]")
    return element(driver, "canvas")


def suggest_nothing(driver):
    """Likely colours are asked of all models: a test that does not look at them does without."""
    driver.execute_script("""const real = window.fetch;
        window.fetch = async (path, ...rest) =>
            path.includes("/likely") ? new Response("[]") : real(path, ...rest)""")


def test_drop_see_change_download(driver, photo, tmp_path):
    drop(driver, photo)
    usual = chroma(driver)
    assert usual > 4
    change(driver, lambda: element(driver, "saturation").send_keys(Keys.HOME))
    assert chroma(driver) < 1
    change(driver, lambda: element(driver, "saturation").send_keys(*[Keys.ARROW_RIGHT] * 30))
    assert chroma(driver) > usual
    wipe = element(driver, "wipe")
    wipe.send_keys(Keys.HOME)
    assert wipe.get_attribute("aria-valuetext") == "0 % without colour"
    element(driver, "develop").click()
    path = downloaded(driver, tmp_path, "old photo_colorized.png")
    found = load_picture(path, max_pixels=10**6)
    assert found.size == (WIDTH, HEIGHT)
    assert found.pixels.dtype == np.uint16
    lab = skimage.color.rgb2lab(found.pixels / 65535)
    lightness = skimage.color.rgb2lab(np.repeat(GRAY[..., None], 3, 2) / 65535)[..., 0]
    assert np.abs(lab[..., 0] - lightness).max() < 0.05
    assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 6
    with Image.open(path) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.getexif()[270] == "grandmother"
        assert image.getexif()[305].endswith("colours inferred")


def test_doubt_is_asked_for_when_it_is_to_be_seen(driver, photo):
    drop(driver, photo)
    wait(driver, is_colored)
    assert not asked(driver, "/doubt")
    element(driver, "overlay").click()
    wait(driver, lambda d: element(d, "doubt").is_displayed())
    change(driver, lambda: element(driver, "saturation").send_keys(Keys.ARROW_LEFT))
    assert asked(driver, "/doubt") == 1
    element(driver, "overlay").click()
    assert not element(driver, "doubt").is_displayed()


def asked(driver, what):
    script = (
        "return performance.getEntriesByType('resource').filter(e => e.name.includes(arguments[0])).length"
    )
    return driver.execute_script(script, what)


def test_a_dot_colors_what_it_is_on(driver, photo):
    """With the mouse: draw, choose another colour, undo, redo."""
    canvas = correct(driver, photo, "dot")
    plain = shown(driver)
    up = round(canvas.size["height"] * (HEIGHT / 2 - PLACE[0]) / HEIGHT)
    change(driver, lambda: ActionChains(driver).move_to_element_with_offset(canvas, 0, -up).click().perform())
    swatches = wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#likely button"))
    script = "arguments[0].value = '#2030d0'; arguments[0].dispatchEvent(new Event('change'))"
    change(driver, lambda: driver.execute_script(script, element(driver, "picker")))
    blue = shown(driver)
    assert blue[*PLACE, 2] < -15 < plain[*PLACE, 2]
    change(driver, swatches[0].click)
    assert shown(driver)[*PLACE, 2] > blue[*PLACE, 2] + 10
    change(driver, element(driver, "undo").click)
    assert np.array_equal(shown(driver), blue)
    for _ in range(2):
        change(
            driver,
            lambda: ActionChains(driver).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform(),
        )
    assert np.array_equal(shown(driver), plain)
    assert not element(driver, "undo").is_enabled()
    change(driver, element(driver, "redo").click)
    change(driver, element(driver, "redo").click)
    assert np.array_equal(shown(driver), blue)


def test_a_stroke_with_the_keyboard(driver, photo, tmp_path):
    """And its hints as files: saved, cleared, loaded, both ways."""
    canvas = correct(driver, photo, "brush")
    suggest_nothing(driver)
    wider = "arguments[0].value = 20; arguments[0].dispatchEvent(new Event('input'))"
    driver.execute_script(
        wider, element(driver, "size")
    )  # 3 pixels of the photo, which a picture holds exactly
    plain = shown(driver)
    stroke = [Keys.SHIFT + Keys.ARROW_UP] * 3 + [Keys.ENTER, Keys.SHIFT + Keys.ARROW_RIGHT, Keys.ENTER]
    change(driver, lambda: canvas.send_keys(*stroke))
    painted = shown(driver)
    assert np.abs(painted[77, 155] - plain[77, 155]).max() > 5
    for kind, name in (("points", "old photo_hints.json"), ("strokes", "old photo_hints.png")):
        element(driver, f"save-{kind}").click()
        path = downloaded(driver, tmp_path, name)
        change(driver, element(driver, "remove").click)
        assert np.array_equal(shown(driver), plain)
        change(driver, lambda path=path: element(driver, "load").send_keys(str(path)))
        assert np.abs(shown(driver) - painted).mean() < 0.5
        change(driver, element(driver, "undo").click)
        change(driver, element(driver, "undo").click)
    points = json.loads((tmp_path / "old photo_hints.json").read_text())
    assert points[0].keys() == {"x", "y", "color", "radius"}
    assert all(0 <= point["x"] < WIDTH for point in points)
    with Image.open(tmp_path / "old photo_hints.png") as picture:
        assert picture.size == (WIDTH, HEIGHT)


def test_the_eraser_takes_hints_away(driver, photo, tmp_path):
    """One that was drawn, and one of a file that says no radius, which is seen before it is taken."""
    canvas = correct(driver, photo, "dot")
    suggest_nothing(driver)
    plain = shown(driver)
    change(driver, ActionChains(driver).move_to_element_with_offset(canvas, -100, 0).click().perform)
    width, height = canvas.size["width"], canvas.size["height"]
    x, y = (width / 2 + 100) * WIDTH / width, HEIGHT / 2
    (tmp_path / "hints.json").write_text(json.dumps([{"x": x, "y": y, "color": "#20d020"}]))
    change(driver, lambda: element(driver, "load").send_keys(str(tmp_path / "hints.json")))
    both = shown(driver)
    pixel = "return [...arguments[0].getContext('2d').getImageData(arguments[1], arguments[2], 1, 1).data]"
    assert driver.execute_script(pixel, canvas, width // 2 + 100, height // 2) == [0x20, 0xD0, 0x20, 255]
    click(driver, "[value=eraser]")
    wipe = ActionChains(driver).move_to_element_with_offset(canvas, 80, 0).click_and_hold()
    change(driver, wipe.move_by_offset(40, 0).release().perform)
    one = shown(driver)
    assert not np.array_equal(one, both)
    assert not np.array_equal(one, plain)
    wipe = ActionChains(driver).move_to_element_with_offset(canvas, -120, 0).click_and_hold()
    change(driver, wipe.move_by_offset(40, 0).release().perform)
    assert np.array_equal(shown(driver), plain)
    change(driver, element(driver, "undo").click)
    assert np.array_equal(shown(driver), one)


def test_a_reference_is_chosen_and_removed(driver, photo, tmp_path):
    """Whose colours are the photo's own: they come nearer to those than the model's are."""
    Image.fromarray(COFFEE).save(tmp_path / "reference.png")
    correct(driver, photo, "dot")
    plain, true = shown(driver), skimage.color.rgb2lab(COFFEE)
    choose, remove = driver.find_elements(By.CSS_SELECTOR, "#reference input, #reference button")
    assert not remove.is_displayed()
    change(driver, lambda: choose.send_keys(str(tmp_path / "reference.png")))
    found = shown(driver)
    errors = [np.hypot(*(lab - true)[..., 1:].transpose(2, 0, 1)).mean() for lab in (found, plain)]
    assert errors[0] < 0.8 * errors[1]
    image = driver.find_element(By.CSS_SELECTOR, "#reference img")
    assert image.get_attribute("alt") == "Reference: reference.png"
    change(driver, remove.click)
    assert np.array_equal(shown(driver), plain)
    assert not image.is_displayed()


def test_a_region_is_kept_and_done_again(driver, photo):
    canvas = correct(driver, photo, "region")
    before = shown(driver)
    box = ActionChains(driver).move_to_element_with_offset(canvas, -120, -80)
    box.click_and_hold().move_by_offset(100, 60).release().perform()
    change(driver, element(driver, "lock").click)
    change(driver, lambda: element(driver, "saturation").send_keys(Keys.HOME))
    kept = shown(driver)
    middle = np.s_[70:80, 115:125]
    assert np.abs(kept[middle] - before[middle]).mean() < 2
    assert np.hypot(*kept[175:, 250:, 1:].mean(axis=(0, 1))) < 4
    change(driver, element(driver, "redo-region").click)
    assert np.abs(shown(driver)[middle] - kept[middle])[..., 1:].mean() > 2
    change(driver, element(driver, "clear-region").click)
    assert np.hypot(*shown(driver)[middle][..., 1:].mean(axis=(0, 1))) < 2


def test_several_photos_come_as_a_zip(driver, photo, tmp_path):
    driver.execute_script(COUNT)
    second = tmp_path / "cat.jpg"
    Image.fromarray(skimage.data.chelsea()[:200, :300]).save(second)
    drop(driver, second, photo)
    wait(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#strip li")) == 2)
    element(driver, "develop-all").click()
    with zipfile.ZipFile(downloaded(driver, tmp_path, "colorized.zip")) as archive:
        assert archive.namelist() == ["cat_colorized.png", "old photo_colorized.png"]
        assert Image.open(archive.open("cat_colorized.png")).size == (300, 200)
    click(driver, "#strip li:nth-child(2) button")
    wait(driver, lambda d: element(d, "name").text == "old photo.png" and is_colored(d))
    driver.execute_script("arguments[0].click()", driver.find_element(By.CSS_SELECTOR, "#strip .delete"))
    wait(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#strip li")) == 1)
    assert element(driver, "name").text == "old photo.png"
    wait(driver, is_colored)
    assert held(driver) == 2


def test_where_nothing_hovers_a_photo_is_not_deleted_unseen(driver, photo, tmp_path):
    second = tmp_path / "cat.png"
    Image.fromarray(skimage.data.chelsea()[:200, :300]).save(second)
    drop(driver, second, photo)
    wait(driver, lambda d: len(d.find_elements(By.CSS_SELECTOR, "#strip li")) == 2)
    remove = driver.find_element(By.CSS_SELECTOR, "#strip li:nth-child(2) .delete")
    driver.execute_cdp_cmd(
        "Emulation.setEmitTouchEventsForMouse", {"enabled": True, "configuration": "mobile"}
    )
    driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        wait(driver, lambda d: d.execute_script("return matchMedia('(hover: none)').matches"))
        assert remove.value_of_css_property("opacity") == "1"
    finally:
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})
        driver.execute_cdp_cmd("Emulation.setEmitTouchEventsForMouse", {"enabled": False})


def test_hostile_files(driver, photo, tmp_path):
    """A line for each, nothing of their names runs, and a photo is colored all the same."""
    text, huge, big = (tmp_path / name for name in ("x.jpg", "huge.png", "big.png"))
    named = tmp_path / "<img src=x onerror=document.title='owned'>.png"
    text.write_text("<script>document.title = 'owned'</script>")
    huge.write_bytes(bomb())
    named.write_text("no photo either")
    big.write_bytes(bytes(3_200_000))
    drop(driver, text, huge, named, big, photo)
    wait(driver, is_colored)
    lines = [item.text for item in driver.find_elements(By.CSS_SELECTOR, "#notes li")]
    assert len(lines) == 4
    assert lines[0].startswith("x.jpg is not a photo")
    assert lines[1].startswith("huge.png has more than 2,000,000 pixels")
    assert lines[2].startswith("img src=x onerror=document.title='owned'.png is not a photo")
    assert lines[3] == "big.png has more than 3 MB: drop a smaller photo"
    assert driver.title == "Colorizer"
    click(driver, "#notes button")
    assert not driver.find_elements(By.CSS_SELECTOR, "#notes li")


def test_no_other_host_is_asked_for_anything(driver, page, photo):
    drop(driver, photo)
    wait(driver, is_colored)
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    own = [m["request"]["url"] for m in sent if m["documentURL"].startswith(page)]
    assert len(own) > 10
    assert {urllib.parse.urlsplit(url).netloc for url in own if not url.startswith(("data:", "blob:"))} == {
        urllib.parse.urlsplit(page).netloc
    }
    assert not [entry for entry in driver.get_log("browser") if "Content Security Policy" in entry["message"]]


def test_everything_has_a_name_and_is_reached_by_tab(driver, photo):
    correct(driver, photo, "dot")
    script = """return [...document.querySelectorAll("button, input, select, canvas, progress, img")]
        .filter((e) => e.checkVisibility())
        .filter((e) => !(e.ariaLabel || e.labels?.length || e.textContent.trim() || e.hasAttribute("alt")))
        .map((e) => e.outerHTML)"""
    assert driver.execute_script(script) == []
    driver.execute_script("document.activeElement.blur()")
    reached = []
    for _ in range(40):
        ActionChains(driver).send_keys(Keys.TAB).perform()
        reached.append(driver.switch_to.active_element.get_attribute("id"))
    assert {"canvas", "overlay", "picker", "size", "undo", "load", "model", "saturation", "develop"} - {
        *reached
    } <= {"undo"}  # nothing to undo


def test_narrow_screens_need_no_sideways_scrolling(driver, photo):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        correct(driver, photo, "dot")
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
        assert element(driver, "canvas").size["width"] > 300
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("how", ["close", "delete"])
def test_photos_are_deleted(driver, photo, how, tmp_path_factory):
    """By the server, and by the browser, which holds what is shown and its small picture alone."""
    driver.execute_script(COUNT)
    drop(driver, photo)
    change(driver, lambda: element(driver, "saturation").send_keys(Keys.ARROW_LEFT))
    assert held(driver) == 2
    token = element(driver, "gray").get_attribute("src").split("/")[4]
    (session,) = tmp_path_factory.getbasetemp().glob(f"page[0-9]*/colorizer-*/{token}")
    if how == "close":
        driver.get("about:blank")
    else:
        element(driver, "clear").click()
        wait(driver, lambda d: element(d, "empty").is_displayed())
        assert held(driver) == 0
    deadline = time.monotonic() + 20
    while session.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not session.exists()
