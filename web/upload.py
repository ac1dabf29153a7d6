"""A photo or a clip that was uploaded: its folder, and the names of the files in it."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import unicodedata
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.files import write_json
from web.sessions import Gone

# File systems allow 255 bytes; what is made of a photo has a longer name than the photo.
_MAX_NAME = 150
_MAX_ENDING = 10
_GONE = "this photo is here no more: drop it again"
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Upload:
    """What a person has uploaded, a photo or a clip, and where the files about it are.

    Attributes:
        folder: within the folder of that person's session.
    """

    folder: Path

    @classmethod
    def new(cls, session: Path, name: str, *, at_most: int) -> Upload:
        """Make room for a file that somebody sends under any name at all.

        Raises:
            UserError: as many photos are there already.
            Gone: the person left meanwhile.
        """
        if not session.exists():
            raise Gone("your photos are here no more: drop them again")
        if sum(1 for _ in session.glob("*/upload")) >= at_most:
            raise UserError(f"{at_most} photos are here: remove some first")
        upload = cls(session / secrets.token_hex(8))
        (upload.folder / "upload").mkdir(parents=True)
        (upload.folder / "upload" / safe_name(name)).touch()
        return upload

    @classmethod
    def find(cls, session: Path, photo_id: str) -> Upload:
        """What was uploaded, by the name of its folder.

        Raises:
            Gone: there is none.
        """
        upload = cls(session / photo_id)
        if not _ID.fullmatch(photo_id) or not upload.folder.is_dir():
            raise Gone(_GONE)
        return upload

    @property
    def id(self) -> str:
        """What the page calls it."""
        return self.folder.name

    @property
    def file(self) -> Path:
        """The uploaded file itself, unchanged.

        Raises:
            Gone: it was deleted.
        """
        for path in (self.folder / "upload").glob("*"):
            return path
        raise Gone(_GONE)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of what was uploaded.

        Raises:
            Gone: it was deleted.
        """
        try:
            width, height = json.loads((self.folder / "size.json").read_text(encoding="ascii"))
        except FileNotFoundError as error:
            raise Gone(_GONE) from error
        return width, height

    def keep_size(self, size: tuple[int, int]) -> None:
        """Write down its size, which is known once it was decoded."""
        write_json(self.folder / "size.json", size)

    @property
    def gray(self) -> Path:
        """Its preview without colour."""
        return self.folder / "gray.png"

    @property
    def chroma_folder(self) -> Path:
        """The folder of colours that models predicted for it."""
        return self.folder / "chroma"

    @property
    def points(self) -> Path:
        """Hints: a JSON list."""
        return self.folder / "points.json"

    @property
    def strokes(self) -> Path:
        """Hints: a transparent picture."""
        return self.folder / "strokes.png"

    @property
    def reference(self) -> Path:
        """The reference: another photo, whose colours it is to have."""
        return self.folder / "reference"

    @property
    def matched(self) -> Path:
        """Which colours of the reference its preview is to have where, as `web.matching.match` found them."""
        return self.folder / "matched.npy"

    def chroma_path(self, about: str) -> Path:
        """The file of the colours that were predicted for it in one way.

        Args:
            about: describes that way: the model, its settings, what it was given.
        """
        return self.chroma_folder / f"{hashlib.sha256(about.encode()).hexdigest()[:16]}.safetensors"

    def full(self, ending: str) -> Path:
        """The colored photo at full size."""
        return self.folder / "full" / f"{self.file.stem}_colorized{ending}"

    def delete(self) -> None:
        """Delete it and all that was made of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def safe_name(name: str) -> str:
    """The last part of a path as any system writes it, without what a file name must not hold."""
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*')
    stem, dot, ending = name.strip(" .").rpartition(".")
    stem, ending = (stem, dot + ending) if dot else (ending, "")
    ending = ending[:_MAX_ENDING]
    room = _MAX_NAME - len(ending.encode())
    return (stem.encode()[:room].decode(errors="ignore") or "photo") + ending
