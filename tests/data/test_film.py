"""Old film: each effect does what it is named after, and nothing else happens to a photo."""

import pytest
import torch
from conftest import crops
from torchvision.transforms.v2.functional import gaussian_blur

from data.color import rgb_to_lab
from data.film import EFFECTS, NUM_DRAWS, _blur, draw_film, film_lab


@pytest.fixture
def photos():
    return torch.stack([torch.from_numpy(c).permute(2, 0, 1) for c in crops(8)]).float() / 255


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def flat(*color, num=1, size=16):
    return torch.tensor(color).view(1, 3, 1, 1).repeat(num, 1, size, size)


def apply(name, rgb, *u):
    effect, _ = EFFECTS[name]
    return effect(rgb, torch.tensor([u]).repeat(len(rgb), 1))


@pytest.mark.parametrize("name", EFFECTS)
def test_effects_stay_in_range_and_change_something(name, photos):
    effect, _ = EFFECTS[name]
    before = photos.clone()
    seen = effect(photos, torch.rand(8, NUM_DRAWS, generator=generator()))
    assert torch.equal(photos, before)
    assert seen.shape[0] == 8
    assert seen.shape[1] in (1, 3)
    assert seen.shape[2:] == photos.shape[2:]
    assert 0 <= seen.min() <= seen.max() <= 1
    assert seen.isfinite().all()
    difference = rgb_to_lab(seen.expand(-1, 3, -1, -1))[:, :1] - rgb_to_lab(photos)[:, :1]
    assert difference.abs().mean() > 0.3


def test_orthochromatic_is_blind_to_red():
    red, green, blue = (
        apply("orthochromatic", flat(*c), 0.5, 0.5, 0.5).mean().item() for c in torch.eye(3).tolist()
    )
    assert red < 0.25 < min(green, blue)


def test_filters_keep_gray_gray():
    gray = flat(0.4, 0.4, 0.4)
    for name in ("orthochromatic", "colored_filter"):
        assert (apply(name, gray, 0.2, 0.7, 0.9) - 0.4).abs().max() < 1e-5


def test_a_red_filter_darkens_the_sky():
    sky, leaf = flat(0.4, 0.6, 0.9), flat(0.7, 0.5, 0.2)
    red_share_of_all = (1e-6, 1 - 1e-6, 1 - 1e-6)
    assert (
        apply("colored_filter", sky, *red_share_of_all).mean()
        < apply("colored_filter", leaf, *red_share_of_all).mean()
    )


def test_sepia_is_brown_and_of_the_same_green():
    toned = apply("sepia", flat(0.5, 0.5, 0.5), 1.0, 0, 0)[0, :, 0, 0]
    red, green, blue = toned.tolist()
    assert red > green > blue
    assert green == pytest.approx(0.5, abs=1e-4)


def test_fading_by_hand():
    assert apply("fading", flat(0.0, 0.0, 0.0), 1.0, 1.0, 0).mean().item() == pytest.approx(0.33)
    assert apply("fading", flat(1.0, 1.0, 1.0), 1.0, 1.0, 0).mean().item() == pytest.approx(0.8)


def test_blur_is_that_of_torchvision(photos):
    mine = _blur(photos, torch.full((8,), 1.5))
    assert (mine - gaussian_blur(photos, [13, 13], [1.5, 1.5])).abs().max() < 1e-5


def test_grain_differs_from_photo_to_photo_and_is_as_strong_as_said():
    gray = flat(0.5, 0.5, 0.5, num=2, size=64)
    effect, _ = EFFECTS["grain"]
    seen = effect(gray, torch.tensor([[0.5, 0.1, 0.2], [0.5, 0.6, 0.3]]))
    assert seen.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.06, 0.06], rel=0.02)
    assert (seen[0] - seen[1]).abs().mean() > 0.02


def test_halftone_keeps_the_mean_lightness():
    for level in (0.3, 0.5, 0.7):
        seen = apply("halftone", flat(level, level, level, size=96), 0.5, 0, 0)
        assert seen.std() > 0.2
        assert seen.mean().item() == pytest.approx(level, abs=0.1)


