"""Colours from a reference: textures get the colours that they have there, wherever they lie."""

import numpy as np
import torch
from scipy.fft import dctn

from data.color import join, lab_to_rgb
from inference.reference import Reference, cosine_features, encoder_features, palette
from inference.solve import spread
from media.picture import from_array

AB = {"stripes": (35.0, 20.0), "grain": (-20.0, -25.0)}


def textures(left, right, seed):
    """(1, 3, 96, 128) Lab: stripes and grain of one mean lightness, each of its colour."""
    noise = torch.randn(96, 64, generator=torch.Generator().manual_seed(seed))
    stripes = (torch.arange(96)[:, None] // 3 % 2 * 2.0 - 1).expand(96, 64)
    halves = {"stripes": stripes * 8, "grain": noise * 8}
    L = 60 + torch.cat([halves[left], halves[right]], dim=1)[None, None]
    ab = torch.cat([torch.tensor(AB[name])[:, None, None].expand(2, 96, 64) for name in (left, right)], dim=2)
    return join(L, ab[None])


def picture_of(lab):
    return from_array(lab_to_rgb(lab, gamut="chroma")[0].permute(1, 2, 0).numpy().astype(np.float32))


def test_cosine_features_are_those_of_the_patches():
    L = torch.rand(1, 1, 20, 30, generator=torch.Generator().manual_seed(0)) * 100
    found = cosine_features(L)
    assert found.shape == (64, 10, 15)
    patch = L[0, 0, 1:9, 5:13].numpy() / 100  # around pixel (4, 8), 3 pixels before it and 4 after
    assert np.abs(found[:, 2, 4].numpy() - dctn(patch, norm="ortho").ravel()).max() < 1e-5


def test_textures_get_their_colours():
    reference = Reference(picture_of(textures("stripes", "grain", 0)), cosine_features)
    wanted = textures("grain", "stripes", 1)
    scribbles = reference.scribbles(picture_of(wanted * torch.tensor([1.0, 0, 0])[:, None, None]), 96, 128)
    given = scribbles[0, 2] == 1
    assert given.float().mean() > 0.05
    inside = given.clone()
    inside[:, 58:70] = False  # where a patch sees both
    assert (scribbles[0, :2] - wanted[0, 1:])[:, inside].abs().median() < 3
    assert ((scribbles[0, :2] - wanted[0, 1:])[:, inside].norm(dim=0) < 15).float().mean() > 0.95
    colored = spread(wanted[:, :1], scribbles)
    assert (colored - wanted[:, 1:])[..., 5:50].norm(dim=1).mean() < 6


class Encoder(torch.nn.Module):
    """Two maps, at strides 4 and 8."""

    def forward(self, photos):
        pool = torch.nn.functional.avg_pool2d
        padded = torch.nn.functional.pad(photos, (0, -photos.shape[3] % 32, 0, -photos.shape[2] % 32))
        return [pool(padded, 4).expand(-1, 2, -1, -1), pool(padded, 8)]


def test_features_of_an_encoder_have_the_size_of_the_photo():
    assert encoder_features(Encoder())(torch.full((1, 1, 50, 66), 60.0)).shape == (3, 13, 17)


def test_the_palette_goes_by_rank():
    """Dark is blue and light is yellow; a lighter and flatter photo gets the same."""
    lab = torch.zeros(1, 3, 64, 64)
    lab[0, 0] = torch.linspace(20, 80, 4096).view(64, 64)
    lab[0, 2] = torch.linspace(-20, 20, 4096).view(64, 64)
    photo = torch.zeros(1, 3, 30, 40)
    photo[0, 0] = torch.linspace(70, 40, 1200).view(30, 40)
    found = palette(picture_of(lab), picture_of(photo), 30, 40)
    assert (found[0, 1].flatten() - torch.linspace(20, -20, 1200)).abs().max() < 1
    assert found[0, 0].abs().max() < 2
    assert (found[0, 2] == 1).all()
