"""Settings of the data set of color photos that train, test and compare read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.settings import LISTING, LOOKING, MODES, SPLITTING, setting


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Settings of the data."""

    data_dir: str = setting(
        "datasets/places365",
        "a folder of photos or of tar files of photos, searched recursively, a Places365 download, or the "
        "word 'sample'",
        modes=LISTING,
        resumable=True,
    )
    download: bool = setting(
        False,
        "fetch the 36 500 small validation photos of Places365 into --data_dir first",
        modes=LISTING,
        resumable=True,
    )
    test_dir: Path | None = setting(
        None,
        "a folder of test photos, to find those that are in --data_dir too, or nearly the same",
        modes=("check",),
    )
    subset_size: int = setting(
        30_000, "number of photos drawn from the folder, for all splits together", modes=LISTING, low=1
    )
    split_ratio: tuple[float, float, float] = setting(
        (0.70, 0.15, 0.15), "shares of train, val and test; they sum to 1", modes=LISTING
    )
    image_size: int = setting(
        224, "side of the square that the model sees, pixels", modes=LOOKING, low=32, high=4096
    )
    resize: str = setting(
        "squash",
        "how a photo gets to that size; squash: into the square, whatever its shape; crop: in its own shape, "
        "by its short side, of which train, test and compare take the centre",
        modes=LOOKING,
        choices=("squash", "crop"),
    )
    max_rejected: float = setting(
        0.1, "largest share of unreadable or gray photos that is accepted", modes=SPLITTING, low=0, high=1
    )
    max_pixels: int = setting(
        200_000_000, "larger photos and frames are refused, pixels", modes=MODES, resumable=True, low=1
    )
    num_workers: int = setting(
        0, "decoding threads; 0: one per core", modes=LISTING, resumable=True, low=0, high=1024
    )
    pack_dir: Path | None = setting(
        None,
        "folder in which decoded photos are kept, 3 bytes a pixel (default pack/ in --run_dir)",
        modes=SPLITTING,
        resumable=True,
    )
    on_device: str = setting(
        "auto",
        "keep the decoded photos in GPU memory; auto: if they take at most half of what is free",
        modes=SPLITTING,
        resumable=True,
        choices=("auto", "yes", "no"),
    )
    max_photos: int | None = setting(
        None, "use only the first N photos of each split", modes=SPLITTING, low=1
    )
    split: str = setting(
        "test",
        "the part of the folder that test and compare score; all: every photo that can be read and has "
        "colour, without a manifest",
        modes=("test", "compare"),
        choices=("train", "val", "test", "all"),
    )
    protocol: str | None = setting(
        None,
        "score as a paper did: its photos, which have to be in --data_dir, size, resize and metrics; see "
        "data/protocols.py",
        modes=("test", "compare"),
        choices=("published", "ctest10k", "val5k"),
    )
    set_scores: str | None = setting(
        None,
        "score the pictures as a set too: Fréchet distance and KID, of features of a network; takes about as "
        "long again. Without a value efficientnet, which needs no download; inception: the field's FID",
        modes=("test", "compare"),
        choices=("efficientnet", "inception"),
        bare="efficientnet",
    )

    def __post_init__(self) -> None:
        if not self.data_dir:  # from an unset shell variable; Path("") would be the working directory
            raise UserError("--data_dir: the path is empty")
        ratios = self.split_ratio
        if len(ratios) != 3 or not all(0 <= r <= 1 for r in ratios):
            raise UserError(f"--split_ratio={_join(ratios)}: must be three shares from 0 to 1")
        if abs(sum(ratios) - 1) > 1e-6:
            raise UserError(f"--split_ratio={_join(ratios)}: sums to {sum(ratios):g}, must be 1")


def _join(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{n:g}" for n in numbers)
