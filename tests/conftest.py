"""Photos, runs and the command line for every test, all made from what scikit-image ships."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

# Tests run side by side, a core each, as do the programs that they start: set before torch is imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import skimage.data
import torch
from filelock import FileLock
from PIL import Image, ImageCms
from processes import Outcome

import main
from benchmarks.common import serving
from checkpoint.file import save_weights
from core import figures
from engine.step import Stepper
from models.base import ColorizationModel
from models.losses import build_criterion
from models.objective import Objective
from models.registry import MODELS, build_model, build_objective, find_objective
from models.registry import SETTINGS as SETTINGS_OF
from models.settings import EncoderSettings

# Enough photos that no split is empty, few enough that a training takes a second.
NUM_PHOTOS = 16
SETTINGS = (
    "--preset=small",
    "--image_size=32",
    "--batch_size=4",
    "--epochs=2",
    "--num_workers=2",
    "--device=cpu",
)

# A process runs a whole file: one that takes a minute and is begun last keeps the others waiting.
_LONGEST = (
    "test_export",
    "test_resuming",
    "test_browser",
    "test_distributed",
    "test_models",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The files that take longest come first; what measures, or looks at a page in a browser, is slow."""
    items.sort(key=lambda item: item.path.stem not in _LONGEST)
    for item in items:
        if item.path.parent.name == "benchmarks" or "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Iterator[None]:
    """What a test printed goes to another process, which takes no names that are not Unicode."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode()) for title, text in report.sections
    ]
    return report


def crops(num: int, size: int = 64) -> list[np.ndarray]:
    """Distinct colored (size, size, 3) uint8 crops."""
    sources = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    rng = np.random.default_rng(0)
    found = []
    while len(found) < num:
        source = sources[len(found) % len(sources)]
        y, x = (rng.integers(0, side - size) for side in source.shape[:2])
        crop = source[y : y + size, x : x + size]
        if np.ptp(crop.astype(int), axis=2).max() > 20:
            found.append(crop)
    return found


def fill(folder: Path, num: int = NUM_PHOTOS) -> Path:
    """Write photos of several formats and classes into a folder."""
    for i, crop in enumerate(crops(num)):
        suffix = (".png", ".jpg", ".JPEG", ".webp")[i % 4]
        path = folder / f"class{i % 2}" / f"photo {i:02}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(path, quality=95)
    return folder


def swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries changed places."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    (count,) = struct.unpack_from(">I", profile, 128)
    for offset in range(132, 132 + 12 * count, 12):
        tag = bytes(profile[offset : offset + 4])
        profile[offset : offset + 4] = {b"rXYZ": b"bXYZ", b"bXYZ": b"rXYZ"}.get(tag, tag)
    return bytes(profile)


def flags_of(name: str) -> list[str]:
    """What a training of a model is to be told here, beside `SETTINGS`: no weights are fetched."""
    own = {"encoder": "test_efficientnet", "encoder_weights": "random", "frozen_stages": 0}
    return [f"--model={name}", *(f"--{k}={v}" for k, v in own.items() if hasattr(SETTINGS_OF[name], k))]


def small_model(name: str, **settings: Any) -> ColorizationModel:
    """A model of few channels, with random weights and, where it has one, a small encoder."""
    has_encoder = issubclass(SETTINGS_OF[name], EncoderSettings)
    encoder = {"encoder": "test_efficientnet"} if has_encoder else {}
    return build_model(name, preset="small", **encoder, **settings)


def training_of(
    name: str, model: ColorizationModel, *, loss: str = "mse", classes: Sequence[str] = (), **options: Any
) -> tuple[Objective, Stepper]:
    """What a model learns from, and the steps of its training on the CPU."""
    objective = build_objective(name, model, build_criterion(loss), classes)
    options = {"lr": 1e-3, "device": torch.device("cpu"), "dtype": torch.float32} | options
    return objective, Stepper(model, objective, **options)


DRAW = figures._save


@pytest.fixture(scope="session", autouse=True)
def figures_that_nobody_looks_at() -> Iterator[None]:
    """Matplotlib takes longer than the trainings here; the tests of `core.figures` draw with `DRAW`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(figures, "_save", lambda figure, path, dpi: path.write_bytes(b"a figure"))
        yield


