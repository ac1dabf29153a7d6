"""The page of a study: what is in it, and the whole of it in a real browser, from the disk."""

import csv
import json
import re
import time
from collections import Counter

import numpy as np
import pytest
import scipy.optimize
from conftest import crops
from PIL import Image

from inference.blind import order_of_pairs


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three photos; the name of one would end a script where it was not escaped."""
    root = tmp_path_factory.mktemp("study") / "photos"
    root.mkdir()
    for name, crop in zip(("a.png", 'b<script>",é.png', "c.png"), crops(3), strict=True):
        Image.fromarray(crop).save(root / name)
    return root


def write(cli, folder, vivid, trained, tmp_path, *flags):
    """A page of two models, and the outcome."""
    path = tmp_path / "page.html"
    argv = [f"--compare={vivid},{trained('model1')}", f"--image_path={folder}", f"--output_path={path}"]
    return path, cli("--mode=compare", "--blind", *argv, *flags)


def study_of(path):
    """What the page knows."""
    found = re.search(r'<script type="application/json" id="study">(.*?)</script>', path.read_text())
    return json.loads(found[1])


def test_every_two_models_once_for_each_photo():
    pairs = order_of_pairs(40, 3, seed=1)
    assert Counter((photo, *sorted(two)) for photo, *two in pairs) == Counter(
        (photo, *two) for photo in range(40) for two in ((0, 1), (0, 2), (1, 2))
    )
    assert order_of_pairs(40, 3, seed=1) == pairs
    assert order_of_pairs(40, 3, seed=2) != pairs
    assert [photo for photo, *_ in pairs] != sorted(photo for photo, *_ in pairs)
    assert 40 < sum(left < right for _, left, right in pairs) < 80


def test_what_the_page_holds(cli, folder, vivid, trained, tmp_path):
    path, outcome = write(cli, folder, vivid, trained, tmp_path)
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == str(path)
    text = path.read_text()
    assert not re.search(r"https?:", text)
    assert "default-src 'none'" in text
    study = study_of(path)
    assert [model["label"] for model in study["models"]] == ["vivid", "model1"]
    assert study["photos"] == ["a.png", 'b<script>",é.png', "c.png"]
    assert len(study["pairs"]) == 3
    assert all(uri.startswith("data:image/jpeg;base64,") for row in study["pictures"] for uri in row)
    before = text
    assert write(cli, folder, vivid, trained, tmp_path, "--overwrite")[1].code == 0
    assert path.read_text() == before
    assert (
        write(cli, folder, vivid, trained, tmp_path, "--overwrite", "--seed=7", "--max_photos=2")[1].code == 0
    )
    assert len(study_of(path)["pairs"]) == 2
    assert study_of(path)["id"] != study["id"]


def test_photos_of_one_name_are_told_apart(cli, vivid, trained, tmp_path):
    for name, crop in zip(("first", "second"), crops(2), strict=True):
        (tmp_path / "photos" / name).mkdir(parents=True)
        Image.fromarray(crop).save(tmp_path / "photos" / name / "a.png")
    path, outcome = write(cli, tmp_path / "photos", vivid, trained, tmp_path, "--recursive")
    assert outcome.code == 0, outcome.err
    assert study_of(path)["photos"] == ["first/a.png", "second/a.png"]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--compare={run}", "--image_path=a.png"], "--blind shows people two models' pictures"),
        (["--compare={run},{other}"], "it needs --image_path=FILE or FOLDER"),
        (["--compare={run},{other}", "--image_path=a.png", "--output_path=x.png"], "must be .html"),
    ],
)
def test_mistakes(cli, trained, vivid, tmp_path, monkeypatch, flags, message):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(crops(1)[0]).save("a.png")
    flags = [flag.format(run=trained("model1"), other=vivid) for flag in flags]
    outcome = cli("--mode=compare", "--blind", *flags)
    assert outcome.code == 2
    assert message in outcome.error
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


# In a browser.


@pytest.fixture(scope="module")
def browser():
    pytest.importorskip("selenium")
    from benchmarks.figures.screenshot import CHROMIUM, DRIVER, chromium

    if not (CHROMIUM.exists() and DRIVER.exists()):
        pytest.skip(f"needs {CHROMIUM} and {DRIVER}")
    with chromium(width=1000, height=800) as driver:
        yield driver


@pytest.fixture
def opened(browser, cli, folder, vivid, trained, tmp_path):
    """The page from the disk: what it knows, and a way to press keys."""
    path, outcome = write(cli, folder, vivid, trained, tmp_path)
    assert outcome.code == 0
    browser.get(path.as_uri())
    browser.execute_script("confirm = () => true; document.getElementById('again').click()")
    browser.execute_cdp_cmd(
        "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)}
    )
    return study_of(path)


def press(browser, *names):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    for name in names:
        ActionChains(browser).send_keys(getattr(Keys, name)).perform()


def rows(browser, table):
    found = f"[...document.querySelectorAll('#{table} tbody tr')]"
    return browser.execute_script(
        f"return {found}.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )


def on_screen(browser):
    return browser.execute_script("return document.body.innerText")


def downloaded(browser, tmp_path, button):
    browser.find_element("id", button).click()
    deadline = time.monotonic() + 30
    # Chromium makes an empty file of the name first.
    while not (found := [file for file in tmp_path.glob(f"choices_*.{button}") if file.stat().st_size]):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found[0]


def test_keys_clicks_undo_and_reload(browser, opened):
    assert "0 of 3" in on_screen(browser)
    shown = browser.execute_script(
        "return [...document.images].map(i => [i.src, i.complete && i.naturalWidth])"
    )
    photo, left, right = opened["pairs"][0]
    assert shown == [[opened["pictures"][photo][side], 64] for side in (left, right)]
    press(browser, "ARROW_LEFT", "ARROW_DOWN", "BACKSPACE")
    assert "1 of 3" in on_screen(browser)
    assert "vivid" not in on_screen(browser)
    browser.find_element("id", "right").click()
    browser.refresh()
    assert "2 of 3" in on_screen(browser)
    press(browser, "ARROW_DOWN", "ARROW_LEFT")
    assert "last pair" in on_screen(browser)
    # Two lefts or rights of this order, and one of neither.
    _, *first = opened["pairs"][0]
    _, *second = opened["pairs"][1]
    chosen = Counter(opened["models"][i]["label"] for i in (first[0], second[1]))
    for label, _, won, lost, neither in rows(browser, "scores"):
        assert (int(won), int(lost), neither) == (chosen[label], 2 - chosen[label], "1")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]


def test_after_the_last_pair(browser, opened):
    """Down scrolls the page, and undo hides the results."""
    press(browser, "ARROW_LEFT", "ARROW_LEFT", "ARROW_LEFT")
    browser.execute_script(
        "addEventListener('keydown', (event) => { window.prevented = event.defaultPrevented })"
    )
    press(browser, "ARROW_DOWN")
    assert not browser.execute_script("return window.prevented")
    assert "vivid" in on_screen(browser)
    press(browser, "BACKSPACE")
    assert "2 of 3" in on_screen(browser)
    assert "vivid" not in on_screen(browser)


def test_downloads_and_other_people(browser, opened, tmp_path):
    press(browser, "ARROW_LEFT", "ARROW_DOWN", "ARROW_RIGHT")
    file = downloaded(browser, tmp_path, "json")
    card = json.loads(file.read_text())
    labels = [model["label"] for model in opened["models"]]
    expected = [
        {"photo": opened["photos"][photo], "left": labels[left], "right": labels[right], "choice": choice}
        for (photo, left, right), choice in zip(opened["pairs"], ("left", "neither", "right"), strict=True)
    ]
    assert card["choices"] == expected
    assert (card["study"], card["seed"], card["models"]) == (opened["id"], 42, opened["models"])
    with open(downloaded(browser, tmp_path, "csv"), newline="", encoding="utf-8") as table:
        assert list(csv.DictReader(table)) == expected
    # The same file again counts nothing, another person's once, another study's not at all.
    theirs, foreign = tmp_path / "theirs.json", tmp_path / "foreign.json"
    theirs.write_text(json.dumps(card | {"session": "x"}))
    foreign.write_text(json.dumps(card | {"study": "0"}))
    browser.find_element("id", "others").send_keys(f"{file}\n{theirs}\n{theirs}\n{foreign}")
    deadline = time.monotonic() + 30
    while "foreign.json" not in on_screen(browser):
        assert time.monotonic() < deadline
    assert "Choices: 6, people: 2" in on_screen(browser)
    assert "theirs" not in on_screen(browser)


def fit(browser, wins):
    return browser.execute_script("return bradleyTerry(arguments[0])", wins)


def test_two_models_by_hand(browser, opened):
    """7 to 3: log-odds log(7.5 / 3.5), their variance 1 / 7.5 + 1 / 3.5."""
    first, second = fit(browser, [[0, 7], [3, 0]])
    logit, error = np.log(7.5 / 3.5), np.sqrt(1 / 7.5 + 1 / 3.5)
    assert first["mean"] == pytest.approx(7.5 / 11)
    ends = [1 / (1 + np.exp(-logit - z * error)) for z in (-1.959964, 1.959964)]
    assert [first["low"], first["high"]] == pytest.approx(ends)
    assert [second[key] for key in ("mean", "low", "high")] == pytest.approx(
        [1 - first[key] for key in ("mean", "high", "low")]
    )


def test_three_models_by_hand(browser, opened):
    """Half a choice more on each side makes 2 : 1, 2 : 1 and 4 : 1, which strengths of 4, 2 and 1 explain."""
    strongest, middle, weakest = fit(browser, [[0, 1.5, 3.5], [0.5, 0, 1.5], [0.5, 0.5, 0]])
    assert strongest["strength"] == pytest.approx(np.log(2))
    assert middle["strength"] == pytest.approx(0)
    assert strongest["mean"] == pytest.approx((4 / 6 + 4 / 5) / 2)
    assert weakest["mean"] == pytest.approx((1 / 5 + 1 / 3) / 2)


def test_four_models_as_an_optimizer_has_it(browser, opened):
    """And intervals against the curvature of the likelihood, by differences."""
    wins = np.array([[0, 9, 4, 0], [2, 0, 5.5, 3], [1, 3.5, 0, 8], [0, 2, 2, 0]])

    def loss(strengths):
        lead = strengths[:, None] - strengths[None]
        off = ~np.eye(4, dtype=bool)
        return ((wins + 0.5) * np.logaddexp(0, -lead))[off].sum() + strengths.sum() ** 2 / 2

    best = scipy.optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-9}).x
    found = fit(browser, wins.tolist())
    assert [row["strength"] for row in found] == pytest.approx(list(best), abs=1e-5)

    def chance(strengths, i):
        return np.mean([1 / (1 + np.exp(strengths[j] - strengths[i])) for j in range(4) if j != i])

    def gradient(function, at, step=1e-4):
        return np.array([(function(at + e) - function(at - e)) / (2 * step) for e in step * np.eye(4)])

    hessian = np.array([gradient(lambda s, k=k: gradient(loss, s)[k], best) for k in range(4)])
    for i, row in enumerate(found):
        slope = gradient(lambda s, i=i: chance(s, i), best)
        error = np.sqrt(slope @ np.linalg.inv(hessian) @ slope) / (row["mean"] * (1 - row["mean"]))
        logits = [np.log(row[end] / (1 - row[end])) for end in ("low", "high")]
        assert row["mean"] == pytest.approx(chance(best, i), abs=1e-5)
        assert np.diff(logits)[0] / (2 * 1.959964) == pytest.approx(error, rel=1e-4)


def test_one_that_always_won(browser, opened):
    best, worst = fit(browser, [[0, 20], [0, 0]])
    assert 0.97 < best["mean"] < 1
    assert best["low"] > 0.5
    assert worst["high"] < 0.5
