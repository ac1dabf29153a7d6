"""The command line as a person meets it: flags, exit codes, and one clear line for every mistake."""

import dataclasses
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from conftest import SETTINGS, fill
from PIL import Image
from processes import run_forked

import main
from checkpoint.file import save_weights
from checkpoint.shipped import DEFAULT
from config import RENAMED, Config
from core.errors import UserError
from core.files import write_json
from core.runs import BEST, CONFIG, LAST, restore_config
from models import registry
from models.registry import build_model

MAIN = Path(main.__file__)

LOOKING = ("train", "test", "predict", "export", "compare", "serve")
EVERY = (*LOOKING, "check")
ONE_MODEL = ("train", "test", "predict", "export", "serve")
SPLITS = ("train", "test", "compare")
LISTS = (*SPLITS, "check")
COLORS = ("predict", "compare", "serve")
PATHS = ("predict", "export", "compare")
FLAGS = {
    **dict.fromkeys(("mode", "run_dir", "max_pixels", "dry_run"), EVERY),
    **dict.fromkeys(("image_size", "resize"), LOOKING),
    **dict.fromkeys(("model", "preset", "gamma_mode", "normalize_input", "temperature"), ONE_MODEL),
    **dict.fromkeys(("encoder", "encoder_scale", "heads", "vividness", "global_hints"), ONE_MODEL),
    **dict.fromkeys(("sampler", "steps", "guidance_scale"), ONE_MODEL),
    **dict.fromkeys(("data_dir", "download", "subset_size", "split_ratio", "num_workers", "seed"), LISTS),
    **dict.fromkeys(("max_rejected", "pack_dir", "on_device", "max_photos", "batch_size"), SPLITS),
    "test_dir": ("check",),
    **dict.fromkeys(("render_size", "upsample", "saturation", "quality", "views", "page"), COLORS),
    **dict.fromkeys(("image_path", "output_path", "recursive"), PATHS),
    **dict.fromkeys(("grad_accum", "ema", "compile", "epochs", "film_augment", "freeze_encoder"), ("train",)),
    **dict.fromkeys(("init_weights", "loss", "lr", "patience", "precision", "recipe", "resume"), ("train",)),
    **dict.fromkeys(("schedule", "min_crop", "vgg_weights", "warmup"), ("train",)),
    **dict.fromkeys(
        ("encoder_weights", "frozen_stages", "encoder_lr", "adversarial", "head_start", "steadiness"),
        ("train",),
    ),
    **dict.fromkeys(("apply_chroma", "output_dir", "save_chroma", "save_confidence"), ("predict",)),
    **dict.fromkeys(("hints", "reference", "reference_dir", "matching"), ("predict",)),
    **dict.fromkeys(("progress", "side_by_side", "temporal", "sample_seed", "prompt"), ("predict",)),
    **dict.fromkeys(("album", "damaged", "deinterlace", "every"), ("predict",)),
    **dict.fromkeys(("keep_color", "mask", "blend", "invert", "descreen"), ("predict",)),
    **dict.fromkeys(("host", "port", "max_upload", "keep_minutes"), ("serve",)),
    **dict.fromkeys(("compare", "blind"), ("compare",)),
    "format": ("predict", "export"),
    **dict.fromkeys(("split", "protocol", "set_scores"), ("test", "compare")),
    "samples": ("predict", "test", "compare"),
    "weights": ("test", "predict", "export", "serve"),
    "device": ("train", "test", "predict", "compare", "serve"),
    "overwrite": ("train", "test", "predict", "export", "compare"),
}
"""Every flag, and the modes that use it."""
PAIRS = [(flag, mode) for flag in FLAGS for mode in EVERY if flag != "mode"]


def settings_of_all():
    """Every declared setting by name, and every place that declares it."""
    found = {}
    for cls in (Config, *registry.SETTINGS.values()):
        for item in dataclasses.fields(cls):
            if item.metadata and item not in found.setdefault(item.name, []):
                found[item.name].append(item)
    return found


DECLARED = settings_of_all()


def test_flags_are_these():
    """A new flag is a promise to every user: it is added here on purpose or not at all."""
    options = {o for a in main.build_parser()._actions for o in a.option_strings if o.startswith("--")}
    assert options == {f"--{name}" for name in (*FLAGS, *RENAMED)} | {"--help", "--version"}


@pytest.mark.parametrize("name", DECLARED)
def test_models_that_share_a_setting_agree_on_its_modes(name):
    assert len({(item.metadata["modes"], item.type) for item in DECLARED[name]}) == 1


def example(name):
    """Some value that a setting may have, as it is typed."""
    item = DECLARED[name][0]
    if item.metadata["choices"]:
        return item.metadata["choices"][0]
    if isinstance(item.default, tuple):
        return ",".join(map(str, item.default))
    return item.metadata["low"] or 64 if item.default is None else item.default


@pytest.mark.parametrize(("flag", "mode"), PAIRS)
def test_every_flag_in_every_mode(flag, mode):
    """It is taken, or it is a mistake whose line names the modes that it is for."""
    argv = [f"--mode={mode}", f"--{flag}={example(flag)}"]
    if mode in FLAGS[flag]:
        assert flag in main.parse(argv).given
    else:
        with pytest.raises(UserError) as caught:
            main.parse(argv)
        line = str(caught.value)
        assert line.startswith(f"--{flag} is for ")
        told = line.removeprefix(f"--{flag} is for ").partition(f", not for {mode}: ")[0]
        assert set(re.split(", | and ", told)) == set(FLAGS[flag])


