"""Settings of the prediction."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.settings import COLORING, setting

# The modes that take --image_path.
_ON_PATHS = ("predict", "compare", "export")


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Settings of the prediction."""

    image_path: Path | None = setting(
        None,
        "the photo or clip to color, or a folder of them; -: a photo from standard input, in predict alone",
        modes=_ON_PATHS,
    )
    output_path: Path | None = setting(
        None,
        "file to write. predict and compare: a picture, in the format of its ending (default "
        "<name>_colorized.png or <name>_compared.png beside the photo), or a clip (.mp4, .m4v, .mov or .mkv; "
        "default <name>_colorized.mp4). export: the model (default <weights>.onnx). predict with -: the "
        "picture goes to standard output",
        modes=_ON_PATHS,
        kinds=("photo", "clip"),
        instead={"folder": "use --output_dir"},
    )
    format: str | None = setting(
        None,
        "format of the picture that predict writes to standard output (default that of the photo, PNG where "
        "that is only read); of the file that export writes (default onnx)",
        modes=("predict", "export"),
        kinds=("photo",),
        choices=("onnx", "jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "gif"),
    )
    output_dir: Path | None = setting(
        None,
        "folder for the results of a folder, which keep their names (default <folder>_colorized beside it)",
        modes=("predict",),
        kinds=("folder",),
        instead={"photo": "use --output_path", "clip": "use --output_path"},
    )
    recursive: bool = setting(False, "also color what is in subfolders", modes=_ON_PATHS, kinds=("folder",))
    page: str = setting(
        "auto",
        "whether a scan shows several photos, each of which is then colored by itself; auto: where they are "
        "found; album: look harder for them; photo: it is one photo",
        modes=COLORING,
        kinds=("photo", "folder"),
        choices=("auto", "album", "photo"),
    )
    render_size: str | None = setting(
        None,
        "side at which the model sees a photo, pixels (default as in its training); auto: the most "
        "consistent of several; several, separated by commas: predict writes a picture for each, and a sheet "
        "to choose from",
        modes=COLORING,
    )
    views: int = setting(
        1,
        "number of views of a photo whose colours are averaged; 2: the photo and its mirror image; more: "
        "both also shifted by some pixels; each view takes as long as one photo",
        modes=COLORING,
        low=1,
        high=8,
    )
    upsample: str = setting(
        "guided",
        "how colours are enlarged to the size of the photo; guided: along its edges",
        modes=COLORING,
        choices=("guided", "bilinear"),
    )
    saturation: float = setting(1.0, "factor on the predicted chroma", modes=COLORING, low=0, high=10)
    quality: int = setting(
        95, "quality of JPEG and WebP pictures and of clips", modes=COLORING, low=1, high=100
    )
    temporal: str = setting(
        "steady",
        "colours of a clip over time; steady: averaged along the motion, anew after every cut; off: each "
        "frame by itself",
        modes=("predict",),
        kinds=("clip", "folder"),
        choices=("steady", "off"),
    )
    every: int = setting(
        1,
        "the model sees every N-th frame of a clip; between, colours follow the motion",
        modes=("predict",),
        kinds=("clip", "folder"),
        low=1,
        high=100,
    )
    deinterlace: bool = setting(
        False,
        "the clip is interlaced: make whole frames of its fields",
        modes=("predict",),
        kinds=("clip", "folder"),
    )
    reference: Path | None = setting(
        None,
        "take the colours from this other photo: of things alike, or by its style where the model knows one",
        modes=("predict",),
    )
    reference_dir: Path | None = setting(
        None,
        "take the colours from that photo of this folder which shows most nearly the same",
        modes=("predict",),
        kinds=("photo", "folder"),
    )
    matching: str = setting(
        "encoder",
        "how things alike in --reference are found; encoder: by what a network sees in them; dct: by their "
        "texture; palette: by lightness alone",
        modes=("predict",),
        kinds=("photo", "folder"),
        choices=("encoder", "dct", "palette"),
    )
    hints: Path | None = setting(
        None,
        "colours for places of the photo: a transparent picture of its size with strokes, or a JSON list of "
        'points {"x", "y", "color": "#rrggbb", "radius"} in pixels; with a folder, the same for all of it',
        modes=("predict",),
        kinds=("photo", "folder"),
    )
    keep_color: str = setting(
        "auto",
        "what becomes of colours that a photo, a part of it or a shot of a clip has already; auto: they "
        "stay, with a note, but not the single tone of an aged print; yes: that stays too; no: all is "
        "colored anew",
        modes=("predict",),
        choices=("auto", "yes", "no"),
    )
    mask: Path | None = setting(
        None,
        "picture of the size of the photo or clip: white is colored, black stays as it is; with a folder, "
        "the same for all of it",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
    )
    blend: str | None = setting(
        None,
        "mix in the colours of a second model: WEIGHTS:SHARE, such as model1:0.3, or WEIGHTS:MASK.png, a "
        "picture of the photo's or clip's size, white where the second counts alone; with --apply_chroma a "
        "second file of colours in place of WEIGHTS",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
    )
    invert: bool = setting(
        False,
        "the photo or clip is a negative: invert it before it is colored",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
    )
    descreen: bool = setting(
        False,
        "the photo is a scan of a screened print: its dots are averaged out of what the model sees, and in a "
        "1-bit scan also out of the picture that is written",
        modes=("predict",),
        kinds=("photo", "folder"),
    )
    album: bool = setting(
        False,
        "photos of a folder that show the same scene take the colours of the first of them, by name; "
        "report.csv says which",
        modes=("predict",),
        kinds=("folder",),
    )
    samples: int | None = setting(
        None,
        "number of times that a model that draws its colours is to draw them. predict takes the seeds from "
        "--sample_seed on, and writes a picture of each and a sheet of all; test and compare score them",
        modes=("predict", "test", "compare"),
        kinds=("photo",),
        low=1,
        high=32,
    )
    sample_seed: int | None = setting(
        None,
        "draw the colours with this seed instead of the best guess: the same seed, the same colours; with "
        "--samples the first of the seeds (default 0)",
        modes=("predict",),
        kinds=("photo", "folder"),
        low=0,
        high=2**32 - 1,
    )
    prompt: str | None = setting(
        None,
        "what the photo shows, in words such as 'street, dusk', for models that take them; they know the "
        "names of the classes of their training photos",
        modes=("predict",),
    )
    save_chroma: Path | None = setting(
        None,
        "also write the colours alone, a small file for --apply_chroma",
        modes=("predict",),
        kinds=("photo",),
    )
    apply_chroma: Path | None = setting(
        None,
        "take the colours from a file of --save_chroma instead of from a model",
        modes=("predict",),
        kinds=("photo",),
    )
    save_confidence: Path | None = setting(
        None,
        "write a gray picture of how sure the model is of its colours, of --blend the first: white is sure",
        modes=("predict",),
        kinds=("photo",),
    )
    damaged: str = setting(
        "refuse",
        "what to do with photos and clips that were cut short; use: color what is there, and say how much",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
        choices=("refuse", "use"),
    )
    progress: str = setting(
        "auto",
        "how progress is shown; auto: a bar, or outside a terminal a line now and then; json: for each file "
        "a line of JSON on stdout: name, status, seconds, reason, warning",
        modes=("predict",),
        choices=("auto", "json"),
    )
    side_by_side: bool = setting(
        False,
        "write the gray and the colored picture side by side",
        modes=("predict",),
        kinds=("photo", "folder"),
    )

    def __post_init__(self) -> None:
        if self.reference and self.reference_dir:
            raise UserError("--reference names the photo that --reference_dir would look for: leave one out")
        self._check_render_size()

    @property
    def render_sizes(self) -> tuple[str, ...]:
        """The sizes of `render_size` if it names several, else an empty tuple."""
        return tuple(self.render_size.split(",")) if self.render_size and "," in self.render_size else ()

    def _check_render_size(self) -> None:
        size = self.render_size
        if size is None or size == "auto":
            return
        sizes = size.split(",")
        if not all(one.isdecimal() and 32 <= int(one) <= 4096 for one in sizes):
            raise UserError(
                f"--render_size={size}: must be auto or a number from 32 to 4096, or several of these"
            )
        if len({int(one) for one in sizes}) < len(sizes):
            raise UserError(f"--render_size={size} names a size twice: leave one out")
