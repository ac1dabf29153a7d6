"""The export mode: write a model as ONNX, after comparing its output in onnxruntime with PyTorch's."""

from __future__ import annotations

import importlib
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from checkpoint.file import LoadedModel
from config import VERSION, Config
from core.distributed import world
from core.errors import UserError
from core.extras import installing
from core.files import write_bytes
from core.settings import check_kind
from data.listing import list_sample, photos_at
from inference.model_view import lightness_seen
from inference.weights import choose_weights, describe
from media.picture import load_picture
from models.base import ColorizationModel
from models.inputs import Inputs

if TYPE_CHECKING:
    import onnx

TOLERANCE = 0.01
"""Largest difference of a* and b*, CIELAB units; rounding makes about 1e-4, and below 1 none is visible."""

_PACKAGES = ("onnx", "onnxscript", "onnxruntime")
_OPSET = 18  # supported by every runtime of the last years
_LARGEST = 2**31 - 2**20  # bytes of weights: the limit of a protobuf message, less room for the graph
_MAX_PHOTOS = 16


def run(config: Config) -> int:
    """Write the model of --weights as an ONNX file, if onnxruntime gives the same colours.

    Raises:
        UserError: a package is missing, no weights, no photo to check on, different colours, or the output
            cannot be written or must not be replaced.
    """
    _check_packages()
    loaded, config = choose_weights(config)
    output = _output(config, loaded)
    paths = _photos(config)
    if config.dry_run:
        print(describe(config, loaded.model))
        print(f"would write {output}")
        return 0
    if not world().is_main:  # one process does this alone
        return 0
    batches = list(_views(paths, config.image_size, config.max_pixels))
    data = to_onnx(loaded.model, _metadata(config, loaded))
    difference = largest_difference(loaded.model, data, batches)
    if not difference <= TOLERANCE:  # true for NaN too
        raise UserError(
            f"{output} is not written: onnxruntime's colours differ from PyTorch's by up to "
            f"{difference:.3g}, more than {TOLERANCE:g}: try other versions of {', '.join(_PACKAGES)}"
        )
    sizes = ", ".join(dict.fromkeys("{}x{}".format(*L.shape[:1:-1]) for L in batches))
    most = max(map(len, batches))
    print(f"run by onnxruntime: {len(paths)} photos at {sizes} pixels, 1 to {most} at a time")
    print(f"largest difference from PyTorch in a* or b*: {difference:.2g} (tolerance {TOLERANCE:g})")
    write_bytes(output, data)
    print(output)
    return 0


def to_onnx(model: ColorizationModel, metadata: dict[str, str]) -> bytes:
    """Convert a model to ONNX, including weights and input and output scaling.

    Args:
        model: in evaluation mode, on the CPU.
        metadata: stored as metadata_props.
    Returns:
        The bytes of a file: `L` (batch, 1, height, width) float32 in [0, 100] -> `ab` (batch, 2, height,
        width) float32, CIELAB units; batch, height and width are free.
    Raises:
        UserError: the weights do not fit into one file.
    """
    import onnx

    size = sum(tensor.nbytes for tensor in model.state_dict().values())
    if size > _LARGEST:
        raise UserError(f"the model has {size / 1e9:.1f} GB of weights, and an ONNX file holds 2 GB")
    program = torch.onnx.export(
        _Predicting(model),
        (torch.zeros(2, 1, 64, 96),),  # with 1, the exporter would fix the batch size
        dynamo=True,
        verbose=False,
        opset_version=_OPSET,
        input_names=["L"],
        output_names=["ab"],
        dynamic_shapes={"L": {0: "batch", 2: "height", 3: "width"}},
    )
    assert program is not None  # always with dynamo=True
    proto = program.model_proto
    _tidy(proto.graph)
    onnx.helper.set_model_props(proto, metadata)
    return bytes(proto.SerializeToString())


