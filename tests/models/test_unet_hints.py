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
