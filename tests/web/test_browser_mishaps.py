"""The page in a real browser where two things happen at once, or one goes wrong."""

import json
import zipfile

import numpy as np
import pytest
import skimage.data
from PIL import Image

pytest.importorskip("uvicorn")
pytest.importorskip("selenium")
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_browser import asked, change, correct, downloaded, element, shown, suggest_nothing

from benchmarks.figures.screenshot import CHROMIUM, DRIVER, drop, is_colored, wait

pytestmark = pytest.mark.skipif(
    not (CHROMIUM.exists() and DRIVER.exists()), reason=f"needs {CHROMIUM} and {DRIVER}"
)
HOLD = """const part = arguments[0], real = window.fetch;
const released = new Promise((resolve) => (window.release = resolve));
window.held = 0;
window.fetch = async (path, ...rest) => {
  if (path.includes(part)) {
    window.held++;
    await released;
  }
  return real(path, ...rest);
}"""
WIDTH, HEIGHT = 300, 200


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three of the same size, gray."""
    folder = tmp_path_factory.mktemp("photos")
    for i, name in enumerate(("a.png", "b.png", "c.png")):
        crop = skimage.data.coffee()[i * HEIGHT // 2 :][:HEIGHT, :WIDTH]
        Image.fromarray(crop).convert("L").save(folder / name)
    return sorted(folder.iterdir())


def hold(driver, part):
    """Let requests wait whose address has a part, until `release`."""
    driver.execute_script(HOLD, part)


def until_held(driver, num=1):
    wait(driver, lambda d: d.execute_script("return window.held") >= num)


def release(driver):
    driver.execute_script("window.release()")


def notes(driver):
    return [item.text for item in driver.find_elements(By.CSS_SELECTOR, "#notes li")]


def strip(driver):
    """Names of the photos in the strip."""
    return driver.execute_script("return [...document.querySelectorAll('#strip img')].map((i) => i.alt)")


def test_what_is_being_sent_while_all_is_deleted_does_not_come_back(driver, photos):
    drop(driver, photos[0])
    wait(driver, is_colored)
    hold(driver, "/photos?name=")
    drop(driver, *photos[:2])
    until_held(driver)
    element(driver, "clear").click()
    wait(driver, lambda d: element(d, "empty").is_displayed())
    release(driver)
    drop(driver, photos[2])
    wait(driver, is_colored)
    assert strip(driver) == ["c.png"]
    assert asked(driver, "/api/sessions") == 2
    assert not notes(driver)


def test_what_is_being_sent_is_seen_and_can_be_stopped(driver, photos):
    hold(driver, "/photos?name=")
    drop(driver, *photos[:2])
    until_held(driver)
    box = element(driver, "sending")
    wait(driver, lambda _: box.is_displayed())
    assert "Sending a.png, 1 of 2" in box.text
    assert would_ask(driver)
    box.find_element(By.TAG_NAME, "button").click()
    release(driver)
    wait(driver, lambda _: not box.is_displayed())
    drop(driver, photos[2])
    wait(driver, is_colored)
    assert strip(driver) == ["c.png"]
    assert not notes(driver)


def would_ask(driver):
    """Whether the browser would ask before it leaves the page."""
    return driver.execute_script("return !dispatchEvent(new Event('beforeunload', { cancelable: true }))")


def test_a_line_on_what_failed_goes_when_it_succeeds(driver, photos):
    drop(driver, photos[0])
    wait(driver, is_colored)
    driver.execute_script("""window.real = window.fetch;
        window.fetch = async () => { throw new TypeError("no network") }""")
    for _ in range(2):
        element(driver, "saturation").send_keys(Keys.ARROW_LEFT)
        wait(driver, notes)
    assert notes(driver) == ["the server cannot be reached: is it still running?"]
    driver.execute_script("window.fetch = window.real")
    change(driver, lambda: element(driver, "saturation").send_keys(Keys.ARROW_LEFT))
    assert not notes(driver)


def lose_session(driver):
    """What a restart of the server does, or a long pause: it has the files no more."""
    driver.execute_async_script("""const [done] = arguments;
        const leave = document.getElementById("gray").src.replace(/photos.*/, "leave");
        fetch(leave, { method: "POST" }).then(done)""")


def test_what_the_server_has_no_more_is_sent_again(driver, photos, tmp_path):
    """With its hints; the second photo when all are downloaded."""
    canvas = correct(driver, photos[0], "brush")
    suggest_nothing(driver)
    drop(driver, photos[1])
    wait(driver, lambda d: element(d, "name").text == "b.png" and is_colored(d))
    change(driver, lambda: driver.find_element(By.CSS_SELECTOR, "#strip button").click())
    change(driver, canvas.click)
    painted = shown(driver)
    lose_session(driver)
    for key in (Keys.ARROW_LEFT, Keys.ARROW_RIGHT):
        change(driver, lambda key=key: element(driver, "saturation").send_keys(key))
    assert np.array_equal(shown(driver), painted)
    assert driver.execute_script("return document.getElementById('gray').naturalWidth") == WIDTH
    element(driver, "develop-all").click()
    with zipfile.ZipFile(downloaded(driver, tmp_path, "colorized.zip")) as archive:
        assert archive.namelist() == ["a_colorized.png", "b_colorized.png"]
    assert not notes(driver)


def test_a_removed_photo_is_not_sent_again(driver, photos):
    drop(driver, *photos[:2])
    wait(driver, lambda d: len(strip(d)) == 2 and is_colored(d))
    hold(driver, "/color?")
    element(driver, "saturation").send_keys(Keys.ARROW_LEFT)
    until_held(driver)
    lose_session(driver)
    driver.execute_script(
        "arguments[0].click()", driver.find_element(By.CSS_SELECTOR, "#strip li:nth-child(1) .delete")
    )
    wait(driver, lambda d: strip(d) == ["b.png"])
    release(driver)
    wait(driver, is_colored)
    names = driver.execute_script(
        "return performance.getEntriesByType('resource').map(e => e.name.split('/photos?name=')[1])"
    )
    assert names.count("a.png") == 1
    assert names.count("b.png") > 1


def test_hints_that_were_not_downloaded_are_asked_about(driver, photos, tmp_path):
    canvas = correct(driver, photos[0], "dot")
    suggest_nothing(driver)
    assert not would_ask(driver)
    change(driver, canvas.click)
    assert would_ask(driver)
    element(driver, "develop").click()
    downloaded(driver, tmp_path, "a_colorized.png")
    wait(driver, lambda d: element(d, "develop").is_enabled())
    assert not would_ask(driver)


def test_nothing_is_called_deleted_that_the_server_still_has(driver, photos):
    drop(driver, photos[0])
    wait(driver, is_colored)
    driver.execute_script("""window.real = window.fetch;
        window.fetch = async (path, ...rest) => {
            if (path.endsWith("/leave")) throw new TypeError("no network");
            return window.real(path, ...rest)
        }""")
    element(driver, "clear").click()
    wait(driver, notes)
    assert notes(driver) == ["the server cannot be reached: is it still running?"]
    assert strip(driver) == ["a.png"]
    driver.execute_script("window.fetch = window.real")
    element(driver, "clear").click()
    wait(driver, lambda d: element(d, "empty").is_displayed())
    assert not notes(driver)


def test_files_dropped_at_once_share_a_session(driver, photos):
    """Also where the one that they shared is gone: an answer waits until both have one."""
    hold(driver, "/api/sessions")
    for photo in photos[:2]:
        drop(driver, photo)
    until_held(driver)
    release(driver)
    wait(driver, lambda d: len(strip(d)) == 2 and is_colored(d))
    assert asked(driver, "/api/sessions") == 1
    driver.execute_script("""const real = window.fetch, missed = [];
        window.fetch = async (path, ...rest) => {
            const answer = await real(path, ...rest);
            if (path.includes("/photos?name=") && answer.status === 404) {
                await new Promise((go) => missed.push(go) > 1 && missed.forEach((f) => f()));
            }
            return answer;
        };
        fetch(document.getElementById("gray").src.replace(/photos.*/, "leave"), { method: "POST" })
            .then(() => (window.isGone = true))""")
    wait(driver, lambda d: d.execute_script("return window.isGone"))
    for photo in (photos[2], photos[2]):
        drop(driver, photo)
    wait(driver, lambda d: len(strip(d)) == 4)
    assert asked(driver, "/api/sessions") == 2
    seen = "return [...document.querySelectorAll('#strip img')].slice(2).every((i) => i.naturalWidth > 0)"
    wait(driver, lambda d: d.execute_script(seen))


def test_a_photo_removed_while_all_are_developed(driver, photos, tmp_path):
    drop(driver, *photos)
    wait(driver, lambda d: len(strip(d)) == 3 and is_colored(d))
    hold(driver, "/full?")
    element(driver, "develop-all").click()
    until_held(driver)
    driver.execute_script(
        "arguments[0].click()", driver.find_element(By.CSS_SELECTOR, "#strip li:nth-child(2) .delete")
    )
    wait(driver, lambda d: len(strip(d)) == 2)
    release(driver)
    with zipfile.ZipFile(downloaded(driver, tmp_path, "colorized.zip")) as archive:
        assert archive.namelist() == ["a_colorized.png", "c_colorized.png"]


def test_doubt_that_comes_when_it_is_no_more_wanted(driver, photos):
    drop(driver, photos[0])
    wait(driver, is_colored)
    hold(driver, "/doubt?")
    element(driver, "overlay").click()
    until_held(driver)
    element(driver, "overlay").click()
    release(driver)
    wait(driver, lambda d: asked(d, "/doubt"))
    change(driver, lambda: element(driver, "saturation").send_keys(Keys.ARROW_LEFT))
    assert not element(driver, "doubt").is_displayed()


@pytest.mark.parametrize("name", ["note.json", "note.png"])
def test_a_file_without_hints(driver, photos, tmp_path, name):
    (tmp_path / name).write_text("x")
    correct(driver, photos[0], "dot")
    element(driver, "load").send_keys(str(tmp_path / name))
    wait(driver, notes)
    assert notes(driver) == [f"{name} holds no hints: choose a JSON or PNG that was saved here"]


@pytest.mark.parametrize("kind", ["size", "color"])
def test_hints_that_are_refused_do_not_stand_in_the_way(driver, photos, tmp_path, kind):
    path = tmp_path / ("hints.png" if kind == "size" else "hints.json")
    if kind == "size":
        Image.new("RGBA", (50, 40), "red").save(path)
    else:
        path.write_text(json.dumps([{"x": 10, "y": 10}]))
    correct(driver, photos[0], "dot")
    plain = shown(driver)
    element(driver, "load").send_keys(str(path))
    wait(driver, notes)
    assert not element(driver, "undo").is_enabled()
    change(driver, lambda: element(driver, "saturation").send_keys(Keys.HOME))
    assert not np.array_equal(shown(driver), plain)
    assert len(notes(driver)) == 1, notes(driver)


def test_a_second_picture_of_strokes_takes_the_place_of_the_first(driver, photos, tmp_path):
    canvas = correct(driver, photos[0], "dot")
    suggest_nothing(driver)
    for name, left, color in (("red", 40, "red"), ("blue", 240, "blue")):
        picture = Image.new("RGBA", (WIDTH, HEIGHT))
        picture.paste(color, (left, 90, left + 20, 110))
        picture.save(tmp_path / f"{name}.png")
        change(driver, lambda name=name: element(driver, "load").send_keys(str(tmp_path / f"{name}.png")))
    scale = canvas.size["width"] / WIDTH
    pixel = "return [...arguments[0].getContext('2d').getImageData(arguments[1], arguments[2], 1, 1).data]"
    drawn = [driver.execute_script(pixel, canvas, round(x * scale), round(100 * scale)) for x in (50, 250)]
    assert drawn == [[0] * 4, [0, 0, 255, 255]]
    both = shown(driver)
    change(driver, element(driver, "remove").click)
    change(driver, lambda: element(driver, "load").send_keys(str(tmp_path / "blue.png")))
    assert np.array_equal(shown(driver), both)


def test_undo_after_all_is_deleted(driver, photos):
    canvas = correct(driver, photos[0], "dot")
    suggest_nothing(driver)
    change(driver, canvas.click)
    element(driver, "clear").click()
    wait(driver, lambda d: element(d, "empty").is_displayed())
    ActionChains(driver).key_down(Keys.CONTROL).send_keys("z").key_up(Keys.CONTROL).perform()
    driver.execute_async_script("setTimeout(arguments[0], 200)")
    assert not notes(driver)


def test_the_keyboard_stays_in_the_strip(driver, photos):
    drop(driver, *photos)
    wait(driver, lambda d: len(strip(d)) == 3 and is_colored(d))
    driver.find_element(By.CSS_SELECTOR, "#strip li:nth-child(2) button").send_keys(Keys.ENTER)
    wait(driver, lambda d: element(d, "name").text == "b.png" and is_colored(d))
    focused = "return document.activeElement.firstElementChild?.alt ?? document.activeElement.ariaLabel"
    assert driver.execute_script(focused) == "b.png"
    ActionChains(driver).send_keys(Keys.TAB, Keys.ENTER).perform()
    wait(driver, lambda d: strip(d) == ["a.png", "c.png"])
    assert driver.execute_script(focused) == "Remove c.png"
