"""Do colored photos look like real ones? The Fréchet distance of two sets of pictures in feature space.

The mean distance to the true photos rewards desaturated predictions. The Fréchet distance does not compare
single photos: it only asks for the same distribution of features over the set.
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
"""Not the encoder of unet: a model trained with a loss on those features would be scored by its own loss."""
FEATURES = f"the mean over the photo of the last feature map of {ENCODER} with ImageNet weights"


def distance_of(features: str) -> str:
    """Return the definition of the distance, given a description of the features."""
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
    """Features of a picture by `ENCODER`, in evaluation mode and without gradients.

    Attributes:
        name: of the network.
        definition: text that defines the distance over its features.
        sha256: of the file of its weights, the first 16 hexadecimal digits.
    """

    name = ENCODER
    definition = f"{DISTANCE} {OTHER_FEATURES}."

    def __init__(self) -> None:
        """
        Raises:
            UserError: the package that holds its weights is not installed. There is no other source, since
                distances over other features are not comparable.
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
    """Compute the squared Fréchet distance of two sets of feature vectors, modelled as Gaussians.

    Args:
        first, second: (N, d) and (M, d), floating, N and M at least 2.
    Returns:
        |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), at least 0 up to rounding.
    Raises:
        ValueError: the shapes do not fit.
    Source: Dowson and Landau 1982, eq. 4; as a score of pictures Heusel et al. 2017, eq. 6.
    """
    if first.ndim != 2 or first.shape[1:] != second.shape[1:] or min(len(first), len(second)) < 2:
        raise ValueError(f"expected (N, d) and (M, d), got {tuple(first.shape)} and {tuple(second.shape)}")
    (mean1, root1), (mean2, root2) = _moments(first), _moments(second)
    # With C = R^T R the eigenvalues of C1 C2 are the squared singular values of R1 R2^T. This avoids
    # square roots of eigenvalues near 0, some of which rounding makes negative.
    cross = torch.linalg.svdvals(root1 @ root2.T).sum()
    distance = (mean1 - mean2).square().sum() + root1.square().sum() + root2.square().sum() - 2 * cross
    return distance.item()


def deviation(first: Tensor, second: Tensor, *, seed: int) -> float:
    """Estimate the standard deviation of `frechet` over photos of the same kind, by bootstrap.

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
