"""iizuka2016 against the paper's table, and what scenes and styles are to do."""

import pytest
import torch
import torch.nn.functional as F
from conftest import crops, training_of
from PIL import Image

from core.files import read_csv
from core.runs import HISTORY, LAST
from data.batch import Batch
from models.inputs import Inputs
from models.registry import build_model

# Table 1 of the paper: channels in and out, and the stride, of each 3x3 convolution.
LOW = [(1, 64, 2), (64, 128, 1), (128, 128, 2), (128, 256, 1), (256, 256, 2), (256, 512, 1)]
WHOLE = [(512, 512, 2), (512, 512, 1), (512, 512, 2), (512, 512, 1)]
MID = [(512, 512, 1), (512, 256, 1)]
COLOR = [(256, 128, 1), (128, 64, 1), (64, 64, 1), (64, 32, 1)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model("iizuka2016", preset="small").eval()


def photos(num, side=64):
    L = 100 * torch.rand(num, 1, side, side, generator=torch.Generator().manual_seed(1))
    return Batch(L, torch.full((num, 2, side, side), 20.0), tuple(map(str, range(num))))


def test_parameters_and_layers():
    rows = [*LOW, *WHOLE, *MID, *COLOR]
    convolutions = sum(9 * c_in * c_out + c_out for c_in, c_out, _ in rows) + 9 * 32 * 2 + 2
    norms = sum(2 * c_out for _, c_out, _ in rows)
    full = 7 * 7 * 512 * 1024 + 1024 + 1024 * 512 + 512 + 512 * 256 + 256
    fusion = 512 * 256 + 256
    model = build_model("iizuka2016").eval()
    total = sum(p.numel() for p in model.parameters())
    assert total == convolutions + norms + full + fusion == 42_178_722
    places = [str(i) for i in range(205)]  # of the paper
    scenes, _ = training_of("iizuka2016", model, classes=places)
    assert sum(p.numel() for p in scenes.parameters()) == 512 * 256 + 256 + 256 * 205 + 205
    for part, table in ((model.low, LOW), (model.mid, MID), (model.whole, WHOLE), (model.color, COLOR)):
        found = [m for m in part if isinstance(m, torch.nn.Conv2d)]
        kinds = [(m.in_channels, m.out_channels, m.stride[0]) for m in found]
        assert kinds[: len(table)] == table
    shapes = {}
    for name in ("low", "mid", "whole", "fusion", "color"):
        getattr(model, name).register_forward_hook(
            lambda _, __, y, name=name: shapes.update({name: tuple(y.shape[1:])})
        )
    with torch.inference_mode():
        assert model(torch.rand(1, 1, 224, 224) * 100).ab.shape == (1, 2, 224, 224)
    assert shapes == {
        "low": (512, 28, 28),
        "whole": (512,),
        "mid": (256, 28, 28),
        "fusion": (256, 28, 28),
        "color": (2, 112, 112),
    }


def test_loss_of_the_scenes_by_hand(model):
    batch = photos(3)
    plain, _ = training_of("iizuka2016", model)
    assert plain.scenes is None
    assert plain.losses(model, batch).keys() == {"mse"}
    objective, _ = training_of("iizuka2016", model, classes=("field", "sea", "street"))
    assert objective.losses(model, batch).keys() == {"mse"}
    labels = torch.tensor([2, 0, -1])
    with torch.no_grad():
        losses = objective.losses(model, Batch(batch.L, batch.ab, batch.names, labels))
        log_p = objective.scenes(model(batch.L).known).log_softmax(1)
    assert losses["mse"] == plain.losses(model, batch)["mse"]
    assert losses["scene"].item() == pytest.approx(-(log_p[0, 2] + log_p[1, 0]).item() / 3 / 300)


@torch.no_grad()
@pytest.mark.parametrize("side", [128, 96])
def test_style(model, side):
    """A photo's own style changes nothing; another's changes colours; neither size nor number matters."""
    for module in model.modules():
        if isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):  # their own would make all photos the same
            torch.nn.init.kaiming_normal_(module.weight)
    L = photos(2, side).L

    def colors(reference=None):
        """In the style of a photo of this L*, whose colours are to make no difference."""
        if reference is not None:
            reference = F.pad(reference, (0, 0, 0, 0, 0, 2), value=50)
        return model.predict(Inputs(L, reference=reference))

    plain = colors()
    assert torch.allclose(colors(L), plain, atol=1e-4)
    other = F.interpolate(L[1:] / 5, scale_factor=2)
    styled = colors(other)
    assert (styled - plain).abs().max() > 1e-3
    assert torch.allclose(colors(other.expand(2, -1, -1, -1)), styled, atol=1e-4)


def test_classes_of_folders_reach_the_training(trained):
    run_dir = trained("iizuka2016")
    rows = read_csv(run_dir / HISTORY)
    assert all(float(row["train_scene"]) > 0 for row in rows)
    for row in rows:
        assert float(row["train_loss"]) == pytest.approx(float(row["train_mse"]) + float(row["train_scene"]))
    state = torch.load(run_dir / LAST, weights_only=True)["objective"]
    assert state["scenes.2.bias"].shape == (2,)


def test_reference(cli, trained, tmp_path):
    for i, crop in enumerate(crops(2)):
        Image.fromarray(crop).save(tmp_path / f"{i}.png")

    def predict(name, *flags):
        flags = (f"--image_path={tmp_path / '0.png'}", f"--output_path={tmp_path / name}", *flags)
        return cli("--mode=predict", f"--run_dir={trained('iizuka2016')}", "--saturation=9", *flags)

    style = f"--reference={tmp_path / '1.png'}"
    assert predict("plain.png").code == predict("styled.png", style).code == 0
    assert (tmp_path / "plain.png").read_bytes() != (tmp_path / "styled.png").read_bytes()
    outcome = predict("x.png", f"--reference={tmp_path / 'none.png'}")
    assert (outcome.code, "none.png does not exist" in outcome.error) == (2, True)
    for more in ([], ["--dry_run"]):  # nothing would be matched
        outcome = predict("x.png", style, "--matching=dct", *more)
        assert (outcome.code, "--matching: iizuka2016 takes the style" in outcome.error) == (2, True)


def test_its_graph_is_for_batches_of_any_size(model):
    """Else the exporter to ONNX fails, and begins again in another way."""
    graph = torch.export.export(
        model, (torch.zeros(2, 1, 32, 32),), dynamic_shapes=({0: torch.export.Dim("batch")},), strict=False
    )
    L = torch.full((5, 1, 32, 32), 50.0)
    assert len(graph.module()(L).ab) == 5
