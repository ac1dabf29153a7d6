"""XMP sidecar files beside photos, as photo catalogues keep them: photo.jpg.xmp or photo.xmp."""

from __future__ import annotations

from pathlib import Path

from core.files import write_bytes
from core.remarks import remark
from media.decode import PhotoError
from media.xmp import can_be_marked, mark_xmp, upright_xmp


def copy_sidecar(photo: Path, target: Path, by: str | None, *, overwrite: bool) -> None:
    """Copy the XMP sidecars of a photo for its colored picture, with a mark if the colours are inferred.

    What cannot be marked is copied as it is, with a remark.

    Args:
        photo: the original.
        target: the colored picture.
        by: program and weights; None: the colours are the photo's own.
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
        write_bytes(copy, upright_xmp(xmp) if by is None else _marked(original, xmp, by))


def _marked(original: Path, xmp: bytes, by: str) -> bytes:
    if can_be_marked(xmp):
        return mark_xmp(xmp, by)
    told = "its XMP sidecar is of a form that is not known here, and is copied without a mark"
    remark(f"{original}: {told}", told)
    return xmp


def _names(photo: Path) -> tuple[Path, Path]:
    return photo.with_name(f"{photo.name}.xmp"), photo.with_suffix(".xmp")
