"""The command line as a person meets it: flags, exit codes, and one clear line for every mistake."""

import argparse
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import SETTINGS, fill
from PIL import Image

import main
from config import Config
from files import write_json
from models import build_model
from models.checkpoint import save_weights
from runs import BEST, CONFIG, LAST, restore_config

MAIN = Path(main.__file__)

FLAGS = [
    "--accumulate",
    "--apply_chroma",
    "--average",
    "--batch_size",
    "--compare",
    "--compile",
    "--data_dir",
    "--device",
    "--download",
    "--dry_run",
    "--encoder_weights",
    "--epochs",
    "--film_augment",
    "--format",
    "--freeze_encoder",
    "--gamma_mode",
    "--help",
    "--host",
    "--image_path",
    "--image_size",
    "--init_weights",
    "--keep_minutes",
    "--limit",
    "--loss",
    "--lr",
    "--max_pixels",
    "--max_rejected",
    "--max_upload",
    "--mode",
    "--model",
    "--normalize_input",
    "--num_workers",
    "--on_device",
    "--output_dir",
    "--output_path",
    "--overwrite",
    "--pack_dir",
    "--patience",
    "--port",
    "--precision",
    "--preset",
    "--quality",
    "--recipe",
    "--recursive",
    "--render_size",
    "--resize",
    "--resume",
    "--run_dir",
    "--saturation",
    "--save_chroma",
    "--save_confidence",
    "--schedule",
    "--seed",
    "--side_by_side",
    "--smallest_crop",
    "--split",
    "--split_ratio",
    "--style_image",
    "--subset_size",
    "--temperature",
    "--temporal",
    "--upsample",
    "--version",
    "--vgg_weights",
    "--warmup",
    "--weights",
]


def test_flags_are_these():
    """A new flag is a promise to every user: it is added here on purpose or not at all."""
    options = {o for a in main.build_parser()._actions for o in a.option_strings if o.startswith("--")}
    assert sorted(options) == FLAGS


def test_help_names_range_and_default(capsys):
    with pytest.raises(SystemExit) as stop:
        main.main(["--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "photos per step, of all processes together; at least 1; default 256" in text
    assert "shares of train, val and test; they sum to 1; default 0.7,0.15,0.15" in text


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("colorizer ")


def test_every_flag_reaches_the_configuration():
    config = main.parse(
        [
            "--mode=test",
            "--model=model2",
            "--batch_size=32",
            "--lr=1e-4",
            "--split_ratio=0.8,0.1,0.1",
            "--overwrite",
            "--resume=false",
            "--normalize_input=false",
            "--weights=x.pth",
            "--limit=5",
        ]
    )
    assert (config.mode, config.model, config.batch_size, config.lr) == ("test", "model2", 32, 1e-4)
    assert config.split_ratio == (0.8, 0.1, 0.1)
    assert config.overwrite is True
    assert config.resume is False
    assert config.weights == Path("x.pth")
    assert config.limit == 5
    assert config.model_settings == {"normalize_input": False}
    assert config.given >= {"resume", "normalize_input"}
    assert "epochs" not in config.given


@pytest.mark.parametrize(
    ("flag", "share"),
    [
        ("", 0.0),
        ("--film_augment", 1.0),
        ("--film_augment=true", 1.0),
        ("--film_augment=False", 0.0),
        ("--film_augment=0.3", 0.3),
    ],
)
def test_a_switch_that_became_a_share(flag, share):
    assert main.parse(["--mode=train", *filter(None, [flag])]).film_augment == share


def test_a_run_whose_share_was_a_switch_resumes(tmp_path):
    write_json(tmp_path / CONFIG, {"film_augment": True, "mode": "train", "model_settings": {}, "facts": {}})
    (tmp_path / LAST).touch()
    config = restore_config(main.parse(["--mode=train", "--resume", f"--run_dir={tmp_path}"]))
    assert (config.film_augment, type(config.film_augment)) == (1.0, float)


def test_resolved_configuration_survives_json():
    values = Config(mode="train", weights=Path("x")).to_dict()
    assert values["weights"] == "x"
    assert "given" not in values


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "--mode is missing: must be one of train, test, predict"),
        (["--mode=paint"], "--mode=paint: must be one of train, test, predict"),
        (["--mode=train", "--model=unet"], "--model=unet: must be one of model1, model2"),
        (["--mode=train", "--batchsize=3"], "there is no flag --batchsize: did you mean --batch_size?"),
        (["--mode=train", "--mod=model1"], "there is no flag --mod: did you mean --mode?"),
        (["--mode=train", "photos"], "there is no flag photos"),
        (["--mode=train", "--epochs=many"], "argument --epochs: invalid int value: 'many'"),
        (["--mode=train", "--epochs"], "argument --epochs: expected one argument"),
        (["--mode=train", "--batch_size=0"], "--batch_size=0: must be at least 1"),
        (["--mode=train", "--split_ratio=0.5,0.5,0.5"], "sums to 1.5, must be 1"),
        (["--mode=train", "--split_ratio=a,b,c"], "no list of numbers"),
        (["--mode=train", "--resume=maybe"], "neither true nor false"),
        (["--mode=train", "--loss=huber"], "--loss=huber: must be one or several of mse, l1"),
        (["--mode=train", "--data_dir=no/such"], "--data_dir=no/such does not exist"),
        (["--mode=train", "--data_dir=sample", "--download"], "--download fetches nothing"),
        (["--mode=train", "--data_dir=sample", "--gamma_mode=cubic"], "--gamma_mode=cubic: must be one of"),
        (["--mode=train", "--model=model2", "--gamma_mode=power"], "is not a setting of model2"),
        (["--mode=predict"], "--image_path=FILE"),
        (["--mode=predict", "--image_path=none.jpg"], "none.jpg does not exist"),
        (["--mode=predict", f"--image_path={MAIN}"], "is not a photo"),
        (["--mode=predict", "--image_path=x.jpg", "--output_path=x.psd"], "its ending must be one of"),
        (["--mode=test", "--weights=none.pth"], "weights none.pth: does not exist"),
        (["--mode=test", "--weights=."], "weights best.safetensors: does not exist"),
    ],
)
def test_mistakes_are_one_line(cli, argv, message):
    outcome = cli(*argv)
    assert outcome.code == 2
    assert outcome.error.startswith("error: ")
    assert message in outcome.error
    assert "Traceback" not in outcome.err


