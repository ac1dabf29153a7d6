"""Fold batch norms into the convolutions before them: the same colours in less time."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


@torch.inference_mode(False)  # inference tensors have no version counter; see `_identity`
@torch.no_grad()
def fold_batch_norms(model: nn.Module, example: Tensor) -> None:
    """Give each convolution the scale and offset of the batch norm that takes its output, in place.

    The pairs are observed in a forward pass, not guessed from the order in which layers are declared.

    Args:
        model: in evaluation mode; it cannot be trained afterwards. Nothing but the batch norm may take the
            output of such a convolution; other batch norms alone would be noticed.
        example: input of that pass. A layer that it does not reach, or reaches twice, is left unchanged.
    """
    if not any(isinstance(module, nn.BatchNorm2d) for module in model.modules()):
        return
    places = {module: name for name, module in model.named_modules()}
    for conv, norm in _pairs(model, example):
        _put(model, places[conv], fuse_conv_bn_eval(conv, norm))
        # The batch norms of timm have an activation of their own.
        _put(model, places[norm], getattr(norm, "act", nn.Identity()))


def _pairs(model: nn.Module, example: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Pairs of a convolution and the batch norm that takes its output, both run exactly once."""
    made: dict[tuple[int, int], nn.Conv2d] = {}
    pairs: list[tuple[nn.Conv2d, nn.BatchNorm2d]] = []
    runs: Counter[nn.Module] = Counter()
    alive = []  # kept alive, so that no `id` is reused

    def see_output(conv: nn.Conv2d, _: object, out: Tensor) -> None:
        runs[conv] += 1
        alive.append(out)
        made[_identity(out)] = conv

    def see_input(norm: nn.BatchNorm2d, args: tuple[Tensor]) -> None:
        runs[norm] += 1
        if (conv := made.get(_identity(args[0]))) is not None:
            pairs.append((conv, norm))

    convs = [m.register_forward_hook(see_output) for m in model.modules() if isinstance(m, nn.Conv2d)]
    norms = [m.register_forward_pre_hook(see_input) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    try:
        model(example.clone())  # an inference tensor's clone is a normal tensor here
    finally:
        for hook in (*convs, *norms):
            hook.remove()
    return [(conv, norm) for conv, norm in pairs if runs[conv] == runs[norm] == 1]


def _identity(x: Tensor) -> tuple[int, int]:
    """Identifies a tensor's value: an in-place change, as by an activation in between, raises the version."""
    return id(x), x._version


def _put(model: nn.Module, place: str, module: nn.Module) -> None:
    parent, _, name = place.rpartition(".")
    setattr(model.get_submodule(parent), name, module)
