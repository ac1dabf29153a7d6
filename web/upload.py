"""An uploaded photo or clip: its folder, and the names of the files in it."""

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

# File systems allow 255 bytes; results have longer names than the photo.
_MAX_NAME = 150
_MAX_ENDING = 10
GONE = "this file is here no more: drop it again"
_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Upload:
    """An uploaded photo or clip, and the paths of its files.

    Attributes:
        folder: its own, within the folder of the session.
    """

    folder: Path

    @classmethod
    def new(cls, session: Path, name: str, *, at_most: int) -> Upload:
        """Create the folder and an empty file for an upload; `name` is sanitized by `safe_name`.

        Raises:
            UserError: the session has `at_most` uploads already.
            Gone: the session was deleted meanwhile.
        """
        if not session.exists():
            raise Gone("your files are here no more: drop them again")
        if sum(1 for _ in session.glob("*/upload")) >= at_most:
            raise UserError(f"{at_most} photos are here: remove some first")
        upload = cls(session / secrets.token_hex(8))
        (upload.folder / "upload").mkdir(parents=True)
        (upload.folder / "upload" / safe_name(name)).touch()
        return upload

    @classmethod
    def find(cls, session: Path, photo_id: str) -> Upload:
        """Find an upload of a session by its id.

        Raises:
            Gone: there is none.
        """
        upload = cls(session / photo_id)
        # The folder itself can outlast a deletion for a moment: work that is under way writes into it.
        if not _ID.fullmatch(photo_id) or not (upload.folder / "upload").is_dir():
            raise Gone(GONE)
        return upload

    @property
    def id(self) -> str:
        """The id in URLs: the name of the folder."""
        return self.folder.name

    @property
    def file(self) -> Path:
        """The uploaded file itself, unchanged.

        Raises:
            Gone: it was deleted.
        """
        for path in (self.folder / "upload").glob("*"):
            return path
        raise Gone(GONE)

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the photo, as stored by `keep_size`.

        Raises:
            Gone: it was deleted.
        """
        try:
            width, height = json.loads((self.folder / "size.json").read_text(encoding="ascii"))
        except FileNotFoundError as error:
            raise Gone(GONE) from error
        return width, height

    def keep_size(self, size: tuple[int, int]) -> None:
        """Store the photo's (width, height), known after decoding."""
        write_json(self.folder / "size.json", size)

    @property
    def gray(self) -> Path:
        """The preview without colour."""
        return self.folder / "gray.png"

    @property
    def chroma_folder(self) -> Path:
        """The folder of the cached predictions."""
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
        """The reference: another photo to take colours from."""
        return self.folder / "reference"

    @property
    def matched(self) -> Path:
        """The colours of the reference matched to the preview, the result of `web.matching.match`."""
        return self.folder / "matched.npy"

    def chroma_path(self, about: str) -> Path:
        """The file of a cached prediction.

        Args:
            about: identifies the prediction: the model, its settings and inputs.
        """
        return self.chroma_folder / f"{hashlib.sha256(about.encode()).hexdigest()[:16]}.safetensors"

    def full(self, ending: str) -> Path:
        """The colored photo at full size."""
        return self.folder / "full" / f"{self.file.stem}_colorized{ending}"

    def delete(self) -> None:
        """Delete the folder with all its files."""
        shutil.rmtree(self.folder, ignore_errors=True)


def safe_name(name: str) -> str:
    """Sanitize a file name: drop folders, and characters not allowed in file names; shorten long names."""
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*')
    stem, dot, ending = name.strip(" .").rpartition(".")
    stem, ending = (stem, dot + ending) if dot else (ending, "")
    ending = ending[:_MAX_ENDING]
    room = _MAX_NAME - len(ending.encode())
    return (stem.encode()[:room].decode(errors="ignore") or "photo") + ending
