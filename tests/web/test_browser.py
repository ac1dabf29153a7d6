"""The page in a real browser: drop, see colour, change it, take it home; and hostile files."""

import io
import json
import urllib.parse
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image
from test_server import bomb

from media.encode import save_picture
from media.metadata import Metadata
from media.picture import Picture, load_picture

pytest.importorskip("gradio")
pytest.importorskip("selenium")
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.screenshot import CHROMIUM, DRIVER, chromium, drop, pictures, wait

pytestmark = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason=f"needs {CHROMIUM} and {DRIVER}"
)
GRAY = (skimage.color.rgb2gray(skimage.data.coffee()) * 65535).round().astype(np.uint16)


@pytest.fixture(scope="module")
def browser():
    with chromium(width=1100, height=1000) as driver:
        yield driver


@pytest.fixture
def driver(browser, page):
    browser.get(page)
    return browser


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """Gray, of 16 bits, with a resolution and a description."""
    exif = Image.Exif()
    exif[270] = "grandmother"
    path = tmp_path_factory.mktemp("photos") / "old photo.png"
    pixels = np.repeat(GRAY[..., None], 3, axis=2)
    save_picture(path, Picture(pixels, None, Metadata(exif.tobytes(), dpi=(300.0, 300.0))), quality=95)
    return path


def load(address):
    with urllib.request.urlopen(address) as answer:
        return answer.read()


def chroma(address):
    lab = skimage.color.rgb2lab(np.asarray(Image.open(io.BytesIO(load(address)))))
    return float(np.hypot(lab[..., 1], lab[..., 2]).mean())


def colored(driver, before=()):
    """The address of the colored picture, when it is another than before."""

    def found(driver):
        shown = pictures(driver)
        return len(shown) == 2 and shown[1] not in before and shown[1]

    return wait(driver, found)


def notes(driver):
    field = wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#notes textarea"))[0]
    return wait(driver, lambda _: field.get_attribute("value"))


def download(driver):
    driver.find_element(By.ID, "develop").click()
    links = wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#file a[href]"))
    return links[0].get_attribute("href")


def test_drop_see_change_download(driver, photo, tmp_path):
    drop(driver, photo)
    first = colored(driver)
    assert chroma(pictures(driver)[0]) < 1
    usual = chroma(first)  # now: few previews are kept
    assert usual > 4
    slider = driver.find_element(By.CSS_SELECTOR, "#saturation input[type=range]")
    slider.send_keys(Keys.HOME)
    gray = colored(driver, [first])
    assert chroma(gray) < 1
    driver.find_element(By.CSS_SELECTOR, "#overlay input").click()
    overlay = colored(driver, [first, gray])
    assert chroma(overlay) > chroma(gray) + 1
    number = driver.find_element(By.CSS_SELECTOR, "#saturation input[type=number]")
    number.send_keys(Keys.CONTROL, "a")
    number.send_keys("1.5", Keys.TAB)
    wait(driver, lambda _: chroma(colored(driver, [first, gray, overlay])) > usual)
    address = download(driver)
    assert urllib.parse.unquote(address).endswith("/old photo_colorized.png")
    path = tmp_path / "colored.png"
    path.write_bytes(load(address))
    found = load_picture(path, max_pixels=10**6)
    assert found.size == (600, 400)
    assert found.pixels.dtype == np.uint16
    lab = skimage.color.rgb2lab(found.pixels / 65535)
    assert (
        np.abs(lab[..., 0] - skimage.color.rgb2lab(np.repeat(GRAY[..., None], 3, 2) / 65535)[..., 0]).max()
        < 0.05
    )
    assert np.hypot(lab[..., 1], lab[..., 2]).mean() > 6
    with Image.open(path) as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.getexif()[270] == "grandmother"
        assert image.getexif()[305].endswith("colours inferred")


def test_several_photos_come_as_a_zip(driver, photo, tmp_path):
    second = tmp_path / "cat.jpg"
    Image.fromarray(skimage.data.chelsea()[:200, :300]).save(second)
    drop(driver, second, photo)
    colored(driver)
    wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "[aria-label=Shown]"))
    with zipfile.ZipFile(io.BytesIO(load(download(driver)))) as archive:
        assert archive.namelist() == ["cat_colorized.png", "old photo_colorized.png"]
        assert Image.open(archive.open("cat_colorized.png")).size == (300, 200)


def test_hostile_files(driver, photo, tmp_path):
    """A line for each, nothing of their names runs, and a photo is colored all the same."""
    text, huge = tmp_path / "x.jpg", tmp_path / "huge.png"
    named = tmp_path / "<img src=x onerror=document.title='owned'>[a](javascript:b).png"
    text.write_text("<script>document.title = 'owned'</script>")
    huge.write_bytes(bomb())
    named.write_text("no photo either")
    drop(driver, text, huge, named, photo)
    colored(driver)
    lines = wait(driver, lambda d: (found := notes(d).splitlines()) and len(found) == 3 and found)
    assert lines[0].startswith("x.jpg is not a photo")
    assert lines[1].startswith("huge.png has more than 2,000,000 pixels")
    assert lines[2].startswith("img src=x onerror=document.title='owned'[a](javascriptb).png is not a photo")
    assert driver.title == "Colorizer"
    assert not driver.find_elements(By.CSS_SELECTOR, "img[src=x]")


def test_too_large_uploads_are_refused_with_a_word(driver, tmp_path):
    """By the page when one photo is, by the server when all together are."""
    big, half, other = (tmp_path / f"{name}.png" for name in ("big", "half", "other"))
    for path, size in ((big, 3_200_000), (half, 2_000_000), (other, 2_000_000)):
        path.write_bytes(bytes(size))
    drop(driver, big)
    wait(driver, lambda d: "exceed the maximum allowed size" in d.page_source)
    driver.refresh()
    drop(driver, half, other)
    wait(driver, lambda d: "more than 3 MB at once" in d.page_source)


def test_no_other_host_is_asked_for_anything(driver, page):
    wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "#drop input"))
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    own = [m["request"]["url"] for m in sent if m["documentURL"].startswith(page)]
    assert len(own) > 20
    assert {urllib.parse.urlsplit(url).netloc for url in own if not url.startswith(("data:", "blob:"))} == {
        urllib.parse.urlsplit(page).netloc
    }
    assert not [entry for entry in driver.get_log("browser") if "Content Security Policy" in entry["message"]]


def test_narrow_screens_need_no_sideways_scrolling(driver, photo):
    size = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        drop(driver, photo)
        colored(driver)
        assert driver.execute_script("return document.documentElement.scrollWidth") <= 360
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


@pytest.mark.parametrize("how", ["close", "delete"])
def test_photos_are_deleted(driver, photo, how):
    drop(driver, photo)
    address = urllib.parse.unquote(colored(driver).partition("file=")[2])
    session = Path(address).parent.parent
    assert session.exists()
    if how == "close":
        driver.get("about:blank")
    else:
        driver.find_element(By.ID, "clear").click()
    wait(driver, lambda _: not session.exists())
    if how == "delete":
        wait(driver, lambda d: not pictures(d))
