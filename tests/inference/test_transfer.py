"""Pictures of one scene are told from others, and share their colours."""

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch

from inference.shipped_encoder import shipped_encoder
from inference.transfer import nearest, places_of, pull, remember

COFFEE, CAT, ROCKET = skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()


def lab(pixels):
    values = torch.from_numpy(skimage.color.rgb2lab(pixels).astype(np.float32)).permute(2, 0, 1)[None]
    return values[:, :1], values[:, 1:]


def impression(L, ab):
    return remember(places_of(L, shipped_encoder()), L, ab)


def test_a_picture_keeps_its_own_colours():
    L, ab = lab(CAT)
    own = impression(L, ab)
    assert torch.equal(pull(own, own, (300, 451)), torch.zeros(1, 2, 300, 451))


@pytest.mark.parametrize("size", [(300, 451), (64, 32), (7, 224)])
def test_a_tint_is_taken_off(size):
    """Of the same picture in other colours: what is added is the difference, everywhere."""
    L, ab = lab(CAT)
    tint = torch.tensor([12.0, -7.0]).view(1, 2, 1, 1)
    found = pull(impression(L, ab + tint), impression(L, ab), size)
    assert torch.allclose(found, -tint.expand(1, 2, *size), atol=1e-3)


def test_things_find_their_colours_where_they_are_now():
    """The camera has moved by a fifth of the picture, and the model has lost all colour."""
    L, ab = lab(COFFEE[:, :450])
    L_now, ab_now = lab(COFFEE[:, 150:])
    gray = torch.zeros_like(ab_now)
    found = pull(impression(L_now, gray), impression(L, ab), ab_now.shape[-2:])
    inner = (..., slice(None), slice(0, 250))  # what both show
    error, worth = ((x - ab_now)[inner].norm(dim=1).mean() for x in (found, gray))
    assert error < 0.6 * worth


def places(pixels):
    return places_of(lab(pixels)[0], shipped_encoder())


def test_scenes_are_told_apart():
    now = places(COFFEE[:, 60:])
    others = [places(photo) for photo in (CAT, COFFEE[:, :540], ROCKET)]
    assert nearest(now, others) == 1
    assert nearest(now, [others[0], others[2]]) is None
    assert nearest(now, []) is None
