"""The compare mode on real files: tables of differences, and pictures."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch
from conftest import crops
from PIL import Image

import compare
from checkpoint.file import load_weights, save_weights
from core.runs import BEST, holds_run
from models.registry import MODELS, build_model

FIRST = next(iter(MODELS))


@pytest.fixture
def other(tmp_path):
    """Weights of the first model that nobody trained, for photos of the size that `trained` has."""
    torch.manual_seed(3)
    path = tmp_path / "other.safetensors"
    save_weights(path, FIRST, build_model(FIRST), {"image_size": 32, "resize": "squash"})
    return path


@pytest.fixture
def on_photos(cli, photos, tmp_path):
    """Compare on all photos: models -> outcome and what was written as JSON."""

    def run(*models, flags=("--split=all",)):
        run_dir = tmp_path / "scores"
        argv = [f"--compare={','.join(map(str, models))}", f"--data_dir={photos}", f"--run_dir={run_dir}"]
        outcome = cli("--mode=compare", *argv, "--device=cpu", *flags)
        cards = [json.loads(path.read_text()) for path in run_dir.glob("compare*.json")]
        return outcome, cards[0] if cards else {}

    return run


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_every_model_beside_another(on_photos, trained, other, trainee, photos, tmp_path):
    """Its scores are those of the test mode, and the differences those of the photos' own."""
    run_dir = trained(trainee)
    outcome, card = on_photos(run_dir, other)
    assert outcome.code == 0
    assert card["num_photos"] == 16
    assert list(card["models"]) == [trainee, "other"]
    mine = card["models"][trainee]
    assert mine["model"] == trainee
    assert mine["parameters"] == sum(p.numel() for p in load_weights(run_dir / BEST).model.parameters())
    assert mine["photos_per_second"] > 0
    pairs = [(pair["of"], pair["minus"]) for pair in card["differences"]]
    assert pairs == [(trainee, "gray"), ("other", "gray"), ("other", trainee)]
    # 14 of the photos were trained or chosen on: not what a test would be.
    assert not (tmp_path / "scores" / "compare.csv").exists()
    rows = read(tmp_path / "scores" / "compare_all.csv")
    own, others = ([row for row in rows if row["model"] == name] for name in (trainee, "other"))
    assert [row["name"] for row in own] == [row["name"] for row in others]
    tested = {row["name"]: row for row in read(trained(trainee) / "per_image.csv")}
    for row in own:
        if row["name"] in tested:
            assert float(row["psnr"]) == pytest.approx(float(tested[row["name"]]["psnr"]), rel=1e-5)
    for name in ("psnr", "ssim", "delta_e_2000"):
        leads = [float(a[name]) - float(b[name]) for a, b in zip(others, own, strict=True)]
        assert card["differences"][-1][name]["mean"] == pytest.approx(np.mean(leads))
    gaps = [abs(float(r["colorfulness"]) - float(r["truth_colorfulness"])) for r in own]
    assert mine["colorfulness_gap"]["mean"] == pytest.approx(np.mean(gaps))
    ratio = sum(float(r["chroma"]) for r in own) / sum(float(r["truth_chroma"]) for r in own)
    assert mine["chroma_ratio"]["mean"] == pytest.approx(ratio)
    for text in (f"other − {trainee}", "mean_color", f"{mine['parameters']:,} parameters"):
        assert text in outcome.out


def test_a_model_and_itself_do_not_differ(on_photos, trained, tmp_path):
    twin = shutil.copy(trained(FIRST) / BEST, tmp_path / "twin.safetensors")
    outcome, card = on_photos(trained(FIRST), twin)
    assert outcome.code == 0
    pair = card["differences"][-1]
    assert (pair["of"], pair["minus"]) == ("twin", FIRST)
    for name in compare.paired.COMPARED:
        assert pair[name] == {"mean": 0.0, "low": 0.0, "high": 0.0, "differs": False}
        assert card["models"]["twin"][name] == card["models"][FIRST][name]


def test_intervals_are_those_of_the_test_mode(cli, on_photos, trained, photos, tmp_path):
    weights = trained(FIRST) / BEST
    _, card = on_photos(weights)
    argv = [f"--data_dir={photos}", f"--run_dir={tmp_path / 'test'}", f"--weights={weights}", "--split=all"]
    assert cli("--mode=test", *argv, "--device=cpu").code == 0
    alone = json.loads((tmp_path / "test" / "metrics_all.json").read_text())  # the training saw most of them
    assert card["floors"] == alone["floors"]
    assert card["truth"] == alone["truth"]
    for name in ("psnr", "ssim", "delta_e_76", "colorfulness"):
        both = card["models"][FIRST][name], alone[name]
        assert all(both[0][key] == pytest.approx(both[1][key]) for key in ("mean", "low", "high"))


def test_few_photos_tell_no_difference(on_photos, trained, other):
    outcome, card = on_photos(trained(FIRST), other, flags=("--split=all", "--max_photos=2"))
    assert "fewer than 6 photos: too few" in outcome.out
    assert "]*" not in outcome.out
    assert card["differences"][0]["colorfulness"]["low"] > 0
    assert not card["differences"][0]["colorfulness"]["differs"]


