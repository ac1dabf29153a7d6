"""List the photos of a dataset: the Places365 download, any folder, or scikit-image's sample photos.

A dataset is one function that returns a `Listing`, and one row in `DATASETS`.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import logging
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from core.distributed import gather, share
from core.errors import UserError
from data.shards import COMPRESSED, list_members
from data.shards import SUFFIX as SHARD
from media.decode import PhotoError, open_photo
from media.formats import PHOTOS, is_photo_name, kind_of
from media.photo import decode
from media.walk import sort_files, walk

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Photo:
    """One photo of a listing, not yet opened.

    Attributes:
        name: path relative to the listing's root, with '/' and in Unicode form NFC, and so the same on
            every file system.
        path: of the file; for a photo in a tar file, of the tar file.
        label: class, or '' when there is none.
        group: photos of one group never go to different splits.
        box: (left, upper, right, lower) part of the picture, or None for the whole.
        span: (offset, size) of the photo's bytes in the file, or None for the whole.
    """

    name: str
    path: Path
    label: str
    group: str
    box: tuple[int, int, int, int] | None = None
    span: tuple[int, int] | None = None

    def open(self) -> io.BufferedReader | io.BytesIO:
        """Open the photo's bytes as a file.

        Raises:
            PhotoError: they cannot be read.
        """
        file = open_photo(self.path)
        if self.span is None:
            return file
        offset, size = self.span
        try:
            with file:
                file.seek(offset)
                data = file.read(size)
        except OSError as error:
            raise PhotoError(f"cannot read {self.path} ({error.strerror or error})") from error
        if len(data) < size:
            raise PhotoError(f"{self.path} ends within {self.name}: get an intact copy")
        return io.BytesIO(data)

    def decode(self, file: BinaryIO, *, max_pixels: int) -> Image.Image:
        """Decode a file of `open` to an RGB image; see `media.photo.decode`."""
        name = str(self.path) if self.span is None else f"{self.path} {self.name}"
        return decode(file, name=name, max_pixels=max_pixels, box=self.box)


@dataclass(frozen=True)
class Listing:
    """All photos of a dataset, sorted by name, not yet opened."""

    root: str
    photos: tuple[Photo, ...]

    def sha256(self) -> str:
        """Hash of all names, to detect added and removed photos."""
        digest = hashlib.sha256()
        for photo in self.photos:
            digest.update(encode(photo.name) + b"\0")
        return digest.hexdigest()


def list_photos(data_dir: str) -> Listing:
    """List a dataset: a name from `DATASETS`, or any folder.

    Raises:
        UserError: the folder is missing or holds no photo.
    """
    if data_dir in DATASETS:
        return DATASETS[data_dir]()
    return list_folder(Path(data_dir))


def list_folder(root: Path, flag: str = "data_dir") -> Listing:
    """List the photos below `root`, recursively, without hidden files and folders; or those of one tar file.

    The class is the parent folder's name; for Places365's validation photos, which are all in one
    folder, it comes from the lists of the download; in tar files, from the sample's .cls file if it
    has one.

    Args:
        root: the folder or tar file.
        flag: that named it, for errors.
    Raises:
        UserError: it is missing or holds no photo.
    """
    if not root.is_dir() and not (root.is_file() and _is_shard(root)):
        state = "is not a folder" if root.exists() else "does not exist"
        more = ", use --data_dir=sample, or add --download to fetch Places365 there"
        more = more if flag == "data_dir" else ""
        raise UserError(f"--{flag}={root} {state}: name a folder of photos or tar files{more}")
    classes = _places_classes(root)
    photos, shards = [], []
    for path in walk(root) if root.is_dir() else [root]:
        if path.name.lower().endswith(COMPRESSED):
            log.warning("%s is compressed and left out: unpack it to %s", path, SHARD)
            continue
        if _is_shard(path):
            shards.append(path)
            continue
        # Opening each of a million files would take hours: only those with other endings are opened.
        if not (is_photo_name(path) or kind_of(path) == "photo"):
            continue
        name = _name(path, root)
        photos.append(Photo(name, path, classes.get(path.name, path.relative_to(root).parent.name), name))
    # Reading the headers of thousands of tar files is slow, so every process reads a share.
    for part in gather([list(_list_shard(path, root)) for path in share(sorted(shards))]):
        photos += itertools.chain.from_iterable(part)
    if not photos:
        raise UserError(
            f"--{flag}={root} holds no photo ({', '.join(PHOTOS)}, or these in {SHARD} files): "
            "name another folder"
        )
    # Absolute, because a run may be used from another working directory.
    return Listing(str(root.absolute()), tuple(sorted(photos, key=lambda photo: encode(photo.name))))


def find_photos(root: Path, *, recursive: bool) -> list[Path]:
    """Find the photo files of a folder, with `recursive` also of its subfolders, in order of name."""
    return sort_files(root, recursive=recursive).photos


def photos_at(path: Path, *, recursive: bool) -> list[Path]:
    """The photo itself if `path` is a file, else the photos of the folder, as of `find_photos`.

    Raises:
        UserError: the folder holds none.
    """
    paths = find_photos(path, recursive=recursive) if path.is_dir() else [path]
    if not paths:
        hint = "" if recursive else ", or look into the folders below with --recursive"
        raise UserError(f"--image_path={path} holds no photo: name another{hint}")
    return paths


def list_sample() -> Listing:
    """List crops of the colour photos that scikit-image ships, to try the program without a dataset.

    Each photo gives itself and nine overlapping crops of half its width and height. All crops of a
    photo are one group, and so are the two pictures of the stereo pair.
    """
    import skimage.data

    folder = Path(skimage.data.__file__).parent
    photos = []
    for file, group in SAMPLE_GROUPS.items():
        path = folder / file
        if not path.is_file():
            raise UserError(f"--data_dir=sample needs {path}: reinstall scikit-image")
        with Image.open(path) as image:
            boxes = _crops(*image.size)
        photos += [Photo(f"{file}#{i}", path, "", group, box) for i, box in enumerate((None, *boxes))]
    return Listing("sample", tuple(photos))


SAMPLE_GROUPS = {
    "astronaut.png": "astronaut",
    "chelsea.png": "chelsea",
    "coffee.png": "coffee",
    "ihc.png": "ihc",
    "motorcycle_left.png": "motorcycle",
    "motorcycle_right.png": "motorcycle",
    "retina.jpg": "retina",
    "rocket.jpg": "rocket",
}

DATASETS: dict[str, Callable[[], Listing]] = {"sample": list_sample}


def encode(name: str) -> bytes:
    """Encode a name as UTF-8; bytes of a file name that are not Unicode are restored."""
    return name.encode("utf-8", "surrogateescape")


def download_places(root: Path) -> None:
    """Download Places365's small validation images (36 500 photos, about 0.5 GB) into `root`.

    Raises:
        UserError: the download failed; complete files are kept and not downloaded again.
    """
    from torchvision.datasets import Places365

    images = root / "val_256"
    classes = _places_classes(root)
    if classes and all((images / name).is_file() for name in classes):
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        if images.exists():
            # torchvision takes an existing folder for a complete one, even if unpacking was interrupted.
            images.rename(root / f".val_256.incomplete.{secrets.token_hex(4)}")
        Places365(root, split="val", small=True, download=True)
    except (OSError, RuntimeError) as error:
        raise UserError(
            f"cannot download Places365 to {root} ({' '.join(str(error).split())}): check the "
            "network and the disk and run again, or give your own folder with --data_dir=FOLDER"
        ) from error


def _is_shard(path: Path) -> bool:
    return path.suffix.lower() == SHARD


def _list_shard(path: Path, root: Path) -> Iterator[Photo]:
    """List the photos of a tar file, as if it were a folder; all photos of a sample are one group.

    The group is the name of the sample's first photo, so that the split is that of the unpacked files.
    """
    shard = _name(path, root)
    groups: dict[str, str] = {}
    for member in list_members(path):
        name = f"{shard}/{unicodedata.normalize('NFC', member.name)}"
        yield Photo(name, path, member.label, groups.setdefault(member.sample, name), span=member.span)


def _name(path: Path, root: Path) -> str:
    below = path.relative_to(root) if path != root else Path(path.name)
    return unicodedata.normalize("NFC", below.as_posix())


def _places_classes(root: Path) -> dict[str, str]:
    """File name -> class of Places365's validation photos; empty for any other folder."""
    names, photos = root / "categories_places365.txt", root / "places365_val.txt"
    if not (names.is_file() and photos.is_file()):
        return {}
    try:
        classes = {}
        for line in names.read_text(encoding="utf-8").splitlines():
            path, index = line.split()
            classes[index] = path.strip("/").partition("/")[2]  # '/a/airfield' -> 'airfield'
        rows = (line.split() for line in photos.read_text(encoding="utf-8").splitlines())
        return {file: classes[index] for file, index in rows}
    except (ValueError, KeyError) as error:
        raise UserError(f"{names} and {photos} do not fit each other: download them again") from error


def _crops(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """3 x 3 overlapping boxes of half the width and height."""
    w, h = width // 2, height // 2
    return [(x * w // 2, y * h // 2, x * w // 2 + w, y * h // 2 + h) for y in range(3) for x in range(3)]
