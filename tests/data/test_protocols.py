"""Protocols: what they set, which photos they take, and folders that do not hold them."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest
from conftest import crops, fill
from PIL import Image

import main
from config import Config
from core.errors import UserError
from core.runs import BEST
from data import protocols
from data.listing import Listing, Photo
from data.protocols import PROTOCOLS, photos_of, with_protocol
from scoring.scorecard import METRIC_NAMES


def parse(*argv):
    return main.parse(["--mode=test", *argv])


def listing(*names):
    return Listing("photos", tuple(Photo(name, Path(name), "", name) for name in names))


def test_rows_fit_the_configuration():
    declared = {item.name: item for item in dataclasses.fields(Config)}
    assert declared["protocol"].metadata["choices"] == tuple(PROTOCOLS)
    for protocol in PROTOCOLS.values():
        assert set(protocol.settings) <= set(declared)
        assert set(protocol.metrics) <= set(METRIC_NAMES)


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_protocol_says_size_and_resize(name):
    config = with_protocol(parse(f"--protocol={name}"))
    assert (config.image_size, config.resize) == {
        "published": (224, "squash"),
        "ctest10k": (256, "squash"),
        "val5k": (256, "crop"),
    }[name]
    assert {"image_size", "resize", "split"} <= config.given
    assert config.set_scores == ("efficientnet" if name == "val5k" else None)
    assert with_protocol(parse(f"--protocol={name}", f"--image_size={config.image_size}")) == config


@pytest.mark.parametrize("flag", ["--image_size=128", "--split=val", "--max_photos=10", "--resize=squash"])
def test_flags_that_say_otherwise(flag):
    name = flag.partition("=")[0]
    with pytest.raises(UserError, match=f"--protocol=val5k says itself what {name} is"):
        with_protocol(parse("--protocol=val5k", flag))


def test_val5k_may_look_with_the_features_of_the_field():
    config = with_protocol(parse("--protocol=val5k", "--set_scores=inception"))
    assert (config.set_scores, config.image_size) == ("inception", 256)


def test_published_is_of_places():
    config = with_protocol(parse("--protocol=published"))
    good = listing("Places365_val_00000001.jpg", "a/airfield/00000123.jpg")
    assert photos_of(config, good) is good
    with pytest.raises(UserError, match=r"cat\.jpg is not one of its files"):
        photos_of(config, listing("Places365_val_00000001.jpg", "cat.jpg"))
    assert 30_000 * config.split_ratio[2] == PROTOCOLS["published"].num_photos


def test_photos_by_their_numbers():
    """Of the whole validation set val5k takes the first; in folders of classes or not."""
    names = [f"n{n % 3}/ILSVRC2012_val_{n:08}.JPEG" for n in range(5_010, 0, -1)]
    chosen = photos_of(with_protocol(parse("--protocol=val5k")), listing(*names))
    assert {photo.name for photo in chosen.photos} == set(names[10:])
    for wrong in (names[11:], [*names, "again/ILSVRC2012_val_00000007.JPEG"]):
        with pytest.raises(UserError, match="is of 5000 photos of ILSVRC2012_val_00000001 to"):
            photos_of(with_protocol(parse("--protocol=val5k")), listing(*wrong))
    half = [f"ILSVRC2012_val_{n:08}.JPEG" for n in range(25_275, 25_275 + 10_000)]
    config = with_protocol(parse("--protocol=ctest10k"))
    assert len(photos_of(config, listing(*half, *names)).photos) == 10_000
    with pytest.raises(UserError, match="holds 9999 of these files"):
        photos_of(config, listing(*half[1:], *names))


@pytest.fixture
def small(monkeypatch):
    """val5k of five photos, at a size for tests."""
    row = PROTOCOLS["val5k"]
    settings = {**row.settings, "image_size": 32, "set_scores": None}
    row = dataclasses.replace(row, num_photos=5, numbers=range(1, 6), settings=settings)
    monkeypatch.setitem(protocols.PROTOCOLS, "val5k", row)


def test_in_both_modes(cli, small, trained, tmp_path):
    """Gray photos and copies are among them; files and tables have the protocol's name and metrics."""
    folder = tmp_path / "val"
    folder.mkdir()
    first, *others = crops(5)
    for number, pixels in enumerate((first, first, first[..., 0], *others), start=1):
        Image.fromarray(pixels).save(folder / f"ILSVRC2012_val_{number:08}.png")
    weights = shutil.copy(trained("model1") / BEST, tmp_path)  # without the run, which saw such photos
    argv = [f"--data_dir={folder}", f"--run_dir={tmp_path / 'run'}", "--device=cpu", "--protocol=val5k"]
    outcome = cli("--mode=test", f"--weights={weights}", *argv)
    assert outcome.code == 0
    card = json.loads((tmp_path / "run" / "metrics_val5k.json").read_text())
    assert (card["num_photos"], card["image_size"], card["resize"]) == (5, 32, "crop")
    assert card["protocol"]["name"] == "val5k"
    assert "SSIM" in outcome.out
    assert "MSE" not in outcome.out
    assert cli("--mode=compare", f"--compare={weights}", *argv).code == 0
    compared = json.loads((tmp_path / "run" / "compare_val5k.json").read_text())
    (model,) = compared["models"].values()
    assert model["psnr"]["mean"] == pytest.approx(card["psnr"]["mean"])
    (folder / "ILSVRC2012_val_00000005.png").write_bytes(b"x")
    outcome = cli("--mode=test", f"--weights={weights}", *argv, "--max_rejected=1")
    assert outcome.code == 2
    assert "is of 5 photos, and there are 4" in outcome.error


def test_a_folder_without_the_set(cli, trained, tmp_path):
    argv = [f"--data_dir={fill(tmp_path / 'photos', 3)}", f"--weights={trained('model1') / BEST}"]
    outcome = cli("--mode=test", *argv, "--protocol=ctest10k", f"--run_dir={tmp_path / 'run'}")
    assert outcome.code == 2
    assert "holds 0 of these files" in outcome.error