@pytest.fixture(scope="session")
def make_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Make a folder once for all processes that run tests: `make_once(name, function of its path)`."""
    is_one_of_many = "PYTEST_XDIST_WORKER" in os.environ
    base = tmp_path_factory.getbasetemp()
    root = (base.parent if is_one_of_many else base) / "made once"
    root.mkdir(exist_ok=True)

    def make(name: str, fill_in: Callable[[Path], object]) -> Path:
        done = root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                fill_in(root / name)
                done.touch()
        return root / name

    return make


@pytest.fixture(scope="session")
def photos(make_once: Callable[..., Path]) -> Path:
    """A folder of photos. Read only: tests that change it make their own with `fill`."""
    return make_once("photos", fill)


@pytest.fixture
def old_photo(tmp_path: Path) -> Path:
    """A small gray photo in a folder of its own."""
    path = tmp_path / "old.png"
    Image.fromarray(skimage.data.astronaut()[:60, 200:290]).convert("L").save(path)
    return path


@pytest.fixture
def cli(capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run the program in this process: `cli("--mode=test", f"--run_dir={x}")`."""

    def run(*argv: str) -> Outcome:
        capfd.readouterr()
        code = main.main(argv)
        captured = capfd.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def trained(photos: Path, make_once: Callable[..., Path]) -> Callable[[str], Path]:
    """The run directory of a model that was trained once for all tests. Read only."""

    def train(name: str, run_dir: Path) -> None:
        argv = ["--mode=train", *flags_of(name), f"--data_dir={photos}", f"--run_dir={run_dir}"]
        assert main.main([*argv, *SETTINGS]) == 0

    return lambda name: make_once(name, partial(train, name))


@pytest.fixture(scope="session")
def vivid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Untrained weights whose colours go far out of sRGB."""
    return _strong_weights(tmp_path_factory.mktemp("weights") / "vivid.safetensors", seed=0, image_size=64)


@pytest.fixture(scope="session")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of other colours than those of `vivid`, which see photos at another size."""
    return _strong_weights(tmp_path_factory.mktemp("other") / "other.safetensors", seed=1, image_size=96)


def _strong_weights(path: Path, *, seed: int, image_size: int) -> Path:
    torch.manual_seed(seed)
    model = build_model("model1")
    with torch.no_grad():
        model.decoder[8].weight.mul_(30)
    save_weights(path, "model1", model, {"image_size": image_size, "resize": "squash"})
    return path


@pytest.fixture(scope="session")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the web page, served for all tests of it; what ends it leaves nothing behind."""
    pytest.importorskip("uvicorn")
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        with serving("--max_upload=3", "--max_pixels=2000000") as (url, process):
            patch.undo()
            assert len(list(folder.glob("colorizer-*"))) == 1
            yield url
            process.terminate()
            assert process.wait(60) == 130
    assert not list(folder.glob("colorizer-*"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, for the tests of a file."""
    from benchmarks.figures.screenshot import chromium

    with chromium(width=1100, height=1000) as window:
        yield window


@pytest.fixture
def driver(browser: Any, page: str, tmp_path: Path) -> Any:
    """Chromium at the page, which keeps what is downloaded in `tmp_path`."""
    behavior = {"behavior": "allow", "downloadPath": str(tmp_path)}
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", behavior)
    browser.get(page)
    return browser


@pytest.fixture(params=list(MODELS))
def model_name(request: pytest.FixtureRequest) -> str:
    """Every model of the registry in turn."""
    return request.param


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`trainee`: one model for each objective; what else differs between models their own tests hold."""
    if "trainee" in metafunc.fixturenames:  # found here, for only processes that run tests need all models
        names = {find_objective(name): name for name in reversed(list(MODELS))}.values()
        quick = {"model1", "unet"}
        slow = [pytest.param(name, marks=pytest.mark.slow) for name in names if name not in quick]
        metafunc.parametrize("trainee", [*sorted(quick), *slow])
