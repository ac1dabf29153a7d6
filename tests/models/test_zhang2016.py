"""zhang2016 against the published layers written out, and its formulas against loops in NumPy."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from conftest import SETTINGS, crops, training_of
from PIL import Image
from torch import nn

from checkpoint.file import load_weights, save_weights
from core.runs import BEST, LAST
from data.batch import Batch
from data.color import rgb_to_lab
from models.bins import NUM_BINS, published_bins, rebalance
from models.inputs import Inputs
from models.registry import build_model

# The paper's table: block, then (channels in, out, stride, dilation) of each 3x3 convolution.
TABLE = {
    "model1": [(1, 64, 1, 1), (64, 64, 2, 1)],
    "model2": [(64, 128, 1, 1), (128, 128, 2, 1)],
    "model3": [(128, 256, 1, 1), (256, 256, 1, 1), (256, 256, 2, 1)],
    "model4": [(256, 512, 1, 1), (512, 512, 1, 1), (512, 512, 1, 1)],
    "model5": [(512, 512, 1, 2)] * 3,
    "model6": [(512, 512, 1, 2)] * 3,
    "model7": [(512, 512, 1, 1)] * 3,
}


class Published(nn.Module):
    """The layers of the authors' release, with its names; `divisor` takes channels away."""

    def __init__(self, num_bins, divisor=1):
        super().__init__()
        for name, rows in TABLE.items():
            layers = []
            for c_in, c_out, stride, dilation in rows:
                c_in = max(1, c_in // divisor)
                layers += [nn.Conv2d(c_in, c_out // divisor, 3, stride, dilation, dilation), nn.ReLU()]
            self.add_module(name, nn.Sequential(*layers, nn.BatchNorm2d(c_out // divisor)))
        wide, c = 512 // divisor, 256 // divisor
        convs = [nn.Conv2d(c, c, 3, 1, 1), nn.ReLU(), nn.Conv2d(c, c, 3, 1, 1), nn.ReLU()]
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(wide, c, 4, 2, 1), nn.ReLU(), *convs, nn.Conv2d(c, num_bins, 1)
        )
        self.model_out = nn.Conv2d(num_bins, 2, 1, bias=False)

    def forward(self, L):
        x = (L - 50) / 100
        for i in range(1, 9):
            x = getattr(self, f"model{i}")(x)
        return 110 * F.interpolate(self.model_out(x.softmax(1)), scale_factor=4, mode="bilinear")


@pytest.fixture
def published(tmp_path):
    """A file as the authors', but narrow: other bins, statistics that are not the initial ones."""
    torch.manual_seed(0)
    model = Published(313, divisor=4)
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.rand(4, 1, 32, 32) * 100)
        model.model_out.weight.uniform_(-1, 1)
        model.model8[6].weight.mul_(100)  # far from uniform
    state = {name: value for name, value in model.state_dict().items() if "num_batches" not in name}
    torch.save(state, tmp_path / "published.pth")
    return model.eval(), tmp_path / "published.pth"


def test_parameters_and_layers():
    """32.2 million: a convolution has 9 weights for each pair of channels and a bias for each of its own."""
    convolutions = sum(9 * c_in * c_out + c_out for rows in TABLE.values() for c_in, c_out, _, _ in rows)
    norms = sum(2 * rows[-1][1] for rows in TABLE.values())
    up = 16 * 512 * 256 + 256 + 2 * (9 * 256 * 256 + 256)
    for num_bins, expected in ((262, 32_222_802), (NUM_BINS, 32_236_011)):
        head = 256 * num_bins + num_bins + 2 * num_bins
        assert convolutions + norms + up + head == expected
        model = build_model("zhang2016", num_bins=num_bins)
        assert sum(p.numel() for p in model.parameters()) == expected
    assert model.state_dict().keys() == Published(NUM_BINS).state_dict().keys()
    shapes = {}
    for name, module in model.named_children():
        module.register_forward_hook(lambda _, __, y, name=name: shapes.update({name: tuple(y.shape[1:])}))
    with torch.inference_mode():
        assert model.eval().predict(Inputs(torch.rand(1, 1, 224, 224) * 100)).shape == (1, 2, 224, 224)
    assert shapes["model1"] == (64, 112, 112)
    assert shapes["model2"] == (128, 56, 56)
    assert shapes["model3"] == (256, 28, 28)
    assert [shapes[f"model{i}"] for i in (4, 5, 6, 7)] == [(512, 28, 28)] * 4
    assert (shapes["model8"], shapes["model_out"]) == ((NUM_BINS, 56, 56), (2, 56, 56))


@torch.no_grad()
def test_published_weights_give_the_published_colours(published):
    reference, path = published
    weights = load_weights(path)
    assert weights.name == "zhang2016"
    settings = weights.model.settings
    assert (settings.preset, settings.num_bins, settings.temperature) == ("small", 313, 1.0)
    L = torch.rand(2, 1, 64, 48) * 100
    expected = reference(L)
    assert expected.abs().max() > 10
    assert (weights.model.predict(Inputs(L)) - expected).abs().max() < 1e-3
    assert torch.allclose(weights.model.bin_centers, 110 * reference.model_out.weight[:, :, 0, 0].T)


@torch.no_grad()
def test_files_of_another_number_of_bins_predict_as_before(tmp_path):
    """Those of earlier versions had 262: their bins are in the file, and its settings say how many."""
    torch.manual_seed(0)
    old = build_model("zhang2016", preset="small", num_bins=262).eval()
    old.model_out.weight.uniform_(-1, 1)
    save_weights(tmp_path / "old.safetensors", "zhang2016", old, {})
    loaded = load_weights(tmp_path / "old.safetensors").model
    assert loaded.settings.num_bins == len(loaded.bin_centers) == 262
    L = torch.rand(1, 1, 40, 32) * 100
    assert torch.equal(loaded.predict(Inputs(L)), old.predict(Inputs(L)))


def test_full_size_is_recognized():
    assert build_model("zhang2016").settings_of(Published(313).state_dict())["preset"] == "paper"


@torch.no_grad()
def test_temperature_goes_from_the_mean_to_the_mode(published, tmp_path):
    model = load_weights(published[1]).model
    L = torch.rand(1, 1, 32, 32) * 100
    logits = model(L)
    saved = tmp_path / "x.safetensors"
    save_weights(saved, "zhang2016", model, {})

    def colours(temperature):
        """At the places of the logits: bilinear interpolation keeps to their mean."""
        ab = load_weights(saved, settings={"temperature": temperature}).model.predict(Inputs(L))
        return ab.mean(dim=(2, 3))[0]

    mode = model.bin_centers[logits.argmax(dim=1)[0]].mean(dim=(0, 1))
    assert torch.allclose(colours(0.01), mode, atol=0.5)
    z = np.exp(logits[0].double().numpy() / 0.38)
    mean = np.einsum("qhw,qc->chw", z / z.sum(axis=0), model.bin_centers.numpy()).mean(axis=(1, 2))
    assert colours(0.38).numpy() == pytest.approx(mean, abs=1e-3)


def test_loss_and_weights_of_a_batch_by_a_loop():
    torch.manual_seed(0)
    model = build_model("zhang2016", preset="small").eval()
    objective, _ = training_of("zhang2016", model)
    rgb = torch.rand(2, 3, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)  # of one colour in each 4x4
    lab = rgb_to_lab(rgb)
    batch = Batch(lab[:, :1], lab[:, 1:], ("a", "b"))
    objective.fit_statistics(model, [batch, batch])
    with torch.no_grad():
        log_z = model(batch.L).double().log_softmax(1).numpy()
        losses, ab = objective.validation(model, batch)
        assert torch.equal(ab, model.predict(Inputs(batch.L)))
    centers = published_bins().double().numpy()
    colors = batch.ab[..., ::4, ::4].double().numpy()
    found, counts = [], np.zeros(len(centers))
    for n, y, x in np.ndindex(2, 4, 4):
        distance = np.hypot(*(centers - colors[n, :, y, x]).T)
        order = np.argsort(distance)[:5]
        target = np.zeros(len(centers))
        target[order] = np.exp(-(distance[order] ** 2) / 50)
        entropy = -(target / target.sum()) @ log_z[n, :, y, x]
        found.append(objective.class_weights[order[0]].item() * entropy)
        counts[order[0]] += 1
    assert losses["cross_entropy"].item() == pytest.approx(np.mean(found), rel=1e-4)
    expected = rebalance(torch.from_numpy(counts), published_bins())
    assert torch.allclose(objective.class_weights, expected)


def test_temperature_is_a_setting_of_predict(cli, trained, tmp_path):
    Image.fromarray(crops(1)[0]).save(tmp_path / "x.png")
    argv = ["--mode=predict", f"--run_dir={trained('zhang2016')}", f"--image_path={tmp_path / 'x.png'}"]
    argv += ["--keep_color=no"]
    for flags in ((), ("--temperature=0.38",), ("--temperature=0.05",)):
        name = f"--output_path={tmp_path / 'T'.join(['', *flags, '.png'])}".replace("--temperature=", "")
        assert cli(*argv, *flags, name).code == 0
    default, same, colder = (tmp_path / name for name in ("T.png", "T0.38T.png", "T0.05T.png"))
    assert default.read_bytes() == same.read_bytes() != colder.read_bytes()
    outcome = cli(*argv, "--temperature=0")
    assert "--temperature=0.0: must be at least 0.01" in outcome.error


def test_fine_tuning_of_published_weights(cli, photos, published, tmp_path):
    """Bins and preset come from the file; their weights from the photos."""
    flags = ["--mode=train", f"--data_dir={photos}", f"--init_weights={published[1]}", *SETTINGS]
    assert cli(*flags, f"--run_dir={tmp_path / 'run'}", "--epochs=1").code == 0
    model = load_weights(tmp_path / "run" / BEST).model
    assert model.settings.num_bins == 313
    assert torch.equal(model.model_out.weight, published[0].model_out.weight)
    weights = torch.load(tmp_path / "run" / LAST, weights_only=True)["objective"]["class_weights"]
    assert weights.min() < 1 < weights.max()