@torch.inference_mode()
def largest_difference(model: ColorizationModel, data: bytes, batches: Sequence[Tensor]) -> float:
    """Compare the colours of an ONNX file with those of the model that it was exported from.

    Args:
        model: in evaluation mode, on the CPU.
        data: the bytes of the file, run by onnxruntime on the CPU.
        batches: of L*, (N, 1, H, W) float32 each.
    Returns:
        The largest difference in a* or b*, CIELAB units; NaN or infinite if a colour is.
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    largest = torch.zeros(())
    for L in batches:
        (ab,) = session.run(["ab"], {"L": L.numpy()})
        largest = torch.maximum(largest, (model.predict(Inputs(L)) - torch.from_numpy(ab)).abs().max())
    return largest.item()


class _Predicting(nn.Module):
    """The exported computation: `predict` as forward, from L* to a* and b*."""

    def __init__(self, model: ColorizationModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, L: Tensor) -> Tensor:
        return self.model.predict(Inputs(L))


def _check_packages() -> None:
    for name in _PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(f"--mode=export needs {name} ({error}): {installing('export')}") from error


def _output(config: Config, loaded: LoadedModel) -> Path:
    """The path of the file to write, by default named after the weights, in the working directory."""
    if config.format not in (None, "onnx"):
        raise UserError(f"--format={config.format} is for pictures: leave it out, what is written is onnx")
    output = config.output_path or Path(f"{loaded.label}.onnx")
    if output.suffix.lower() != ".onnx":
        raise UserError(f"--output_path={output}: the name must end with .onnx")
    if output.exists() and not config.overwrite:
        raise UserError(f"{output} exists: add --overwrite, or name another with --output_path")
    return output


def _photos(config: Config) -> list[Path]:
    """The photos to check on: those of --image_path, or the sample's.

    Raises:
        UserError: the folder holds none, or --recursive is given without a folder.
    """
    if config.image_path is None:
        if config.recursive:
            raise UserError("--recursive is for a folder: name it with --image_path, or leave it out")
        return [photo.path for photo in list_sample().photos if photo.box is None]
    if not config.image_path.is_dir():
        check_kind(config, "photo", config.image_path)
    return photos_at(config.image_path, recursive=config.recursive)[:_MAX_PHOTOS]


def _views(paths: Sequence[Path], side: int, max_pixels: int) -> Iterator[Tensor]:
    """Yield L* of the photos in batches of several sizes: the model's, odd ones, and below its stride."""
    shapes = {(side, side): 1, (side + 33, side): 2, (97, 130): 3, (31, 45): 5}  # (width, height): photos
    views: dict[tuple[int, int], list[Tensor]] = {shape: [] for shape in shapes}
    for path in paths:
        original = load_picture(path, max_pixels=max_pixels)
        for shape in shapes:
            views[shape].append(lightness_seen(original, shape))
    for shape, num in shapes.items():
        enough = list(itertools.islice(itertools.cycle(views[shape]), max(num, len(paths))))
        for start in range(0, len(enough), num):
            yield torch.cat(enough[start : start + num])


def _metadata(config: Config, loaded: LoadedModel) -> dict[str, str]:
    """The metadata of the ONNX file."""
    return {
        "program": f"colorizer {VERSION}",
        "model": loaded.name,
        "settings": json.dumps(vars(loaded.model.settings)),
        "image_size": str(config.image_size),
        "resize": config.resize,
        "weights_sha256": loaded.sha256,
        "terms": str(loaded.info.get("terms", "not stated")),
        "L": "(batch, 1, height, width) float32, CIELAB lightness in [0, 100], D65",
        "ab": "(batch, 2, height, width) float32, a* and b* in CIELAB units",
    }


def _tidy(graph: onnx.GraphProto) -> None:
    """Give the output's axes the names of the input's, and drop the exporter's annotations.

    The exporter names sizes by formulas, and annotates every node with its line of source, including
    paths of this machine.
    """
    del graph.value_info[:]
    for node in graph.node:
        del node.metadata_props[:]
    for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
        graph.output[0].type.tensor_type.shape.dim[axis].dim_param = name
