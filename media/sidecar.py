"""XMP sidecar files beside photos, as photo catalogues keep them: photo.jpg.xmp or photo.xmp."""

from __future__ import annotations

from pathlib import Path

from core.files import write_bytes
from media.decode import PhotoError
from media.metadata import mark_xmp


def copy_sidecar(photo: Path, target: Path, by: str, *, overwrite: bool) -> None:
    """Copy the XMP sidecars of a photo for its colored picture, with a mark that the colours are inferred.

    Args:
        photo: the original.
        target: the colored picture.
        by: program and weights.
        overwrite: replace existing sidecars; else they are left as they are.
    Raises:
        PhotoError: a sidecar cannot be read.
        UserError: the place cannot be written.
    """
    for original, copy in zip(_names(photo), _names(target), strict=True):
        if (
            not original.is_file()
            or (copy.exists() and not overwrite)
            or copy.resolve() == original.resolve()
        ):
            continue
        try:
            xmp = original.read_bytes()
        except OSError as error:
            raise PhotoError(f"cannot read {original} ({error.strerror}): check its rights") from error
        write_bytes(copy, mark_xmp(xmp, by))


def _names(photo: Path) -> tuple[Path, Path]:
    return photo.with_name(f"{photo.name}.xmp"), photo.with_suffix(".xmp")
