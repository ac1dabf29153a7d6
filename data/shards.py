"""Photos in tar files in WebDataset's layout: files with equal names up to the first dot are a sample."""

from __future__ import annotations

import logging
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from media.formats import PHOTOS

log = logging.getLogger(__name__)

SUFFIX = ".tar"
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")

_MAX_LABEL = 1000  # bytes; a longer .cls file is ignored


@dataclass(frozen=True)
class Member:
    """A photo in a tar file.

    Attributes:
        name: of the file that it is unpacked to: of './a.png' and '/a.png' it is 'a.png'.
        span: (offset, size) of its bytes in the tar file.
        sample: the part of the name that all files of one sample share.
        label: content of the sample's .cls file, else the name of the folder, or ''.
    """

    name: str
    span: tuple[int, int]
    sample: str
    label: str


def list_members(path: Path) -> list[Member]:
    """List the photos of a tar file by its headers; of a damaged file, those before the damage.

    A file is a photo if all that follows the first dot is a photo's ending: `7.jpg`, not `7.mask.png`. Links
    are left out: what they point to may be elsewhere.
    """
    photos: dict[str, tuple[tuple[int, int], str]] = {}  # of equal names the last counts, as in tar
    labels: dict[str, str] = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                name = PurePosixPath(member.name.lstrip("/"))
                key, _, ending = name.name.partition(".")
                sample = str(name.with_name(key)) if key else ""
                if not (member.isreg() and sample):
                    continue
                if f".{ending}".lower() in PHOTOS:
                    photos[str(name)] = (member.offset_data, member.size), sample
                elif ending == "cls" and member.size < _MAX_LABEL:
                    file = tar.extractfile(member)
                    labels[sample] = file.read().decode("utf-8", "replace").strip() if file else ""
    except (tarfile.TarError, OSError, ValueError) as error:
        log.warning("cannot read all of %s (%s): what is missing is left out", path, error)
    return [
        Member(name, span, sample, labels.get(sample, PurePosixPath(name).parent.name))
        for name, (span, sample) in photos.items()
    ]