def test_models_of_several_sizes_need_a_word(on_photos, trained, tmp_path):
    path = tmp_path / "large.safetensors"
    save_weights(path, FIRST, build_model(FIRST), {"image_size": 64, "resize": "squash"})
    outcome, card = on_photos(trained(FIRST), path)
    assert (outcome.code, card) == (2, {})
    assert f"different --image_size ({FIRST} 32, large 64)" in outcome.error
    assert "say at which with --image_size" in outcome.error
    outcome, card = on_photos(trained(FIRST), path, flags=("--split=all", "--image_size=48"))
    assert (outcome.code, card["image_size"]) == (0, 48)


def test_scores_of_the_split_of_a_run(cli, trained, other, tmp_path):
    """In the run's folder, whose manifest says which photos are for the test."""
    run_dir = shutil.copytree(trained(FIRST), tmp_path / "run")
    argv = ("--mode=compare", f"--compare={run_dir},{other}", f"--run_dir={run_dir}", "--device=cpu")
    assert cli(*argv).code == 0
    card = json.loads((run_dir / "compare.json").read_text())
    assert (card["num_photos"], card["manifest"]["split"]) == (2, "test")
    assert cli(*argv, "--split=train", "--max_photos=3").code == 0
    assert json.loads((run_dir / "compare_train.json").read_text())["num_photos"] == 3
    outcome = cli(*argv, "--split=train", "--max_photos=2")
    assert outcome.code == 2
    assert "compare_train.json holds the scores of 3 photos" in outcome.error
    assert json.loads((run_dir / "compare_train.json").read_text())["num_photos"] == 3
    assert holds_run(run_dir)


def test_a_picture_of_a_folder(cli, trained, vivid, tmp_path):
    folder = tmp_path / "my.photos"
    folder.mkdir()
    color = crops(1)[0]
    Image.fromarray(color).save(folder / "a.png")
    Image.fromarray(color[:, :40, 0]).save(folder / "b.png")
    (folder / "c.png").write_bytes(b"x")
    argv = ("--mode=compare", f"--compare={vivid},{trained(FIRST)}", f"--image_path={folder}")
    outcome = cli(*argv)
    assert outcome.code == 0
    assert "c.png is not a photo" in outcome.err
    output = tmp_path / "my.photos_compared.png"
    assert outcome.out.splitlines()[-1] == str(output)
    with Image.open(output) as image:
        assert "colours inferred" in image.getexif()[305]
        sheet = np.asarray(image)
    cells = list(cut(sheet, columns=4, rows=((64, 64), (64, 40))))
    gray, first, second, photo = cells[0]
    assert np.ptp(gray.astype(int), axis=2).max() <= 1
    assert np.abs(first.astype(int) - second).max() > 20
    assert np.array_equal(photo, color)
    assert np.ptp(cells[1][1].astype(int), axis=2).max() > 20
    assert (cells[1][3] == 255).all()  # it has no colour to show
    before = output.read_bytes()
    assert "exists: add --overwrite" in cli(*argv).error
    assert cli(*argv, "--max_photos=1", "--overwrite").code == 0
    assert output.read_bytes() != before


