"""The colours of a photo as a whole: what is measured of them, and that a network learns to heed it."""

import pytest
import skimage.color
import skimage.data
import torch
import torch.nn.functional as F
from conftest import small_model, training_of

from data.batch import Batch
from data.color import rgb_to_lab
from models.bins import NUM_BINS, published_bins, soft_encode
from models.global_hints import GlobalHints, draw_known
from models.inputs import Inputs


def statistics(lab):
    """The histogram (313), the mean saturation, and 1."""
    found = GlobalHints(8).statistics(lab)
    assert found.shape == (len(lab), NUM_BINS + 2)
    assert (found[:, -1] == 1).all()
    return found[:, :NUM_BINS], found[:, NUM_BINS]


def test_the_histogram_of_two_colours():
    """A quarter of the picture has one, the rest the other: each is spread over its bins."""
    lab = torch.tensor([60.0, 20, 30])[None, :, None, None].repeat(1, 1, 32, 48)
    lab[..., :16, :24] = torch.tensor([60.0, -10, -40])[:, None, None]
    expected = torch.zeros(NUM_BINS)
    for share, color in ((0.75, (20.0, 30.0)), (0.25, (-10.0, -40.0))):
        index, shares = soft_encode(torch.tensor([color]), published_bins())
        expected.index_add_(0, index[0], share * shares[0])
    found, _ = statistics(lab)
    assert (found[0] - expected).abs().max() < 1e-6
    assert found.sum().item() == pytest.approx(1)


def test_the_saturation_is_that_of_hsv():
    """Of photos as large as their fourth, whose pixels are the same four by four."""
    rgb = skimage.data.chelsea()[:64, :80].repeat(4, axis=0).repeat(4, axis=1)
    lab = rgb_to_lab(torch.from_numpy(rgb / 255.0).permute(2, 0, 1)[None].float())
    expected = skimage.color.rgb2hsv(rgb)[..., 1].mean()
    assert statistics(lab)[1].item() == pytest.approx(expected, abs=2e-3)


def test_photos_of_any_size():
    for height, width in ((1, 1), (3, 70), (64, 64)):
        histogram, _ = statistics(torch.full((2, 3, height, width), 5.0))
        assert histogram.sum(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)


@torch.no_grad()
def test_what_is_not_known_does_not_count():
    torch.manual_seed(0)
    model = small_model("zhang2017", global_hints=True).train()
    L = 100 * torch.rand(2, 1, 32, 32)
    reference = torch.cat((L, 40 * torch.rand(2, 2, 32, 32)), dim=1)
    half, whole, nothing = (
        model.global_hints(reference, known, 2)
        for known in (torch.tensor([True, False]), None, torch.zeros(2))
    )
    assert torch.equal(nothing, model.global_hints(None, None, 2))
    assert torch.allclose(half, torch.stack((whole[0], nothing[1])), atol=1e-6)
    assert not torch.allclose(whole, nothing, atol=0.1)
    assert not torch.allclose(model(L, reference=reference).ab, model(L).ab, atol=0.01)
    one = model.global_hints(reference[:1], None, 2)
    assert torch.allclose(one[0], whole[0], atol=1e-6)


def test_it_is_drawn_by_the_seed_of_the_photo():
    seeds = torch.arange(4000)
    known = draw_known(seeds)
    assert 0.45 < known.float().mean() < 0.55
    assert torch.equal(draw_known(seeds.flip(0)), known.flip(0))


def test_a_reference_is_taken_where_it_was_learnt():
    assert "reference" not in small_model("zhang2017").accepts
    assert "reference" in small_model("zhang2017", global_hints=True).accepts


@pytest.mark.slow
def test_it_learns_to_heed_them(monkeypatch):
    """Photos of one lightness, in one of two colours: nothing but a reference can tell which."""
    monkeypatch.setattr("models.objective.simulate_hints", lambda ab, _: F.pad(0 * ab, (0, 0, 0, 0, 0, 1)))
    torch.manual_seed(0)
    model = small_model("zhang2017", global_hints=True).train()
    _, stepper = training_of("zhang2017", model, lr=1e-3)
    colors, L = torch.tensor([[30.0, 30], [-20, -30]]), torch.full((8, 1, 16, 16), 50.0)
    for number in range(1, 121):
        ab = colors[torch.randint(2, (8,))][..., None, None].expand(-1, -1, 16, 16)
        stepper.step(number, Batch(L, ab, tuple("abcdefgh"), seeds=torch.arange(8) + 8 * number), 8)
    with torch.no_grad():
        reference = torch.cat((L, ab), dim=1)
        told, guessed = (F.mse_loss(model.predict(Inputs(L, reference=r)), ab) for r in (reference, None))
    assert told < 0.7 * guessed
