"""Draw a subset of a listing and split it into train, val and test, the same on every machine.

Photos are sorted by a seeded hash of their name. The first readable, colored ones in that order are
the subset. A photo that is added later takes its place in the order, and does not reorder the others.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.distributed import world
from core.errors import UserError
from core.figures import progress_bar
from core.files import write_csv
from data.inspection import each, fault_of, read
from data.listing import Listing, Photo, encode
from data.manifest import SPLITS, Entry, Manifest


@dataclass(frozen=True)
class Rejected:
    """A photo left out of every split, and the reason. Copies do not count for --max_rejected."""

    name: str
    reason: str
    is_copy: bool = False


def order(photos: Iterable[Photo], seed: int) -> list[Photo]:
    """Sort photos by a seeded hash of their group, then of their name."""

    def key(text: str) -> bytes:
        return hashlib.sha256(f"{seed}\0".encode() + encode(text)).digest()

    return sorted(photos, key=lambda photo: (key(photo.group), key(photo.name)))


def share_out(total: int, ratios: Sequence[float]) -> list[int]:
    """Apportion `total` by largest remainders; every ratio above 0 gets at least 1.

    Raises:
        UserError: `total` is smaller than the number of ratios above 0.
    """
    wanted = sum(ratio > 0 for ratio in ratios)
    if total < wanted:
        raise UserError(f"{total} photos are too few for {wanted} splits: add photos, or set --split_ratio")
    ratios = [ratio / sum(ratios) for ratio in ratios]
    # Rounded, because 0.15 * 20 is 3.0000000000000004 in binary and 0.7 * 10 is 7.000000000000001.
    exact = [round(total * ratio, 9) for ratio in ratios]
    counts = [int(share) for share in exact]
    by_remainder = sorted(range(len(ratios)), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: total - sum(counts)]:
        counts[i] += 1
    for i, ratio in enumerate(ratios):
        if ratio > 0 and counts[i] == 0:
            counts[counts.index(max(counts))] -= 1
            counts[i] = 1
    return counts


def draw_manifest(
    listing: Listing,
    *,
    seed: int,
    subset_size: int | None,
    ratios: Sequence[float],
    max_pixels: int,
    max_rejected: float,
    num_workers: int,
    rejected_path: Path | None,
    as_is: bool = False,
    seen: Mapping[str, tuple[str, str]] | None = None,
) -> Manifest:
    """Draw the subset and split it. Unreadable and gray photos are replaced by the next in order.

    Args:
        listing: to draw from.
        seed: of the order.
        subset_size: number of photos to draw, at most all; None: all.
        ratios: shares of train, val and test.
        max_pixels: larger photos count as unreadable.
        max_rejected: largest share of unreadable and gray photos among those inspected.
        num_workers: decoding threads, 0 for one per core.
        rejected_path: of a CSV file that lists the photos left out; None: none is written.
        as_is: keep gray photos and copies too.
        seen: for a trial of a draw, the results of an earlier inspection of all photos: name -> (SHA-256, or
            '' if unreadable; fault, or ''). None: the photos are inspected here.
    Raises:
        UserError: too many photos were rejected, or too few are left for the splits.
    """
    wanted = min(subset_size or len(listing.photos), len(listing.photos))
    found = _Found(wanted, max_rejected, as_is)

    def digest_of(photo: Photo) -> tuple[str, str]:
        return _inspect(photo, max_pixels, as_is) if seen is None else seen[photo.name]

    with progress_bar("checking photos", wanted) as bar:
        for photo, (digest, reason) in each(order(listing.photos, seed), digest_of, num_workers):
            bar.update(found.take(photo, digest, reason))
            if found.is_enough:
                break
    if rejected_path is not None and world().is_main:
        write_csv(rejected_path, [vars(r) for r in found.rejected], ("name", "reason"))
    found.report(listing.root, rejected_path, is_trial=seen is not None)
    return Manifest.of_entries(tuple(_assign(found.kept, ratios)))


class _Found:
    """The photos of a draw: those kept, and those left out."""

    def __init__(self, wanted: int, max_rejected: float, as_is: bool) -> None:
        """
        Args:
            wanted: number of photos to keep.
            max_rejected: largest share of unreadable and gray photos among those inspected.
            as_is: keep gray photos and copies too.
        """
        self.wanted, self.max_rejected, self.as_is = wanted, max_rejected, as_is
        self.kept: list[tuple[Photo, str]] = []
        self.rejected: list[Rejected] = []
        self.num_bad = 0
        self._first: dict[tuple[str, object], str] = {}

    def take(self, photo: Photo, digest: str, reason: str) -> bool:
        """Keep a photo, or reject it as a copy or for `reason`; returns whether it was kept."""
        original = self._first.setdefault((digest, photo.box), photo.name) if digest else photo.name
        is_copy = original != photo.name and not self.as_is
        if is_copy:
            self.rejected.append(Rejected(photo.name, f"copy of {original}", is_copy=True))
        elif reason:
            self.rejected.append(Rejected(photo.name, reason))
            self.num_bad += 1
        else:
            self.kept.append((photo, digest))
        return not (is_copy or reason)

    @property
    def is_enough(self) -> bool:
        """Whether to stop: enough photos are kept, or too many are bad even if all others were good."""
        return len(self.kept) == self.wanted or self._is_too_bad(self.wanted + self.num_bad)

    def report(self, folder: str, listed_in: Path | None, *, is_trial: bool) -> None:
        """Print how many photos were left out, or, in a trial of a draw, would be.

        Raises:
            UserError: too many.
        """
        where = f", listed in {listed_in}" if listed_in else ""
        looked_at = len(self.kept) + self.num_bad
        if self._is_too_bad(looked_at):
            raise UserError(
                f"{self.num_bad} of the first {looked_at} photos of {folder} are unreadable or gray"
                f"{where} (first: {next(r.reason for r in self.rejected if not r.is_copy)}): "
                "mend the folder or raise --max_rejected"
            )
        if self.rejected:
            num_copies = len(self.rejected) - self.num_bad
            what = "a training would leave out" if is_trial else "left out"
            print(f"{what}: {self.num_bad} unreadable or gray photos, {num_copies} copies{where}")

    def _is_too_bad(self, looked_at: int) -> bool:
        return self.num_bad > self.max_rejected * looked_at


def _assign(kept: Sequence[tuple[Photo, str]], ratios: Sequence[float]) -> Iterator[Entry]:
    """Assign whole groups to the splits, in the order in which they were drawn."""
    groups = [list(members) for _, members in itertools.groupby(kept, key=lambda k: k[0].group)]
    counts = share_out(len(groups), ratios)
    splits = itertools.chain.from_iterable(
        itertools.repeat(split, count) for split, count in zip(SPLITS, counts, strict=True)
    )
    for split, members in zip(splits, groups, strict=True):
        for photo, digest in members:
            yield Entry(split, photo, digest)


def _inspect(photo: Photo, max_pixels: int, gray_too: bool) -> tuple[str, str]:
    """(SHA-256 of the file, or '' if it is unreadable; the reason to reject it, or '')."""
    digest, pixels, reason = read(photo, max_pixels)
    if pixels is not None and not gray_too:
        reason = fault_of(photo, pixels)
    return digest, reason
