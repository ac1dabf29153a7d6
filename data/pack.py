"""Manifest -> memory-mapped uint8 shards: every photo is decoded and resized once, not every epoch."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from core.distributed import barrier, gather, num_cores, world
from core.errors import PlaceError, UserError
from core.figures import progress_bar
from core.files import read_json, remove_leftovers, renamed_to, write_json
from data.listing import Photo
from data.manifest import Entry
from media.decode import PhotoError, resize

log = logging.getLogger(__name__)

SHARD_PHOTOS = 1024
"""Photos per shard: 154 MB at 224 px. If packing is killed, at most one shard per process is lost."""


@dataclass(frozen=True)
class Pack:
    """Decoded and resized photos in the order of the manifest.

    Attributes:
        photos: those that could be read.
        rows: (len(photos),) int64, the row of each photo, counted over all shards.
        shards: (n, 3, S, S) uint8 sRGB, memory-mapped: only rows in use are read from the disk.
    """

    photos: tuple[Photo, ...]
    rows: np.ndarray
    shards: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def nbytes(self) -> int:
        """Size of all shards in bytes."""
        return sum(shard.nbytes for shard in self.shards)

    def gather(self, indices: Sequence[int]) -> Tensor:
        """Copy photos out of the memory map: (len(indices), 3, S, S) uint8."""
        rows = self.rows[list(indices)]
        return torch.from_numpy(
            np.stack([self.shards[row // SHARD_PHOTOS][row % SHARD_PHOTOS] for row in rows])
        )


@dataclass(frozen=True)
class Packer:
    """Builds and opens packs.

    Attributes:
        folder: of the packs, each in a subfolder named by the hash of its contents.
        image_size, resize: side of the square in pixels, and how a photo is resized to it.
        max_pixels: larger photos count as unreadable.
        num_workers: decoding threads, 0 for one per core.
    """

    folder: Path
    image_size: int
    resize: str
    max_pixels: int
    num_workers: int

    def pack(self, entries: Sequence[Entry]) -> Pack:
        """Open the pack of these photos, and build missing shards first.

        Complete shards are reused, also those of a killed process or another run. Photos that cannot be
        read, or whose bytes differ from the manifest's, are left out. The processes of a job build one
        shard each at a time; the folder must be shared by all of them.

        Raises:
            UserError: the folder cannot be written, or the disk is too small.
        """
        folder = self.folder / self._key(entries)
        chunks = [entries[i : i + SHARD_PHOTOS] for i in range(0, len(entries), SHARD_PHOTOS)]
        missing = [i for i, chunk in enumerate(chunks) if not self._is_done(folder, i, chunk)]
        missing = gather(missing)[0]  # the main process's list, for all; taken before any shard is built
        if missing:
            self._check_space(folder, sum(len(chunks[i]) for i in missing))
            remove_leftovers(folder)
            mine = missing[world().rank :: world().size]
            bar = progress_bar("packing photos", sum(len(chunks[i]) for i in mine))
            with bar, ThreadPoolExecutor(self.num_workers or num_cores()) as pool:
                for i in mine:
                    self._build_shard(folder, i, chunks[i], pool, bar)
        barrier()
        return self._open(folder, entries, len(chunks))

    def _key(self, entries: Sequence[Entry]) -> str:
        """Hash of everything that the pixels depend on."""
        digest = hashlib.sha256(f"{self.image_size} {self.resize}".encode())
        for entry in entries:
            digest.update(f"\0{entry.sha256} {entry.photo.box}".encode())
        return digest.hexdigest()[:16]

    def _build_shard(
        self, folder: Path, number: int, chunk: Sequence[Entry], pool: ThreadPoolExecutor, bar: tqdm
    ) -> None:
        shape = (len(chunk), 3, self.image_size, self.image_size)
        rejected: dict[str, str] = {}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with renamed_to(_shard_path(folder, number)) as temporary:
                # Written, not memory-mapped: on a full disk a write fails with an error, a map with SIGBUS.
                with open(temporary, "wb") as file:
                    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_1_0(file, header)
                    for row, result in enumerate(pool.map(self._load, chunk)):
                        if isinstance(result, PhotoError):
                            rejected[str(row)] = str(result)
                            result = np.zeros(shape[1:], np.uint8)
                        file.write(result.tobytes())
                        bar.update()
                write_json(_rejected_path(folder, number), rejected)  # first: an existing shard is complete
        except (OSError, PlaceError) as error:
            cause = error.__cause__ or error
            raise UserError(
                f"cannot write the pack {folder} ({getattr(cause, 'strerror', None) or cause}): free the "
                "disk, or name another place with --pack_dir"
            ) from error

    def _load(self, entry: Entry) -> np.ndarray | PhotoError:
        """Decode and resize a photo: (3, S, S) uint8, or the error."""
        photo = entry.photo
        try:
            with photo.open() as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != entry.sha256:
                    return PhotoError(f"{photo.path} has changed since the split was drawn: put it back")
                file.seek(0)
                image = photo.decode(file, max_pixels=self.max_pixels)
        except PhotoError as error:
            return error
        except OSError as error:
            return PhotoError(f"cannot read {photo.path} ({error.strerror or error})")
        return np.asarray(resize(image, self.image_size, self.resize)).transpose(2, 0, 1)

    def _is_done(self, folder: Path, number: int, chunk: Sequence[Entry]) -> bool:
        """Whether a shard is complete, and its rejected photos still cannot be read."""
        if not self._is_whole(folder, number, len(chunk)):
            return False
        rejected = read_json(_rejected_path(folder, number))
        return all(isinstance(self._load(chunk[int(row)]), PhotoError) for row in rejected)

    def _is_whole(self, folder: Path, number: int, num_photos: int) -> bool:
        path = _shard_path(folder, number)
        try:
            shard = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError):  # EOFError: the file is empty
            return False
        shape = (num_photos, 3, self.image_size, self.image_size)
        return shard.shape == shape and shard.dtype == np.uint8 and _rejected_path(folder, number).exists()

    def _check_space(self, folder: Path, num_photos: int) -> None:
        needed = num_photos * 3 * self.image_size**2
        place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(place).free
        if needed > free:
            raise UserError(
                f"the pack of {num_photos} photos needs {needed / 1e9:.1f} GB in {self.folder}, where "
                f"{free / 1e9:.1f} GB are free: name another place with --pack_dir"
            )

    def _open(self, folder: Path, entries: Sequence[Entry], num_shards: int) -> Pack:
        rejected: dict[int, str] = {}
        for number in range(num_shards):
            for row, reason in read_json(_rejected_path(folder, number)).items():
                rejected[number * SHARD_PHOTOS + int(row)] = reason
        for reason in rejected.values():
            log.warning("left out: %s", reason)
        rows = [row for row in range(len(entries)) if row not in rejected]
        shards = tuple(np.load(_shard_path(folder, i), mmap_mode="r") for i in range(num_shards))
        return Pack(tuple(entries[row].photo for row in rows), np.array(rows, dtype=np.int64), shards)


def _shard_path(folder: Path, number: int) -> Path:
    return folder / f"{number:05}.npy"


def _rejected_path(folder: Path, number: int) -> Path:
    """The file of a shard's rejected photos: row -> reason."""
    return folder / f"{number:05}.json"
