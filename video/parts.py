"""The finished parts of a clip, in a hidden folder beside the output, which survive an interruption."""

from __future__ import annotations

import contextlib
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

_NAMED = ("by", "temporal", "every", "quality", "deinterlace", "invert")
"""Entries of a job that say something to a reader."""


class ClipParts:
    """The parts of one job: a clip together with all settings that its colours depend on.

    Attributes:
        folder: where they are.
        ends: number of frames up to the end of each part.
        state: of `SteadyChroma` after the last part.
    """

    def __init__(self, output: Path, job: Mapping[str, Any], *, overwrite: bool) -> None:
        """Take over the parts that an earlier run of the same job left.

        The folder is locked against other processes until `close`.

        Args:
            output: the file to write when the clip is whole.
            job: JSON values; they identify the job, and must differ if the frames would.
            overwrite: delete the parts of another job.
        Raises:
            UserError: the place cannot be written, another process works on it, or it holds finished parts of
                another job and `overwrite` is off.
        """
        self.folder = work_folder(output)
        self.ends: list[int] = []
        self.state: dict[str, Tensor] = {}
        self._lock = _lock(self.folder, output)
        try:
            self._take_over(output, {"target": output.name, **job}, overwrite=overwrite)
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

    def _take_over(self, output: Path, job: Mapping[str, Any], *, overwrite: bool) -> None:
        earlier = {}
        with contextlib.suppress(UserError, KeyError, TypeError, ValueError):  # damaged, or nothing there
            earlier = dict(read_json(self.folder / JOB))
            self._load()
        if earlier != job:
            if self.ends and not overwrite and _can_be_gone_on_with(earlier, job):
                raise UserError(_what_would_be_lost(output, self.num_frames, earlier, job))
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
        state, metadata = read_state_and_metadata(self.folder / STATE)
        ends = list(map(int, json.loads(metadata["ends"])))
        if not all(self._part(start).is_file() for start in [0, *ends][:-1]):
            raise ValueError("a part is missing")
        self.ends, self.state = ends, state

    def _part(self, start: int) -> Path:
        return self.folder / f"{start:09}.nut"


def _can_be_gone_on_with(earlier: Mapping[str, Any], job: Mapping[str, Any]) -> bool:
    """Whether some command can take over the parts of an earlier job: not if its clip was changed since."""
    is_same_path = earlier.get("clip") == job.get("clip")
    return not is_same_path or all(earlier.get(name) == job.get(name) for name in ("bytes", "changed"))


def _what_would_be_lost(
    output: Path, num_frames: int, earlier: Mapping[str, Any], job: Mapping[str, Any]
) -> str:
    if earlier.get("clip") != job.get("clip"):
        what = f"another clip ({earlier.get('clip')})"
    else:
        named = [f"{name} {earlier.get(name)}" for name in _NAMED if earlier.get(name) != job.get(name)]
        what = f"other settings ({', '.join(named)})" if named else "other settings"
    return (
        f"{num_frames} finished frames of {output}, of {what}, would be lost: the same command as then goes "
        "on with them, --overwrite begins anew"
    )


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