def cut(sheet, columns, rows):
    """The pictures of a montage, row by row."""
    gap, title, column = 8, 36, 128
    top = title
    for height, width in rows:
        lefts = (gap + i * column + (column - gap - width) // 2 for i in range(columns))
        yield [sheet[top : top + height, left : left + width] for left in lefts]
        top += height + gap


def test_a_picture_of_a_gray_photo_has_no_column_for_it(cli, vivid, tmp_path):
    Image.fromarray(crops(1)[0][..., 0]).save(tmp_path / "old.jpg")
    output = tmp_path / "x.webp"
    argv = ("--mode=compare", f"--compare={vivid}", f"--image_path={tmp_path / 'old.jpg'}")
    assert cli(*argv, f"--output_path={output}").code == 0
    with Image.open(output) as image:
        assert image.width == 8 + 2 * 128


def test_models_see_photos_at_the_size_of_their_training(cli, tmp_path, vivid, monkeypatch):
    seen = []
    monkeypatch.setattr(
        MODELS[FIRST], "forward", lambda _, L: seen.append(L.shape) or L.new_zeros(1, 2, *L.shape[-2:])
    )
    Image.fromarray(crops(1)[0]).save(tmp_path / "a.png")
    argv = (
        "--mode=compare",
        f"--compare={vivid},{FIRST}",
        f"--image_path={tmp_path / 'a.png'}",
        "--overwrite",
    )
    assert cli(*argv).code == 0
    assert cli(*argv, "--image_size=96").code == 0
    # One pixel is looked at when a model is loaded.
    assert [shape[-1] for shape in seen if shape[-1] > 1] == [64, 224, 96, 96]


def test_labels(trained, other, tmp_path):
    run = trained(FIRST)
    again = shutil.copy(other, tmp_path / f"{FIRST}.safetensors")
    gray = shutil.copy(other, tmp_path / "gray.safetensors")
    photo = shutil.copy(other, tmp_path / "photo.safetensors")  # as the column of the truth is called
    models = compare.load_models([str(run), str(again), str(gray), str(photo), str(other)])
    assert list(models) == [str(run), str(again), str(gray), str(photo), "other"]
    assert models[str(run)].sha256 == load_weights(run / BEST).sha256


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "--mode=compare needs models, such as --compare=model1"),
        (["--compare="], "--mode=compare needs models"),
        (["--compare=nobody"], "weights nobody: does not exist"),
        (["--compare={run},{run}"], "twice: leave one of them out"),
        (
            ["--compare={run}", "--weights=x.pth"],
            "--weights is for test, predict, export and serve, not for compare: --compare names",
        ),
        (
            ["--compare={run}", "--gamma_mode=signed"],
            "--gamma_mode is for train, test, predict, export and serve",
        ),
        (["--compare={run}", "--image_path=a.png", "--data_dir=sample"], "--data_dir for scores"),
        (["--compare={run}", "--image_path=none.png"], "none.png does not exist"),
        (
            ["--compare={run}", "--image_path=a.png", "--output_path=a.png", "--overwrite"],
            "one of the photos",
        ),
        (["--compare={run}", "--image_path=a.png", "--output_path=x.psd"], "ending must be one of"),
        (["--compare={run}", "--image_path=empty"], "holds no photo"),
        (["--compare={run}", "--image_path=broken"], "none of the photos could be read"),
        (["--compare={run}", "--data_dir=none"], "--data_dir=none does not exist"),
    ],
)
def test_mistakes(cli, trained, tmp_path, monkeypatch, argv, message):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(crops(1)[0]).save("a.png")
    for folder in ("empty", "broken"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"x")
    outcome = cli("--mode=compare", *(text.format(run=trained(FIRST)) for text in argv))
    assert outcome.code == 2
    assert message in outcome.error
    assert {path.name for path in tmp_path.rglob("*.*")} == {"a.png", "x.png"}


def test_dry_run_writes_nothing(cli, on_photos, trained, tmp_path):
    outcome, card = on_photos(trained(FIRST), flags=("--split=all", "--dry_run"))
    assert (outcome.code, card) == (0, {})
    assert "all: 16 photos at 32 px (squash)" in outcome.out
    Image.fromarray(crops(1)[0]).save(tmp_path / "a.png")
    outcome = cli("--mode=compare", "--dry_run", f"--compare={FIRST}", f"--image_path={tmp_path / 'a.png'}")
    assert f"would write {tmp_path / 'a_compared.png'}" in outcome.out
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_a_split_that_no_training_had_is_drawn_anew_for_other_photos(cli, other, photos, tmp_path):
    argv = ["--mode=compare", f"--compare={other}", f"--run_dir={tmp_path / 'scores'}", "--device=cpu"]
    assert cli(*argv, f"--data_dir={photos}").code == 0
    renamed = tmp_path / "others"
    shutil.copytree(photos, renamed / "in")
    assert cli(*argv, f"--data_dir={renamed}").code == 0
    outcome = cli(*argv, f"--data_dir={renamed}", "--split=all")
    assert outcome.code == 0
    assert "training or validation split of" not in outcome.err


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--compare=model1,"], "names nothing between two commas"),
        (["--compare=model1,weights/../model1.safetensors"], "does not exist"),
        (["--compare=model1", "--reference=x.png"], "--reference is for predict"),
        (["--compare=model1", "--side_by_side"], "--side_by_side is for predict"),
        (["--compare=model1", "--output_dir=x"], "--output_dir is for predict"),
        (
            ["--compare=model1", "--recursive"],
            "--recursive is for folders, and x.png is a photo: leave it out",
        ),
        (["--compare=model1", "--seed=7"], "--seed is for scores, and the order of --blind: leave it out"),
    ],
)
def test_flags_that_it_would_leave_unused(cli, argv, message):
    outcome = cli("--mode=compare", *argv, "--image_path=x.png")
    assert outcome.code == 2
    assert message in outcome.error


@pytest.mark.parametrize("flag", ["views=4", "saturation=1.3", "render_size=448", "output_path=y.png"])
def test_flags_of_pictures_are_not_for_scores(cli, photos, flag):
    outcome = cli("--mode=compare", "--compare=model1,unet", f"--data_dir={photos}", f"--{flag}")
    assert outcome.code == 2
    assert f"--{flag.partition('=')[0]} is for a picture, of --image_path, not for scores" in outcome.error


@pytest.mark.parametrize("flag", ["data_dir=x", "subset_size=9", "batch_size=2", "samples=3", "split=all"])
def test_flags_of_scores_are_not_for_pictures(cli, flag):
    outcome = cli("--mode=compare", "--compare=model1,unet", "--image_path=x.png", f"--{flag}")
    assert outcome.code == 2
    assert f"asks for a picture, --{flag.partition('=')[0]} for scores" in outcome.error
