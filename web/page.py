"""The page: what stands on it, and what happens when it is used."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from core.errors import UserError
from media.formats import PHOTOS
from web.folder import Folder
from web.studio import ENDINGS, Photo, Studio, pack
from web.uploads import MAX_PHOTOS

_MAX_SESSIONS, _MAX_WAITING = 32, 32
_MAX_SATURATION, _MAX_VIVIDNESS = 3.0, 1.0

# One photo is decoded at a time, however many people are here: memory is that of one.
_HEAVY: dict[str, Any] = {"concurrency_id": "photos", "concurrency_limit": 1, "api_visibility": "private"}
_LIGHT: dict[str, Any] = {"concurrency_id": "previews", "concurrency_limit": 2, "api_visibility": "private"}

_INTRODUCTION = """# Colorizer
Drop photos, get them back in colour. The lightness is the photo's own; the colours are a model's guess."""
_CSS = """
.gradio-container {
    width: 100%; max-width: 1100px !important; margin: 0 auto !important; padding: 0 !important
}
footer {display: none !important}
"""
_FONTS = ("system-ui", "Helvetica", "Arial", "sans-serif")
_THEME = gr.themes.Default(primary_hue="slate", neutral_hue="slate", radius_size="sm", font=_FONTS)

APPEARANCE: dict[str, Any] = {"css": _CSS, "theme": _THEME}
"""What Gradio wants to know where the page is served."""

Updates = dict[Any, Any]
"""Component -> what becomes of it."""


class Page:
    """The page and its handlers.

    Nothing of a person is kept here: it is in the session's state, which every handler is given, and in
    the session's part of the folder.
    """

    def __init__(self, studio: Studio, folder: Folder) -> None:
        self.studio, self.folder = studio, folder
        with gr.Blocks(title="Colorizer", analytics_enabled=False, fill_width=True) as self.blocks:
            self._lay_out()
            self._connect()
        self.blocks.queue(max_size=_MAX_WAITING, api_open=False)
        self.blocks.state_session_capacity = _MAX_SESSIONS

    def _lay_out(self) -> None:
        gr.Markdown(_INTRODUCTION)
        self.photos = gr.State([])
        self.drop = gr.File(
            label="Photos",
            file_count="multiple",
            file_types=list(PHOTOS),
            height=130,
            elem_id="drop",
        )
        self.notes = gr.Textbox(label="Notes", visible=False, interactive=False, elem_id="notes")
        with gr.Row():
            with gr.Column(scale=5, min_width=320):
                self.slider = gr.ImageSlider(
                    label="Gray | colored",
                    interactive=False,
                    buttons=["fullscreen"],
                    max_height=600,
                    elem_id="pictures",
                )
            with gr.Column(scale=3, min_width=280):
                self._lay_out_controls()

    def _lay_out_controls(self) -> None:
        studio = self.studio
        self.choice = gr.Dropdown(label="Shown", choices=[], visible=False, filterable=False)
        self.model = gr.Dropdown(
            label="Model", choices=list(studio.choices), value=studio.first, filterable=False
        )
        self.saturation = gr.Slider(
            label="Saturation",
            minimum=0,
            maximum=max(_MAX_SATURATION, studio.config.saturation),
            value=studio.config.saturation,
            step=0.05,
            elem_id="saturation",
        )
        self.vividness = gr.Slider(
            label="Vividness: from the best guess to colours as lively as true ones",
            minimum=0,
            maximum=max(_MAX_VIVIDNESS, studio.vividness(studio.first) or 0),
            step=0.05,
            elem_id="vividness",
            **_vividness(studio.vividness(studio.first)),
        )
        self.overlay = gr.Checkbox(label="Magenta where the model is unsure", elem_id="overlay")
        self.ending = gr.Dropdown(label="Format", choices=list(ENDINGS), value=ENDINGS[0], filterable=False)
        self.download = gr.Button("Color at full size", variant="primary", elem_id="develop")
        self.file = gr.File(label="Download", visible=False, interactive=False, elem_id="file")
        self.clear = gr.Button("Delete my photos", size="sm", elem_id="clear")

    def _connect(self) -> None:
        view = [self.photos, self.choice, self.saturation, self.overlay]
        results = [self.photos, self.drop, self.choice, self.slider, self.notes, self.file]
        asked = [self.model, self.vividness, *view]
        shown: dict[str, Any] = {"show_progress_on": self.slider, **_HEAVY}
        self.drop.upload(self.add, [self.drop, *asked], results, **shown)
        chosen = self.model.input(self.choose_model, self.model, self.vividness, **_HEAVY)
        for changed in (chosen.then, self.vividness.release):
            changed(self.look_again, asked, results, **shown)
        for changed in (self.choice.input, self.saturation.change, self.overlay.input):
            changed(
                self.show,
                view,
                [self.slider, self.notes, self.file],
                trigger_mode="always_last",
                show_progress="hidden",
                **_LIGHT,
            )
        self.download.click(
            self.develop, [self.photos, self.saturation, self.ending], [self.file, self.notes], **_HEAVY
        )
        self.clear.click(self.forget, None, results, **_LIGHT)
        self.blocks.unload(self.leave)

    def add(
        self,
        uploads: Sequence[str] | None,
        model: str,
        vividness: float,
        photos: list[Photo],
        choice: int | None,
        saturation: float,
        overlay: bool,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Color what was dropped, one photo after the other."""
        session, notes, first = self._session(request), [], len(photos)
        for path in map(Path, uploads or ()):
            updates: Updates = {self.drop: None}
            try:
                if len(photos) >= MAX_PHOTOS:
                    raise UserError(f"{path.name}: {MAX_PHOTOS} photos are here, delete them first")
                photos = [*photos, self.studio.look(self.folder.take(path, session), model, vividness)]
                updates |= {self.photos: photos, self.choice: _names(photos)}
            except (UserError, MemoryError) as error:
                notes.append(_say(error, path.name))
            if self.photos in updates and len(photos) == first + 1:
                updates |= self._view(photos, first, saturation, overlay)
                updates[self.choice] = _names(photos, first)
            yield updates | {self.notes: _box(notes)}

    def choose_model(self, model: str) -> gr.Slider:
        """Offer the vividness of another model, at its own value."""
        return gr.Slider(**_vividness(self.studio.vividness(model)))

    def look_again(
        self,
        model: str,
        vividness: float,
        photos: list[Photo],
        choice: int | None,
        saturation: float,
        overlay: bool,
        request: gr.Request,
    ) -> Iterator[Updates]:
        """Color the photos of the session with another model or vividness."""
        self._session(request)
        notes = []
        for index in sorted(range(len(photos)), key=lambda index: index != choice):  # the shown one first
            photo = photos[index]
            updates: Updates = {}
            try:
                again = self.studio.look(photo.path, model, vividness)
                photos = [*photos[:index], again, *photos[index + 1 :]]
                updates = {self.photos: photos}
            except (UserError, MemoryError) as error:
                notes.append(_say(error, photo.name))
            if index == choice:
                updates |= self._view(photos, choice, saturation, overlay)
            yield updates | {self.notes: _box(notes)}

    def show(
        self, photos: list[Photo], choice: int | None, saturation: float, overlay: bool, request: gr.Request
    ) -> Updates:
        """Show the chosen photo; the network is not asked again."""
        self._session(request)
        return self._view(photos, choice, saturation, overlay)

    def develop(
        self, photos: list[Photo], saturation: float, ending: str, request: gr.Request
    ) -> Iterator[Updates]:
        """Write the colored photos at full size: one file, or a zip of several."""
        session, notes, pictures = self._session(request), [], []
        if not photos:
            notes.append("drop a photo first")
        for photo in photos:
            try:
                with self.folder.reserve(3 * math.prod(photo.chroma.size)):
                    pictures.append(self.studio.develop(photo, _within(saturation), ending))
            except (UserError, MemoryError) as error:
                notes.append(_say(error, photo.name))
            yield {self.notes: _box(notes)}  # where Gradio stops when the person is gone
        path = None
        if pictures:
            path = pictures[0] if len(pictures) == 1 else pack(pictures, session / "colorized.zip")
        yield {self.file: _link(path), self.notes: _box(notes)}

    def forget(self, request: gr.Request) -> Updates:
        """Delete the photos of the session."""
        self.folder.forget(request.session_hash or "")
        gone: Updates = {self.photos: [], self.drop: None, self.choice: _names([], None)}
        return gone | self._view([], None, 1, False)

    def leave(self, request: gr.Request) -> None:
        """The page was closed."""
        self.folder.forget(request.session_hash or "")

    def _session(self, request: gr.Request) -> Path:
        return self.folder.session(request.session_hash or "")

    def _view(self, photos: list[Photo], choice: int | None, saturation: float, overlay: bool) -> Updates:
        """The pictures of the chosen photo; what was there to download shows other colours."""
        pictures, notes = None, []
        if choice is not None and choice >= len(photos):  # many others came since
            notes.append("your photos are here no more: drop them again")
        elif choice is not None:
            photo = photos[choice]
            try:
                colored = self.studio.preview(photo, _within(saturation), overlay=bool(overlay))
                pictures = (str(photo.gray), str(colored))
            except (UserError, MemoryError) as error:
                notes.append(_say(error, photo.name))
        return {self.slider: pictures, self.notes: _box(notes), self.file: _link(None)}


def _names(photos: list[Photo], *chosen: int | None) -> gr.Dropdown:
    """The photos to choose from, and which is chosen, where that changes."""
    choices = [(photo.name, index) for index, photo in enumerate(photos)]
    value: dict[str, Any] = {"value": chosen[0]} if chosen else {}
    return gr.Dropdown(choices=choices, visible=len(photos) > 1, **value)


def _vividness(own: float | None) -> dict[str, Any]:
    """What becomes of its slider, by a model's own value; None: the model has none."""
    return {"value": own or 0, "visible": own is not None}


def _within(saturation: float) -> float:
    """Gradio lets NaN through."""
    return saturation if math.isfinite(saturation) else 1.0


def _say(error: UserError | MemoryError, name: str) -> str:
    return (
        str(error) if isinstance(error, UserError) else f"{name} is too large for the memory of this machine"
    )


def _link(path: Path | None) -> gr.File:
    """What is there to download; None where it would be another picture than the one that is shown."""
    return gr.File(value=None if path is None else str(path), visible=path is not None)


def _box(notes: Sequence[str]) -> gr.Textbox:
    """Plain text: names of files come from anybody."""
    return gr.Textbox(value="\n".join(notes), visible=bool(notes), lines=max(1, min(len(notes), 8)))
