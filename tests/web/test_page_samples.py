"""Several drawings of a photo by a model that draws its colours, to choose from."""

import contextlib
import io
import json
import socket
import threading

import numpy as np
import pytest
import skimage.data
import torch
from conftest import small_model
from PIL import Image
from visitor import Visitor, error_of, request

pytest.importorskip("uvicorn")
pytest.importorskip("selenium")
import uvicorn
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.ui import WebDriverWait

from benchmarks.figures.screenshot import CHROMIUM, DRIVER
from checkpoint.file import load_weights, save_weights
from config import Config
from web.app import build_app
from web.desk import Desk
from web.sessions import Sessions
from web.studio import Studio


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Of a model that draws: untrained, so that it draws anything at all."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("drawing") / "drawer.safetensors"
    save_weights(path, "coltran2021", small_model("coltran2021"), {"image_size": 32, "resize": "squash"})
    return path


@pytest.fixture(scope="module")
def drawing_page(weights):
    """Served by a thread: starting another process takes longer than all that is asked of it here."""
    studio = Studio(Config(mode="serve", device="cpu"), load_weights(weights))
    with (
        contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener,
        contextlib.closing(Sessions(max_bytes=10**8, max_sessions=32, keep_seconds=600)) as sessions,
    ):
        desk = Desk(studio, sessions, max_upload=10**6)
        app = build_app(desk, hosts=frozenset({"127.0.0.1"}))
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join(60)
        desk.cinema.close()


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


PHOTO = png(skimage.data.astronaut()[:90, 180:280])


def about(url):
    return json.loads(request(f"{url}/api/about")[1])


def test_each_seed_gives_colours_of_its_own(drawing_page):
    offered = about(drawing_page)
    drawing = [model["name"] for model in offered["models"] if model["draws"]]
    assert drawing == [offered["model"]]
    visitor = Visitor(drawing_page)
    visitor.look = {"model": offered["model"], "vividness": 0, "saturation": 1}
    photo = visitor.add("old.png", PHOTO)
    answers = [visitor.color(photo), *(visitor.color(photo, seed=seed) for seed in (0, 1, 2))]
    assert [status for status, _ in answers] == [200] * 4
    assert len({body for _, body in answers}) == 4
    assert visitor.color(photo, seed=1) == answers[2]
    assert visitor.color(photo) == answers[0]


def test_what_is_downloaded_is_the_drawing_that_was_chosen(drawing_page, weights, cli, tmp_path):
    visitor = Visitor(drawing_page)
    photo = visitor.add("old.png", PHOTO)
    wish = visitor.look | {"model": about(drawing_page)["model"], "seed": 5, "format": ".png"}
    assert visitor.ask(f"photos/{photo}/full", b"", **wish)[0] == 200
    _, body = visitor.ask(f"photos/{photo}/full", **wish)
    (tmp_path / "old.png").write_bytes(PHOTO)
    flags = [f"--image_path={tmp_path / 'old.png'}", f"--output_path={tmp_path / 'drawn.png'}"]
    drawn = cli("--mode=predict", f"--weights={weights}", "--sample_seed=5", *flags, "--keep_color=no")
    assert drawn.code == 0, drawn.err
    expected = np.asarray(Image.open(tmp_path / "drawn.png"))
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(body))), expected)


@pytest.mark.parametrize("seed", ["x", "-1", "1.5", "", 2**32])
def test_a_seed_that_is_none(drawing_page, seed):
    visitor = Visitor(drawing_page)
    photo = visitor.add("old.png", PHOTO)
    assert error_of(visitor.color(photo, seed=seed)) == (
        *(400, "seed must be a whole number from 0 to 4294967295"),
    )


def test_models_that_draw_nothing(page):
    assert not any(model["draws"] for model in about(page)["models"])
    visitor = Visitor(page)
    photo = visitor.add("old.png", PHOTO)
    assert visitor.color(photo, seed=3) == visitor.color(photo)


@pytest.fixture
def window(browser, drawing_page):
    browser.get(drawing_page)
    return browser


@pytest.mark.skipif(not (CHROMIUM.exists() and DRIVER.exists()), reason=f"needs {CHROMIUM} and {DRIVER}")
def test_one_is_chosen_in_the_browser(window, tmp_path):
    def all_of(selector):
        return window.find_elements(By.CSS_SELECTOR, selector)

    def until(condition):
        WebDriverWait(window, 60).until(lambda _: condition())

    def is_colored():
        return window.find_element(By.ID, "status").text == "old.png is colored"

    def shown():
        script = """const image = document.getElementById("color");
            const canvas = new OffscreenCanvas(20, 20), pen = canvas.getContext("2d");
            pen.drawImage(image, 0, 0, 20, 20);
            return [...pen.getImageData(0, 0, 20, 20).data]"""
        return window.execute_script(script)

    path = tmp_path / "old.png"
    path.write_bytes(PHOTO)
    window.find_element(By.ID, "files").send_keys(str(path))
    until(is_colored)
    guess = shown()
    assert [button.text for button in all_of("#samples button")] == ["best guess"]
    window.find_element(By.ID, "draw").click()
    until(lambda: len(all_of("#samples img")) == 4)
    assert shown() == guess
    all_of("#samples button")[2].click()
    until(lambda: is_colored() and shown() != guess)
    assert [b.get_attribute("aria-pressed") for b in all_of("#samples button")].index("true") == 2
    Select(window.find_element(By.ID, "model")).select_by_visible_text("model1")
    until(lambda: not window.find_element(By.ID, "samples-field").is_displayed())
