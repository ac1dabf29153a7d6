"""The finished parts of a clip, in a hidden folder beside the output, which survive an interruption."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from checkpoint.state_dict import read_state_and_metadata
from core.errors import PlaceError, UserError
from core.files import read_json, remove_leftovers, write_bytes, write_json
from core.locks import try_lock, unlock

JOB, STATE = "job.json", "state.safetensors"
WORK_FOLDER = ".colorizer-*.work"
"""Pattern of the names of work folders."""


class ClipParts:
    """The parts of one job: a clip together with all settings that its colours depend on.

    Attributes:
        folder: where they are.
        ends: number of frames up to the end of each part.
        state: of `SteadyChroma` after the last part.
    """

    def __init__(self, output: Path, job: Mapping[str, Any]) -> None:
        """Take over the parts that an earlier run of the same job left; those of another job are deleted.

        The folder is locked against other processes until `close`.

        Args:
            output: the file to write when the clip is whole.
            job: JSON values; they identify the job, and must differ if the frames would.
        Raises:
            UserError: the place cannot be written, or another process works on it.
        """
        self.folder = work_folder(output)
        self.ends: list[int] = []
        self.state: dict[str, Tensor] = {}
        self._lock = _lock(self.folder, output)
        try:
            self._take_over({"target": output.name, **job})
        except BaseException:
            self.close()  # or this process could not try again
            raise

    @property
    def num_frames(self) -> int:
        """Number of finished frames."""
        return self.ends[-1] if self.ends else 0

    @property
    def files(self) -> list[Path]:
        """The finished parts, in order."""
        return [self._part(start) for start in [0, *self.ends][:-1]]

    @property
    def next_file(self) -> Path:
        """The file of the next part."""
        return self._part(self.num_frames)

    def add(self, num_frames: int, state: dict[str, Tensor]) -> None:
        """Record that `next_file` is finished.

        Args:
            num_frames: of the clip, up to its end.
            state: of `SteadyChroma` after it.
        """
        ends = [*self.ends, num_frames]
        # A single file, written atomically, lists the parts: one that it does not list was never finished.
        data = safetensors.torch.save(state, {"ends": json.dumps(ends)})
        write_bytes(self.folder / STATE, data)
        self.ends, self.state = ends, state

    def delete(self) -> None:
        """Remove everything."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def close(self) -> None:
        """Release the lock, so that other processes may take over the parts."""
        unlock(self._lock)
        self._lock = None

    def _take_over(self, job: Mapping[str, Any]) -> None:
        try:
            if read_json(self.folder / JOB) == job:
                self._load()
        except (UserError, KeyError, ValueError):  # damaged, or nothing there
            self.ends, self.state = [], {}
        if not self.ends:
            self._clear()
            write_json(self.folder / JOB, job)
        remove_leftovers(self.folder)

    def _clear(self) -> None:
        """Remove the content of the folder, but not the folder itself, which is locked."""
        for path in self.folder.iterdir():
            path.unlink(missing_ok=True)

    def _load(self) -> None:
        self.state, metadata = read_state_and_metadata(self.folder / STATE)
        self.ends = list(map(int, json.loads(metadata["ends"])))
        if not all(path.is_file() for path in self.files):
            raise ValueError("a part is missing")

    def _part(self, start: int) -> Path:
        return self.folder / f"{start:09}.nut"


def _lock(folder: Path, output: Path) -> int | None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return try_lock(folder)
    except BlockingIOError:
        raise UserError(f"{output} is being colored by another process: wait, or name another file") from None
    except OSError as error:
        raise PlaceError(
            f"cannot write {folder}: {error.strerror}; free the place or name another"
        ) from error


def work_folder(output: Path) -> Path:
    """Where the parts of a clip are until it is whole."""
    name = hashlib.sha256(output.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return output.absolute().with_name(WORK_FOLDER.replace("*", name))
