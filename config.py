"""Every setting, its default and its check. The command line is generated from these classes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.settings import MODES, setting, validate
from engine.recipes import FINE_TUNING_LR, RECIPES
from engine.schedule import SCHEDULES

VERSION = "0.1.0"

RENAMED = {
    "average": "ema",
    "accumulate": "grad_accum",
    "smallest_crop": "min_crop",
    "limit": "max_photos",
    "style_image": "reference",
}
"""Former name of a setting -> its name. Configurations are stored under either; flags, until version 0.2."""

# The modes that open a folder of photos with their true colours, and those that color photos for people.
_SPLITTING = ("train", "test", "compare")
_COLORING = ("predict", "compare", "serve")
_ON_PATHS = ("predict", "compare", "export")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Settings of the data."""

    data_dir: str = setting(
        "datasets/places365",
        "a folder of photos or of tar files of photos, searched recursively, a Places365 download, or the "
        "word 'sample'",
        modes=_SPLITTING,
        resumable=True,
    )
    download: bool = setting(
        False,
        "fetch the 36 500 small validation photos of Places365 into --data_dir first",
        modes=_SPLITTING,
        resumable=True,
    )
    subset_size: int = setting(
        30_000, "photos drawn from the folder, all splits together", modes=_SPLITTING, low=1
    )
    split_ratio: tuple[float, float, float] = setting(
        (0.70, 0.15, 0.15), "shares of train, val and test; they sum to 1", modes=_SPLITTING
    )
    image_size: int = setting(
        224, "side of the square that the model sees, pixels", modes=MODES, low=32, high=4096
    )
    resize: str = setting(
        "squash",
        "squash: straight to the square; crop: short side, then the centre",
        modes=MODES,
        choices=("squash", "crop"),
    )
    max_rejected: float = setting(
        0.1, "largest share of unreadable or gray photos to put up with", modes=_SPLITTING, low=0, high=1
    )
    max_pixels: int = setting(
        200_000_000, "larger photos and frames are refused, pixels", modes=MODES, resumable=True, low=1
    )
    num_workers: int = setting(
        0, "decoding threads; 0: one per core", modes=_SPLITTING, resumable=True, low=0, high=1024
    )
    pack_dir: Path | None = setting(
        None,
        "where decoded photos are kept, 3 bytes a pixel (default pack/ in --run_dir)",
        modes=_SPLITTING,
        resumable=True,
    )
    on_device: str = setting(
        "auto",
        "keep the decoded photos in GPU memory; auto: if they take at most half of what is free",
        modes=_SPLITTING,
        resumable=True,
        choices=("auto", "yes", "no"),
    )
    max_photos: int | None = setting(
        None, "use only the first N photos of each split", modes=_SPLITTING, low=1
    )
    split: str = setting(
        "test",
        "the part of the folder that test and compare score; all: every photo, no manifest needed",
        modes=("test", "compare"),
        choices=("train", "val", "test", "all"),
    )

    def __post_init__(self) -> None:
        ratios = self.split_ratio
        if len(ratios) != 3 or not all(0 <= r <= 1 for r in ratios):
            raise UserError(f"--split_ratio={_join(ratios)}: must be three shares from 0 to 1")
        if abs(sum(ratios) - 1) > 1e-6:
            raise UserError(f"--split_ratio={_join(ratios)}: sums to {sum(ratios):g}, must be 1")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of the training."""

    batch_size: int = setting(256, "photos per step, of all processes together", modes=_SPLITTING, low=1)
    grad_accum: int = setting(
        1,
        "parts in which each process computes its photos of a step; more take less memory",
        modes=("train",),
        low=1,
    )
    lr: float = setting(0.001, "learning rate of Adam", modes=("train",), above=0)
    schedule: str = setting(
        "constant",
        "of the learning rate; cosine: down to 0 at the last epoch",
        modes=("train",),
        choices=SCHEDULES,
    )
    warmup: int = setting(
        0, "epochs over which the learning rate first rises from 0", modes=("train",), low=0
    )
    ema: float = setting(
        0.0,
        "decay of a moving average of the weights, which is then what is kept; 0: none",
        modes=("train",),
        low=0,
        high=0.99999,
    )
    epochs: int = setting(
        200, "passes over the training photos, at most", modes=("train",), resumable=True, low=1
    )
    patience: int = setting(
        10,
        "stop after this many epochs in a row without a better validation loss, where that tells the best",
        modes=("train",),
        resumable=True,
        low=1,
    )
    precision: str = setting(
        "auto",
        "of the network; bfloat16 is faster where the hardware has it, which auto finds out; colour "
        "maths, gamma and loss are float32 either way",
        modes=("train",),
        choices=("auto", "float32", "bfloat16"),
    )
    compile: bool = setting(
        False,
        "fuse the network's operations with torch.compile; it takes a minute and a C++ compiler or a GPU",
        modes=("train",),
        resumable=True,
    )
    recipe: str = setting(
        "published",
        "what the settings of the training are where no flag says otherwise; see engine/recipes.py",
        modes=("train",),
        choices=tuple(RECIPES),
    )
    loss: str = setting(
        "mse",
        "loss terms with weights, such as mse or mse:1,chroma:0.5; see models/losses.py",
        modes=("train",),
    )
    vgg_weights: str = setting(
        "imagenet",
        "of the loss term perceptual: imagenet (downloaded by torchvision) or the path of a vgg16 state dict",
        modes=("train",),
        resumable=True,
    )
    min_crop: float = setting(
        0.8,
        "share of a photo's area that a random crop of it keeps at least",
        modes=("train",),
        low=0.05,
        high=1,
    )
    film_augment: float = setting(
        0.0,
        "share of the training photos that the model sees as old film kept them: responses, grain, blur, "
        "borders, tones, print screens; without a number: all",
        modes=("train",),
        low=0,
        high=1,
        bare=1.0,
    )
    init_weights: Path | None = setting(
        None,
        f"start from these weights instead of random ones; --lr is then {FINE_TUNING_LR:g} where not given",
        modes=("train",),
    )
    freeze_encoder: bool = setting(False, "train the decoder alone", modes=("train",))
    resume: bool = setting(
        False, "go on with the run in --run_dir where it stopped", modes=("train",), resumable=True
    )


@dataclass(frozen=True, kw_only=True)
class PredictConfig:
    """Settings of the prediction."""

    image_path: Path | None = setting(
        None, "the photo or clip to color, or a folder of them", modes=_ON_PATHS
    )
    output_path: Path | None = setting(
        None,
        "the file to write: of predict and compare a picture, format by its ending (default "
        "<name>_colorized.png or <name>_compared.png beside the photo), or a clip (.mp4, .m4v, .mov or .mkv; "
        "default <name>_colorized.mp4), of export the model (default <weights>.onnx)",
        modes=_ON_PATHS,
        kinds=("photo", "clip"),
        instead={"folder": "use --output_dir"},
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
    render_size: str | None = setting(
        None,
        "side at which the model looks at a photo, pixels (default as it was trained); auto: the most "
        "consistent of several",
        modes=_COLORING,
    )
    views: int = setting(
        1,
        "colours are the mean over so many views of a photo: 2: and its mirror image; more: and both shifted "
        "by some pixels; each takes as long as one",
        modes=_COLORING,
        low=1,
        high=8,
    )
    upsample: str = setting(
        "guided",
        "how the colours get to the photo's own size; guided: along its edges",
        modes=_COLORING,
        choices=("guided", "bilinear"),
    )
    saturation: float = setting(1.0, "factor of the predicted chroma", modes=_COLORING, low=0, high=10)
    quality: int = setting(95, "of JPEG and WebP pictures and of clips", modes=_COLORING, low=1, high=100)
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
        "the model looks at each so many-th frame of a clip, and colours follow the motion between",
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
    samples: int | None = setting(
        None,
        "draw the colours so many times, by the seeds from --sample_seed on, and write a picture of each and "
        "a sheet of all; for models that draw",
        modes=("predict",),
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
        "photos that were cut short; use: color what is there, and say how much that is",
        modes=("predict",),
        kinds=("photo", "folder"),
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
        size = self.render_size
        if self.reference and self.reference_dir:
            raise UserError("--reference names the photo that --reference_dir would look for: leave one out")
        if size not in (None, "auto") and not (size.isdecimal() and 32 <= int(size) <= 4096):
            raise UserError(f"--render_size={size}: must be auto or a number from 32 to 4096")


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """Settings of the export."""

    format: str = setting(
        "onnx", "of the file that --mode=export writes", modes=("export",), choices=("onnx",)
    )


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Settings of the comparison."""

    compare: str | None = setting(
        None,
        "models to compare, with commas between: names of weights that ship, folders of runs, files; on "
        "--image_path in a picture, on --data_dir in a table, written to --run_dir (default runs/compare)",
        modes=("compare",),
    )


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Settings of the web page."""

    host: str = setting(
        "127.0.0.1",
        "address at which the page is served; 0.0.0.0: all of this machine's, without a password",
        modes=("serve",),
    )
    port: int = setting(
        7860, "at which the page is served; 0: any that is free", modes=("serve",), low=0, high=65535
    )
    max_upload: int = setting(200, "largest photo that the page takes, MB", modes=("serve",), low=1)
    keep_minutes: int = setting(
        30,
        "minutes without use after which the page deletes what is left of a person's photos",
        modes=("serve",),
        low=1,
    )


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig, TrainConfig, PredictConfig, ExportConfig, CompareConfig, ServeConfig):
    """General settings."""

    mode: str = setting(dataclasses.MISSING, "what to do", modes=MODES, resumable=True, choices=MODES)
    model: str = setting(
        "model1",
        "which model",
        modes=("train", "test", "predict", "export", "serve"),
        instead={"compare": "--compare names several"},
    )
    run_dir: Path | None = setting(
        None, "the run's folder (default runs/<model>)", modes=MODES, resumable=True
    )
    weights: Path | None = setting(
        None,
        "weights for test, predict, export and serve: .safetensors, a .pth state dict, the folder of a run, "
        "or the name of weights that ship (default best.safetensors of --run_dir, else those that ship)",
        modes=("test", "predict", "export", "serve"),
        instead={
            "train": "a training starts anew, from --init_weights=FILE, or goes on with --resume",
            "compare": "--compare names several",
        },
    )
    device: str = setting(
        "auto",
        "where to compute; auto: a GPU if there is one",
        modes=("train", "test", "predict", "compare", "serve"),
        resumable=True,
        choices=("auto", "cpu", "cuda", "mps"),
    )
    seed: int = setting(
        42, "of the split, the weights and the augmentation", modes=_SPLITTING, low=0, high=2**32 - 1
    )
    overwrite: bool = setting(
        False, "write over an existing run or file", modes=("train", "predict", "compare", "export")
    )
    dry_run: bool = setting(
        False,
        "print the configuration, the split and the model's size, and stop",
        modes=MODES,
        resumable=True,
    )

    # Not flags of their own: the model's settings that were given, and the names of all that were.
    model_settings: dict[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        validate(self)
        DataConfig.__post_init__(self)
        PredictConfig.__post_init__(self)

    @property
    def run_path(self) -> Path:
        """The run's folder."""
        return self.run_dir or Path("runs") / self.model

    def replace(self, **changes: Any) -> Config:
        """A copy with some settings changed, checked again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values of every setting."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "given"}
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}

    def training_settings(self) -> dict[str, Any]:
        """Plain JSON values of what a training depends on beside its photos and its model."""
        names = {item.name for item in dataclasses.fields(TrainConfig)} - {"resume", "compile"}
        return {name: value for name, value in self.to_dict().items() if name in names | {"seed"}}


def _join(numbers: tuple[float, ...]) -> str:
    return ",".join(f"{n:g}" for n in numbers)
