"""Do the colored photos look like photos? How far two sets of pictures are apart, as a network sees them.

A mean over photos of distances to the truth rewards the dull guess. The Fréchet distance asks nothing of the
single photo: only that the features of all of them are spread as those of true photos are.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from core.errors import UserError
from core.extras import installing
from core.files import sha256
from models.timm_encoder import TimmEncoder, packaged_weights

ENCODER = "tf_efficientnet_lite0"
"""Not the one that unet is built on: a loss over that one's features would be judged by itself."""
FEATURES = f"the mean over the photo of the last feature map of {ENCODER} with ImageNet weights"


def distance_of(features: str) -> str:
    """The definition of the distance over features that are told of in words."""
    return (
        "squared Fréchet distance of two Gaussians with the means and covariances of the features of colored "
        f"and of the same true photos: {features}; 0 for the true colours. It is biased upward, the more the "
        "fewer the photos: to be compared only between rows of the same photos."
    )


DISTANCE = distance_of(FEATURES)
OTHER_FEATURES = "The features are not those of the Inception network of the FID, nor are the values"
DEFINITION = (
    f"{DISTANCE} ±: standard deviation over resamples of the photos, drawn in pairs; they hold fewer "
    f"different photos and lie higher, so that their quantiles are no interval. {OTHER_FEATURES}"
)
_RESAMPLES = 50


class PhotoFeatures(nn.Module):
    """What `ENCODER` says of a picture, in evaluation mode and without gradients.

    Attributes:
        name: of the network.
        definition: of the distance over its features.
        sha256: of the file of its weights, the first 16 hexadecimal digits.
    """

    name = ENCODER
    definition = f"{DISTANCE} {OTHER_FEATURES}."

    def __init__(self) -> None:
        """
        Raises:
            UserError: the package that holds its weights is not installed. No other source will do:
                distances of other features are other numbers.
        """
        super().__init__()
        path = packaged_weights(ENCODER)
        if path is None:
            raise UserError(f"the Fréchet distance needs the weights of {ENCODER}: {installing('train')}")
        self.encoder = TimmEncoder(ENCODER)
        self.encoder.load_imagenet(str(path))
        self.sha256 = sha256(path)[:16]
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)

    def forward(self, rgb: Tensor) -> Tensor:
        """sRGB (N, 3, H, W) in [0, 1] -> (N, 320)."""
        features: Tensor = self.encoder(rgb)[-1].mean(dim=(2, 3))
        return features


def frechet(first: Tensor, second: Tensor) -> float:
    """The squared Fréchet distance of two sets of feature vectors, taken for Gaussian.

    Args:
        first, second: (N, d) and (M, d), floating, N and M at least 2.
    Returns:
        |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), never below 0 but for rounding.
    Raises:
        ValueError: the shapes do not fit.
    Source: Dowson and Landau 1982, eq. 4; as a score of pictures Heusel et al. 2017, eq. 6.
    """
    if first.ndim != 2 or first.shape[1:] != second.shape[1:] or min(len(first), len(second)) < 2:
        raise ValueError(f"expected (N, d) and (M, d), got {tuple(first.shape)} and {tuple(second.shape)}")
    (mean1, root1), (mean2, root2) = _moments(first), _moments(second)
    # With C = R^T R the eigenvalues of C1 C2 are the squared singular values of R1 R2^T. So no root is taken
    # of eigenvalues that are 0 but for rounding, of which some would be negative.
    cross = torch.linalg.svdvals(root1 @ root2.T).sum()
    distance = (mean1 - mean2).square().sum() + root1.square().sum() + root2.square().sum() - 2 * cross
    return distance.item()


def deviation(first: Tensor, second: Tensor, *, seed: int) -> float:
    """How far `frechet` of two sets is from that of other photos of the same kind.

    Args:
        first, second: (N, d), features of the same photos.
        seed: of the resamples.
    Returns:
        The standard deviation over resamples of the photos, drawn in pairs.
    """
    rng = np.random.default_rng(seed)
    draws = (torch.from_numpy(rng.integers(len(first), size=len(first))) for _ in range(_RESAMPLES))
    return float(np.std([frechet(first[draw], second[draw]) for draw in draws], ddof=1))


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (d,) of (N, d), and R (min(N, d), d) with R^T R the unbiased covariance; float64."""
    features = features.double()
    mean = features.mean(dim=0)
    _, root = torch.linalg.qr((features - mean) / (len(features) - 1) ** 0.5, mode="r")
    return mean, root
