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
        "the file to write: of predict and compare a picture, format by its ending (default "
        "<name>_colorized.png or <name>_compared.png beside the photo), or a clip (.mp4, .m4v, .mov or .mkv; "
        "default <name>_colorized.mp4), of export the model (default <weights>.onnx); -: of predict the "
        "picture of a photo to standard output, and nothing else",
        modes=_ON_PATHS,
        kinds=("photo", "clip"),
        instead={"folder": "use --output_dir"},
    )
    format: str | None = setting(
        None,
        "of the picture that predict writes to standard output (default that of the photo, PNG where it is "
        "not written); of the file that export writes (default onnx)",
        modes=("predict", "export"),
        kinds=("photo",),
        choices=("onnx", "jpg", "jpeg", "png", "webp", "tif", "tiff", "bmp", "gif"),
    )
    output_dir: Path | None = setting(
        None,
        "where what is in a folder goes, under its own names (default <folder>_colorized beside it)",
        modes=("predict",),
        kinds=("folder",),
        instead={"photo": "use --output_path", "clip": "use --output_path"},
    )
    recursive: bool = setting(
        False, "color what is in the folders below too", modes=_ON_PATHS, kinds=("folder",)
    )
    page: str = setting(
        "auto",
        "a scan of several photos; auto: where they are found, each is colored by itself; album: look harder "
        "for them; photo: it is one photo",
        modes=COLORING,
        kinds=("photo", "folder"),
        choices=("auto", "album", "photo"),
    )
    render_size: str | None = setting(
        None,
        "side at which the model sees a photo, pixels (default as it was trained); auto: the most "
        "consistent of several; several with commas between: predict writes a picture of one photo for each, "
        "and a sheet to choose from",
        modes=COLORING,
    )
    views: int = setting(
        1,
        "colours are the mean over so many views of a photo: 2: and its mirror image; more: and both shifted "
        "by some pixels; each takes as long as one",
        modes=COLORING,
        low=1,
        high=8,
    )
    upsample: str = setting(
        "guided",
        "how the colours get to the photo's own size; guided: along its edges",
        modes=COLORING,
        choices=("guided", "bilinear"),
    )
    saturation: float = setting(1.0, "factor of the predicted chroma", modes=COLORING, low=0, high=10)
    quality: int = setting(95, "of JPEG and WebP pictures and of clips", modes=COLORING, low=1, high=100)
    temporal: str = setting(
        "steady",
        "the colours of a clip; steady: averaged along the motion, afresh after every cut; off: each frame "
        "by itself",
        modes=("predict",),
        kinds=("clip", "folder"),
        choices=("steady", "off"),
    )
    every: int = setting(
        1,
        "the model sees each so many-th frame of a clip, and colours follow the motion between",
        modes=("predict",),
        kinds=("clip", "folder"),
        low=1,
        high=100,
    )
    deinterlace: bool = setting(
        False,
        "make whole frames of the two fields of each frame of a clip",
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
        'points {"x", "y", "color": "#rrggbb", "radius"}, pixels; for a folder too, of one shot',
        modes=("predict",),
        kinds=("photo", "folder"),
    )
    keep_color: str = setting(
        "auto",
        "colours that a photo, a part of it or a shot of a clip has already; auto: they stay and a line says "
        "so, but the tone of a print in one hue does not; yes: it does too; no: all is colored",
        modes=("predict",),
        choices=("auto", "yes", "no"),
    )
    mask: Path | None = setting(
        None,
        "what to color: a picture of the size of the photo or clip, white where to color, black where that "
        "stays as it is; for a folder too, of one shot",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
    )
    blend: str | None = setting(
        None,
        "mix in the colours of a second model, as WEIGHTS:SHARE, such as model1:0.3, or WEIGHTS:MASK.png, of "
        "the size of the photo or clip, white where they count alone; with --apply_chroma those of a second "
        "such file",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
    )
    invert: bool = setting(
        False,
        "the photo or clip is a negative: invert it first",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
    )
    descreen: bool = setting(
        False,
        "the photo is a scan of a screened print: its dots are averaged out of what the model sees, and of a "
        "1-bit scan also of what is written",
        modes=("predict",),
        kinds=("photo", "folder"),
    )
    album: bool = setting(
        False,
        "photos of a folder that show the same scene share their colours, those of the first by name; "
        "report.csv says which",
        modes=("predict",),
        kinds=("folder",),
    )
    samples: int | None = setting(
        None,
        "draw the colours so many times; for models that draw. predict does so by the seeds from "
        "--sample_seed on, and writes a picture of each and a sheet of all; test and compare score them",
        modes=("predict", "test", "compare"),
        kinds=("photo",),
        low=1,
        high=32,
    )
    sample_seed: int | None = setting(
        None,
        "draw the colours by this seed, the same ones each time, instead of the best guess; of --samples the "
        "first (default 0)",
        modes=("predict",),
        kinds=("photo", "folder"),
        low=0,
        high=2**32 - 1,
    )
    prompt: str | None = setting(
        None,
        "what the photo shows, in words such as 'street, dusk', for models that take them; those of the "
        "training photos' classes are known",
        modes=("predict",),
    )
    save_chroma: Path | None = setting(
        None, "keep the predicted colours alone in this small file too", modes=("predict",), kinds=("photo",)
    )
    apply_chroma: Path | None = setting(
        None,
        "take the colours from such a file instead of from a model",
        modes=("predict",),
        kinds=("photo",),
    )
    save_confidence: Path | None = setting(
        None,
        "write a gray picture of how sure the colours are, white where they are",
        modes=("predict",),
        kinds=("photo",),
    )
    damaged: str = setting(
        "refuse",
        "photos and clips that were cut short; use: color what is there, and say how much that is",
        modes=("predict",),
        kinds=("photo", "clip", "folder"),
        choices=("refuse", "use"),
    )
    progress: str = setting(
        "auto",
        "auto: a bar, or a line now and then where it is no terminal; json: a line of JSON on stdout "
        "for each file: name, status, seconds, reason, warning",
        modes=("predict",),
        choices=("auto", "json"),
    )
    side_by_side: bool = setting(
        False, "write a gray | color picture", modes=("predict",), kinds=("photo", "folder")
    )

    def __post_init__(self) -> None:
        if self.reference and self.reference_dir:
            raise UserError("--reference names the photo that --reference_dir would look for: leave one out")
        self._check_render_size()

    @property
    def render_sizes(self) -> tuple[str, ...]:
        """Where `render_size` names several, each; else none."""
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
