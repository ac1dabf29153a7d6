"""A scan of photos on paper, for the tests that need one."""

import numpy as np
import skimage.data

PHOTOS = [
    skimage.data.astronaut()[:150, 150:350],
    skimage.data.coffee()[100:260, 100:320],
    skimage.data.chelsea()[60:240, 120:340],
    skimage.data.rocket()[60:220, 200:400],
]
PLACES = [(40, 40), (330, 60), (50, 300), (330, 310)]
"""(left, upper) of each."""
BOXES = [(x, y, x + photo.shape[1], y + photo.shape[0]) for photo, (x, y) in zip(PHOTOS, PLACES, strict=True)]


def scan(paper=(238, 228, 205), *, num=4, in_color=(), noise=1.5, light=0.05):
    """The first photos, gray but for some, in a light from the left: (520, 600, 3) uint8."""
    page = np.tile(np.array(paper, np.float64), (520, 600, 1))
    for i, (left, upper, right, lower) in enumerate(BOXES[:num]):
        photo = PHOTOS[i] if i in in_color else PHOTOS[i].mean(axis=2, keepdims=True)
        page[upper:lower, left:right] = photo
    page *= np.linspace(1 + light, 1 - light, page.shape[1])[:, None]
    page += np.random.default_rng(0).normal(0, noise, (*page.shape[:2], 1))
    return page.clip(0, 255).round().astype(np.uint8)
