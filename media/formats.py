"""Tell photos from clips: by the first bytes of a file, or by its ending if these are not known."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Literal

from media.clip import is_clip

Kind = Literal["photo", "clip"]

WRITTEN = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "JPEG"),
    **dict.fromkeys((".png",), "PNG"),
    **dict.fromkeys((".webp",), "WEBP"),
    **dict.fromkeys((".bmp",), "BMP"),
    **dict.fromkeys((".tif", ".tiff"), "TIFF"),
    ".gif": "GIF",
}
"""Ending of a picture that the project writes -> Pillow's name of its format."""
PHOTOS = (
    *WRITTEN,
    *(".apng", ".mpo", ".dib", ".avif", ".jp2", ".j2k", ".j2c", ".jpx", ".jpf"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".tga", ".jxl", ".jls", ".heic", ".heif", ".hif"),
)
"""Endings of photos, of any letter case."""

_STARTS_OF_WRITTEN = {
    b"\xff\xd8\xff\xf7": ".png",  # JPEG-LS, which is lossless
    b"\xff\xd8\xff": ".jpg",
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), ".tif"),
    b"RIFF": ".webp",
    b"BM": ".bmp",
}
_HEAD = 512  # bytes: two packets of a transport stream
_PHOTO_STARTS = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
    *(b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51", b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
)
_CLIP_STARTS = (
    *(b"\x1aE\xdf\xa3", b"FLV\x01", b"0&\xb2u\x8ef\xcf\x11", b"\0\0\x01\xba", b"\0\0\x01\xb3"),
    *(b"\x06\x0e+4\x02\x05\x01\x01", b"\x1f\x07\0"),
)
# ISO base media files: these brands are pictures; others are taken for clips, audio files too.
HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_PICTURE_BRANDS = (b"avif", b"avis", *HEIF_BRANDS)
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")
_PACKETS = ((0, 188), (4, 192))  # of transport streams: where the first begins, and their size
_MODULES = (".ts", ".mts")  # also the endings of TypeScript sources


def kind_of(path: Path) -> Kind | None:
    """Whether a file is a photo or a clip; None: neither.

    Known first bytes decide, whatever the ending is. If the file cannot be opened or its first bytes are not
    known, the ending decides, so that a damaged photo is reported and not silently skipped.
    """
    head = b""
    with contextlib.suppress(OSError):
        if path.is_file():  # a pipe would wait for a writer
            with open(path, "rb") as file:
                head = file.read(_HEAD)
    return kind_of_bytes(head) or _by_ending(path, head)


def kind_of_bytes(head: bytes) -> Kind | None:
    """The kind of a file by its first bytes: at least `_HEAD` of them, or all."""
    if head.startswith(_PHOTO_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "photo"
    if head[:1] == b"P" and head[1:2] in b"123456Ff" and head[2:3].isspace() and head[3:4] in b"#0123456789":
        return "photo"
    if head[:2] == b"BM" and head[6:10] == b"\0\0\0\0" and head[14:18] in _BITMAP_HEADERS:
        return "photo"
    if head[4:8] in _BOXES:
        return "photo" if head[4:8] == b"ftyp" and head[8:12] in _PICTURE_BRANDS else "clip"
    if head.startswith(_CLIP_STARTS) or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "clip"
    if head[:4] == b"OggS" and b"theora" in head:
        return "clip"
    if any(head[at : at + 1] == head[at + size : at + size + 1] == b"G" for at, size in _PACKETS):
        return "clip"
    return None


_BITMAP_HEADERS = [size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124)]


def written_ending(path: Path) -> str:
    """The ending for a picture in the format of a photo; .png if that is not written, or is GIF.

    The first bytes of the photo say its format.

    Raises:
        OSError: the file cannot be read.
    """
    with open(path, "rb") as file:
        head = file.read(_HEAD)
    return next((ending for start, ending in _STARTS_OF_WRITTEN.items() if head.startswith(start)), ".png")


def is_photo_name(path: Path) -> bool:
    """Whether a name has the ending of a photo."""
    return path.suffix.lower() in PHOTOS


def _by_ending(path: Path, head: bytes) -> Kind | None:
    name = path.name.lower()
    if name.endswith(PHOTOS):
        return "photo"
    is_text = b"\0" not in head and not any(byte < 9 for byte in head)
    if is_clip(path) and not (name.endswith(_MODULES) and is_text):
        return "clip"
    return None