def run(*argv, **options):
    command = [sys.executable, str(MAIN), *map(str, argv)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_as_a_program(tmp_path):
    """A real process, from another folder: the exit code, and nothing but the line on stderr."""
    done = run("--mode=train", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.splitlines() == [done.stderr.strip()]
    assert "datasets/places365" in done.stderr.replace("\\", "/")
    assert "--data_dir=sample" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_no_gpu(cli, photos, tmp_path):
    outcome = cli("--mode=train", f"--data_dir={photos}", f"--run_dir={tmp_path}", "--device=cuda")
    assert outcome.code == 2
    assert "--device=cpu" in outcome.error


@pytest.mark.parametrize("num", [1, 2])
def test_too_few_photos(cli, tmp_path, num):
    folder = fill(tmp_path / "photos", num)
    outcome = cli("--mode=train", f"--data_dir={folder}", f"--run_dir={tmp_path / 'run'}")
    assert outcome.code == 2
    assert f"{num} photos are too few for 3 splits" in outcome.error


def test_empty_folder(cli, tmp_path):
    outcome = cli("--mode=train", f"--data_dir={tmp_path}")
    assert outcome.code == 2
    assert "holds no photo" in outcome.error


@pytest.fixture
def photo(tmp_path):
    Image.new("L", (40, 30), 128).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


@pytest.mark.parametrize("kind", ["empty", "cut", "too large"])
def test_photos_that_cannot_be_colored(cli, photo, trained, kind):
    flags = []
    if kind == "empty":
        photo.write_bytes(b"")
    elif kind == "cut":
        photo.write_bytes(photo.read_bytes()[:60])
    else:
        flags = ["--max_pixels=1199"]
    outcome = cli("--mode=predict", f"--image_path={photo}", f"--run_dir={trained('model1')}", *flags)
    assert outcome.code == 2
    assert str(photo) in outcome.error
    assert [path.name for path in photo.parent.iterdir()] == ["photo.png"]


def test_weights_of_the_other_model(cli, photo, tmp_path, monkeypatch):
    """Said before anything is downloaded."""
    monkeypatch.setattr("models.resnet_baseline._download", pytest.fail)
    save_weights(tmp_path / "x.safetensors", "model1", build_model("model1"), {})
    argv = [f"--image_path={photo}", f"--weights={tmp_path / 'x.safetensors'}", "--model=model2"]
    outcome = cli("--mode=predict", *argv)
    assert outcome.code == 2
    assert "are of model1, not of model2" in outcome.error


def test_places_that_cannot_be_written(cli, photos, photo, trained, tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    for argv in (
        ["--mode=train", f"--data_dir={photos}", f"--run_dir={blocker / 'run'}", *SETTINGS],
        [
            "--mode=test",
            f"--data_dir={photos}",
            f"--run_dir={blocker}",
            f"--weights={trained('model1') / BEST}",
        ],
        [
            "--mode=predict",
            f"--image_path={photo}",
            f"--run_dir={trained('model1')}",
            f"--output_path={blocker / 'x.png'}",
        ],
    ):
        outcome = cli(*argv)
        assert outcome.code == 2, argv
        assert str(blocker) in outcome.error
    assert blocker.read_text() == ""


LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
sys.path.insert(0, {root!r})
import main
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits here")
@pytest.mark.parametrize(("mode", "limit"), [("train", 1_000_000), ("test", 3_000), ("predict", 100)])
def test_disk_full(photos, photo, trained, tmp_path, mode, limit):
    """Writes fail half-way, as on a full disk: one line, and nothing half-written stays."""
    run_dir = tmp_path / "run"
    best = trained("model1") / BEST
    argv = {
        "train": [f"--data_dir={photos}", f"--run_dir={run_dir}", *SETTINGS],
        "test": [f"--data_dir={photos}", f"--run_dir={run_dir}", f"--weights={best}"],
        "predict": [f"--image_path={photo}", f"--weights={best}", f"--output_path={run_dir / 'x.png'}"],
    }[mode]
    code = LIMITED.format(limit=limit, root=str(MAIN.parent))
    command = [sys.executable, "-c", code, f"--mode={mode}", *map(str, argv)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert str(run_dir) in done.stderr.splitlines()[-1]
    assert not [path for path in run_dir.iterdir() if path.suffix == ".tmp"]


def test_parser_kinds():
    assert main._parse_bool("TRUE") is True
    with pytest.raises(argparse.ArgumentTypeError):
        main._parse_bool("yes")


def test_ctrl_c_within_an_import(cli, monkeypatch):
    """Which may come out as another error, as of a class whose making was interrupted."""

    def run(config):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as interrupt:
            raise RuntimeError("Error calling __set_name__") from interrupt

    monkeypatch.setattr("predict.run", run)
    outcome = cli("--mode=predict")
    assert outcome.code == 130
    assert outcome.err == "interrupted\n"
