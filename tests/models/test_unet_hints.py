"""unet_hints: the unet before its first step; hints are pooled to every scale; it learns to take them."""

import torch
from conftest import small_model

from data.simulated_hints import simulate_hints
from models.inputs import Inputs
from models.unet_hints import _pooled


def test_it_starts_as_the_unet():
    torch.manual_seed(0)
    unet = small_model("unet").eval()
    hinted = small_model("unet_hints").eval()
    missing, unexpected = hinted.load_state_dict(unet.state_dict(), strict=False)
    assert not unexpected
    assert missing == [f"hints.{i}.weight" for i in range(4)]
    L, hints = (
        100 * torch.rand(1, 1, 50, 70),
        simulate_hints(50 * torch.randn(1, 2, 50, 70), torch.tensor([3])),
    )
    with torch.no_grad():
        plain = unet.predict(Inputs(L))
        assert torch.equal(hinted.predict(Inputs(L, hints=hints)), plain)
        torch.nn.init.normal_(hinted.hints[0].weight)
        assert not torch.equal(hinted.predict(Inputs(L, hints=hints)), plain)
        assert torch.equal(hinted.predict(Inputs(L)), plain)


def test_hints_are_pooled_to_their_mean():
    hints = torch.zeros(1, 3, 8, 8)
    hints[0, :, 0, 0] = torch.tensor([64.0, -32.0, 1])
    hints[0, :, 3, 3] = torch.tensor([0.0, -32.0, 1])
    pooled = _pooled(hints, 4)
    assert torch.equal(pooled[0, :, 0, 0], torch.tensor([4.0, -4.0, 1]))
    assert not pooled[0, :, 1].any()


def test_hints_are_enlarged_with_the_photo():
    """A cell that a hint covers in part gets its colour nevertheless, not a duller one."""
    model = small_model("unet_hints", encoder_scale=1.43).eval()
    hints = torch.zeros(1, 3, 60, 64)
    hints[0, :, 17:30, 33:46] = torch.tensor([8.0, -16.0, 1])[:, None, None]
    pooled = _pooled(model.enlarge(hints), 4)
    is_given = pooled[0, 2] == 1
    assert pooled.shape[-2:] == (24, 24)
    assert is_given[9, 15]
    assert 16 <= is_given.sum() <= 49  # 13 * 1.5 / 4 cells a side, and those at the rim
    torch.testing.assert_close(pooled[0, 0], 1.0 * is_given)
    torch.testing.assert_close(pooled[0, 1], -2.0 * is_given)
    torch.nn.init.normal_(model.hints[0].weight)
    L = torch.rand(1, 1, 60, 64) * 100
    with torch.no_grad():
        given = model.predict(Inputs(L, hints=hints))
        assert given.shape == (1, 2, 60, 64)
        assert not torch.equal(given, model.predict(Inputs(L)))