def test_borders_by_hand():
    # Widths of 100 pixels: 0.08 u - 0.02 of them, none below u = 0.25.
    seen = apply("borders", flat(0.4, 0.5, 0.6, size=100), 0.9, 0.2, 0.5, 1.0, 0.75)[0]
    white = (seen == 1).all(dim=0)
    assert white[:6].all()
    assert white[-4:].all()
    assert white[:, -2:].all()
    assert white.sum() == 100 * 100 - 90 * 98
    assert torch.equal(seen[:, 6:-4, :-2], flat(0.4, 0.5, 0.6, size=100)[0, :, 6:-4, :-2])


def test_borders_are_black_or_white_or_the_page_of_an_album():
    gray = flat(0.4, 0.4, 0.4, size=32)
    corners = [apply("borders", gray, u, 1, 1, 1, 1)[0, 0, 0, 0].item() for u in (0.1, 0.5, 0.9)]
    assert corners == pytest.approx([0, 0.5, 1], abs=1e-6)


def test_what_a_border_hides_has_no_colour(photos):
    draws = torch.ones(8, len(EFFECTS), 1 + NUM_DRAWS)
    draws[2:, list(EFFECTS).index("borders"), 0] = 0
    ab, true = film_lab(photos, draws)[:, 1:], rgb_to_lab(photos)[:, 1:]
    assert torch.equal(ab[:2], true[:2])
    # 6 % of 64 pixels: three hidden, the fourth in part.
    assert (ab[2:, :, :3] == 0).all()
    assert (ab[2:, :, :, -3:] == 0).all()
    assert torch.equal(ab[2:, :, 4:-4, 4:-4], true[2:, :, 4:-4, 4:-4])


def test_tone_by_hand():
    gray = flat(0.5, 0.5, 0.5)
    dark, plain, light = (apply("tone", gray, u, 0.5).mean().item() for u in (1.0, 0.5, 0.0))
    assert (dark, plain, light) == pytest.approx((0.25, 0.5, 0.5**0.5), abs=1e-4)
    assert apply("tone", flat(0.7, 0.7, 0.7), 0.5, 1.0).mean().item() == pytest.approx(0.5 + 0.2 * 2**0.5)


def test_only_what_was_drawn_happens(photos):
    draws = torch.ones(8, len(EFFECTS), 1 + NUM_DRAWS)
    L = rgb_to_lab(photos)[:, :1]
    assert (film_lab(photos, draws)[:, :1] - L).abs().max() < 1e-4
    draws[3, list(EFFECTS).index("fading"), 0] = 0
    changed = (film_lab(photos, draws)[:, :1] - L).abs().amax(dim=(1, 2, 3)) > 1
    assert changed.tolist() == [i == 3 for i in range(8)]


def test_follows_the_generator(photos):
    first, again, other = (film_lab(photos, draw_film(8, generator(seed)))[:, :1] for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert 0 <= first.min() <= first.max() <= 100.001


def test_share_of_one_leaves_every_draw_as_it_is():
    assert torch.equal(draw_film(50, generator(), 1.0), draw_film(50, generator()))


def test_share_of_the_photos_to_which_anything_happens():
    draws, all_draws = draw_film(20_000, generator(), 0.3), draw_film(20_000, generator())
    chances = torch.tensor([chance for _, chance in EFFECTS.values()])
    happens, may_happen = ((d[:, :, 0] < chances).any(dim=1) for d in (draws, all_draws))
    assert (happens.sum() / may_happen.sum()).item() == pytest.approx(0.3, abs=0.02)
    assert not (happens & ~may_happen).any()
    assert torch.equal(draws[:, :, 1:], all_draws[:, :, 1:])


def test_chances_are_as_stated():
    happens = draw_film(20_000, generator())[:, :, 0] < torch.tensor(
        [chance for _, chance in EFFECTS.values()]
    )
    expected = torch.tensor([chance for _, chance in EFFECTS.values()])
    assert (happens.float().mean(dim=0) - expected).abs().max() < 0.02
