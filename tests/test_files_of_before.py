"""A run that the program wrote before its rooms were made still loads: tested, colored with, gone on with.

The fixture: ten crops of the photos of scikit-image, and what commit 05ff42d made of them with

    python main.py --mode=train --model=unet --preset=small --encoder=test_efficientnet \
        --encoder_weights=random --heads=both --adversarial=0.1 --head_start=1 --average=0.9 --epochs=1 \
        --image_size=32 --batch_size=4 --split_ratio=0.6,0.2,0.2 --data_dir=photos --run_dir=run

Then a repeated pattern took the place of the weights, and the moments of Adam became 0 and 1e-6, so that the
file is small. The discriminator's tensors are among the model's there, which they are no longer.
"""

import csv
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from checkpoint.file import load_weights
from checkpoint.training_state import load_training_state
from core.runs import BEST, HISTORY, LAST

FIXTURE = Path(__file__).parent / "fixtures" / "run_of_2026-11.tar.xz"


@pytest.fixture
def before(tmp_path):
    with tarfile.open(FIXTURE) as archive:
        # As a keyword it is unknown before Python 3.11.4.
        archive.extraction_filter = getattr(tarfile, "data_filter", None)
        archive.extractall(tmp_path)
    return tmp_path


def test_weights(before):
    loaded = load_weights(before / "run" / BEST)
    assert (loaded.name, loaded.info["image_size"]) == ("unet", 32)
    assert (loaded.model.settings.encoder, loaded.model.settings.heads) == ("test_efficientnet", "both")


def test_scored(before, cli):
    outcome = cli("--mode=test", f"--run_dir={before / 'run'}", f"--data_dir={before / 'photos'}")
    assert outcome.code == 0, outcome.err


def test_colored_with(before, cli):
    photo, output = before / "photos" / "0.jpg", before / "out.png"
    flags = (
        "--mode=predict",
        f"--run_dir={before / 'run'}",
        f"--image_path={photo}",
        f"--output_path={output}",
    )
    outcome = cli(*flags, "--keep_color=no")
    assert outcome.code == 0, outcome.err
    assert str(before / "run" / BEST) in outcome.out
    assert np.ptp(np.asarray(Image.open(output)).astype(int), axis=2).max() > 0


def test_gone_on_with(before, cli):
    run = before / "run"
    old = load_training_state(run / LAST)
    flags = ("--mode=train", "--resume", "--epochs=2", "--device=cpu")
    outcome = cli(*flags, f"--run_dir={run}", f"--data_dir={before / 'photos'}")
    assert outcome.code == 0, outcome.err
    with open(run / HISTORY, newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    new = load_training_state(run / LAST)
    assert new["history"][0] == old["history"][0]
    assert new["objective"]["num_judged"] > old["model"]["num_judged"]  # steps are counted on
    kernel = "discriminator.0.0.parametrizations.weight.original"
    assert torch.allclose(new["objective"][kernel], old["model"][kernel], atol=0.05)
    assert kernel not in new["model"]
    assert kernel not in new["average"]["model"]
