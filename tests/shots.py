"""Shots made of the photos of scikit-image."""

import numpy as np
import skimage.color
import skimage.data
import torch

SHOTS = (skimage.data.astronaut, skimage.data.coffee, skimage.data.chelsea, skimage.data.rocket)


def lab(frames):
    values = np.stack([skimage.color.rgb2lab(frame) for frame in frames]).astype(np.float32)
    tensor = torch.from_numpy(values).permute(0, 3, 1, 2)
    return tensor[:, :1], tensor[:, 1:]


def shot(photo, num=8, step=3):
    """A camera that moves over a photo."""
    return [photo[i : i + 96, 40 + step * i : 168 + step * i] for i in range(num)]
