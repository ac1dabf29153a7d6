"""What the cache saves when coltran2021 draws colours: seconds for a picture of coarse ones.

    python -m benchmarks.studies.bench_sampling [--rounds=3] [--device=cpu] [--json=FILE]

Of --preset=small, untrained: time does not depend on the weights. Without the cache every pixel takes a pass
over the whole picture. Both draw the same colours, which is checked.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from benchmarks.common import alternate, machine, parse, ratio, report, summary
from models.coltran2021 import ColTran2021
from models.coltran_core import ColorizerCore, draw
from models.settings import ColTran2021Settings


def sample_without_cache(core: ColorizerCore, gray: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """`ColorizerCore.sample`, with a pass over the whole picture for every pixel."""
    coarse = torch.zeros(uniform.shape, dtype=torch.int64, device=uniform.device)
    for row in range(uniform.shape[1]):
        for column in range(uniform.shape[2]):
            logits = core(coarse, gray)[:, row, column]
            coarse[:, row, column] = draw(logits, uniform[:, row, column], temperature)
    return coarse


def seconds(sample: Callable[[], Tensor]) -> float:
    """Of one picture, until the device has it."""
    start = time.perf_counter()
    sample().sum().item()
    return time.perf_counter() - start


@torch.inference_mode()
def main() -> None:
    """Measure, and print."""
    arguments = parse(__doc__ or "", rounds=3)
    torch.manual_seed(0)
    model = ColTran2021(ColTran2021Settings(preset="small")).eval().to(arguments.device)
    side, core = model.preset.low, model.core
    gray = core.encoder(255 * torch.rand(1, side, side, device=arguments.device))
    uniform = torch.rand(1, side, side, device=arguments.device)
    sides = {
        "with cache": partial(core.sample, gray, uniform, 1.0),
        "without": partial(sample_without_cache, core, gray, uniform, 1.0),
    }
    assert torch.equal(*(sample() for sample in sides.values()))
    found = alternate({name: partial(seconds, sample) for name, sample in sides.items()}, arguments.rounds)
    figures = {name: summary(values) for name, values in found.items()}
    figures["times faster"] = ratio(found["without"], found["with cache"])
    rows = {
        name: "{median:.2f} ({low:.2f} to {high:.2f})".format(**figure) for name, figure in figures.items()
    }
    title = f"a picture of {side}x{side} coarse colours, seconds, median of {arguments.rounds}:"
    report(title, rows, {"machine": machine(arguments.device), "figures": figures}, arguments.json)


if __name__ == "__main__":
    main()