@pytest.mark.parametrize("former", RENAMED)
def test_former_names(former, caplog):
    """They work, with a warning; not beside the name of today."""
    name = RENAMED[former]
    mode = FLAGS[name][0]
    argv = [f"--mode={mode}", f"--{former}={example(name)}"]
    assert main.parse(argv) == main.parse([f"--mode={mode}", f"--{name}={example(name)}"])
    assert caplog.messages == [
        f"--{former} is called --{name} now; the next version will not know the former name"
    ]
    with pytest.raises(UserError, match=f"--{former} is the former name of --{name}: leave it out"):
        main.parse([*argv, f"--{name}={example(name)}"])
    with pytest.raises(UserError, match=f"--{name} is for {mode}"):
        main.parse(["--mode=serve", f"--{former}={example(name)}"])


@pytest.mark.parametrize("mode", [None, *EVERY])
def test_help_of_a_mode(mode, capsys):
    """It lists the flags of the mode, and no other."""
    with pytest.raises(SystemExit) as stop:
        main.main([*([f"--mode={mode}"] if mode else []), "--help"])
    assert stop.value.code == 0
    listed = set(re.findall(r"^  --(\w+)", capsys.readouterr().out, flags=re.MULTILINE))
    assert listed - {"version"} == {name for name, modes in FLAGS.items() if mode in (None, *modes)}


def test_help_names_range_default_and_modes(capsys):
    with pytest.raises(SystemExit):
        main.main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    batch = "photos per step, over all processes; at least 1; default 256; for train, test and compare"
    assert batch in text
    assert f"predict, export and serve take the weights {DEFAULT} where neither" in text
    assert "shares of train, val and test; they sum to 1; default 0.7,0.15,0.15" in text


@pytest.mark.parametrize("argv", [["--help"], ["--mode=predict", "--help"], ["--mode=predict", "--epochs=3"]])
def test_help_and_mistakes_need_no_torch(argv):
    code = f"""
import sys, main
try:
    main.main({argv})
finally:
    assert not {{"torch", "numpy", "PIL"}} & set(sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=MAIN.parent)
    assert "AssertionError" not in done.stderr


@pytest.mark.parametrize("name", ["colorizer", "main.py"])
def test_help_names_the_command_that_was_called(capsys, monkeypatch, name):
    monkeypatch.setattr(sys, "argv", [f"/usr/bin/{name}", "--help"])
    with pytest.raises(SystemExit):
        main.main(["--help"])
    assert capsys.readouterr().out.startswith(f"usage: {name} ")


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("colorizer ")


def test_every_flag_reaches_the_configuration():
    config = main.parse(
        [
            "--mode=train",
            "--model=model2",
            "--batch_size=32",
            "--lr=1e-4",
            "--split_ratio=0.8,0.1,0.1",
            "--overwrite",
            "--resume=false",
            "--normalize_input=false",
            "--init_weights=x.pth",
            "--max_photos=5",
        ]
    )
    assert (config.mode, config.model, config.batch_size, config.lr) == ("train", "model2", 32, 1e-4)
    assert config.split_ratio == (0.8, 0.1, 0.1)
    assert config.overwrite is True
    assert config.resume is False
    assert config.init_weights == Path("x.pth")
    assert config.max_photos == 5
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


@pytest.mark.parametrize(("switch", "share", "features"), [(True, 1.0, "efficientnet"), (False, 0.0, None)])
def test_a_run_whose_settings_were_switches_resumes(tmp_path, switch, share, features):
    switches = {"film_augment": switch, "set_scores": switch}
    write_json(tmp_path / CONFIG, {**switches, "mode": "train", "model_settings": {}, "facts": {}})
    (tmp_path / LAST).touch()
    config = restore_config(main.parse(["--mode=train", "--resume", f"--run_dir={tmp_path}"]))
    assert (config.film_augment, type(config.film_augment)) == (share, float)
    assert config.set_scores == features


def test_resolved_configuration_survives_json():
    values = Config(mode="train", weights=Path("x")).to_dict()
    assert values["weights"] == "x"
    assert "given" not in values


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "--mode is missing: must be one of train, test, predict"),
        (["--mode=paint"], "--mode=paint: must be one of train, test, predict"),
        (["--mode=train", "--model=model3"], "--model=model3: must be one of model1, model2"),
        (["--mode=train", "--batchsize=3"], "there is no flag --batchsize: did you mean --batch_size?"),
        (["--mode=train", "--mod=model1"], "there is no flag --mod: did you mean --mode?"),
        (["--mode=train", "photos"], "there is no flag photos"),
        (["--mode=train", "--epochs=many"], "argument --epochs: invalid int value: 'many'"),
        (["--mode=train", "--epochs"], "argument --epochs: expected one argument"),
        (["--mode=predict", "--epochs=3"], "--epochs is for train, not for predict: leave it out"),
        (["--mode=train", "--weights=x"], "anew, from --init_weights=FILE, or goes on with --resume"),
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


def limit_files(size):
    """No file of this process gets larger."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limits here")
@pytest.mark.parametrize(("mode", "limit"), [("train", 1_000_000), ("test", 3_000), ("predict", 2_000)])
def test_disk_full(photos, photo, trained, tmp_path, mode, limit):
    """Writes fail half-way, as on a full disk: one line, and nothing half-written stays."""
    run_dir = tmp_path / "run"
    best = trained("model1") / BEST
    argv = {
        "train": [f"--data_dir={photos}", f"--run_dir={run_dir}", *SETTINGS],
        "test": [f"--data_dir={photos}", f"--run_dir={run_dir}", f"--weights={best}"],
        "predict": [f"--image_path={photo}", f"--weights={best}", f"--output_path={run_dir / 'x.png'}"],
    }[mode]
    done = run_forked(f"--mode={mode}", *argv, prepare=partial(limit_files, limit))
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    assert str(run_dir) in done.error
    assert not [path for path in run_dir.iterdir() if path.suffix == ".tmp"]


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
