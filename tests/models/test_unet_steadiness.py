"""How far colours move with the photo, as a loss: with photos that are moved by hand."""

import pytest
import torch
from conftest import small_model, training_of

from data.batch import Batch
from models.unet_objective import _distance, _with_moved


def test_moved_photos_by_hand():
    x = torch.arange(2 * 16 * 16.0).view(2, 1, 16, 16)
    there, moved = _with_moved(x, [(1, 2), (3, 1)]).chunk(2)
    assert torch.equal(there, x)
    assert torch.equal(moved[0, 0, 4:, 8:], x[0, 0, :-4, :-8])
    assert torch.equal(moved[1, 0, 12:, 4:], x[1, 0, :-12, :-4])
    assert moved[0, 0, 3, 8] == x[0, 0, 1, 0]  # the mirror image about the first row


def test_the_distance_is_0_where_colours_stay_on_the_things():
    """Of a tenth of a unit, the offset; and 5 units for colours that are 3 and 4 off."""
    ab = torch.randn(1, 2, 8, 8)
    moved = torch.full_like(ab, 100.0)
    moved[..., 1:, 2:] = ab[..., :-1, :-2]
    assert _distance(torch.cat((ab, moved)), [(1, 2)]).item() == pytest.approx(0.1 / 128, rel=1e-4)
    moved[..., 1:, 2:] += torch.tensor([3.0, 4.0])[:, None, None]
    assert _distance(torch.cat((ab, moved)), [(1, 2)]).item() == pytest.approx(25.01**0.5 / 128, rel=1e-4)


def test_it_is_a_term_of_the_loss_and_leaves_the_others_what_they_are():
    torch.manual_seed(0)
    model = small_model("unet", steadiness=2.0).eval()
    objective, _ = training_of("unet", model)
    batch = Batch(
        100 * torch.rand(2, 1, 64, 64), torch.zeros(2, 2, 64, 64), ("a", "b"), seeds=torch.tensor([3, 9])
    )
    losses = objective.losses(model, batch)
    assert losses.keys() == {"mse", "bins", "steady"}
    assert losses["steady"] > 2 * 0.1 / 128
    assert torch.equal(losses["steady"], objective.losses(model, batch)["steady"])
    losses["steady"].backward()
    assert all(p.grad is not None for p in model.mean_head.parameters())
    assert objective.validation(model, batch)[0].keys() == {"mse", "bins"}


def test_hints_go_with_the_things(monkeypatch):
    """Those of the moved photo are those of the photo, moved, although its seed is the same."""
    torch.manual_seed(0)
    model = small_model("unet_hints", steadiness=1.0)
    objective, _ = training_of("unet_hints", model)
    batch = Batch(
        100 * torch.rand(1, 1, 64, 64), 50 * torch.randn(1, 2, 64, 64), ("a",), seeds=torch.tensor([10])
    )
    seen = []
    outputs = model.outputs
    monkeypatch.setattr(model, "outputs", lambda inputs: seen.append(inputs) or outputs(inputs))
    objective.losses(model, batch)
    down, right = 4 * (1 + 10 % 7), 4 * (1 + 10 // 7 % 7)
    there, moved = seen[0].hints.chunk(2)
    assert there[:, 2].any()
    assert torch.equal(moved[..., down:, right:], there[..., :-down, :-right])
