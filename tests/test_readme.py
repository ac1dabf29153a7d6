"""The README says what is there."""

import json
import re
from pathlib import Path

import pytest
import torch

import main
from data.listing import DATASETS
from models.registry import MODELS, build_model

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", MODELS)
def test_model_table(name):
    with torch.device("meta"):
        num = sum(p.numel() for p in build_model(name).parameters())
    assert f"| `{name}` | {MODELS[name].summary} | {num:,} |" in README


def test_every_flag_it_names_exists():
    known = {o for action in main.build_parser()._actions for o in action.option_strings}
    named = set(re.findall(r"(--[a-z][a-z_]+)", README)) - {"--quiet", "--requirement", "--nproc_per_node"}
    assert named <= known
    assert all(f"`{name}`" in README for name in DATASETS)


def test_every_file_it_names_exists():
    links = re.findall(r"\]\(((?!http|#)[^)]+)\)", README)
    tree = re.findall(r"^([\w/]+\.py|\w+/) ", README.split("## The tree")[1], flags=re.MULTILINE)
    assert len(tree) > 10
    assert all((ROOT / path).exists() for path in [*links, *tree])


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "performance").glob("*.json")), ids=lambda p: p.stem)
def test_the_page_on_performance_says_what_was_measured(path):
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    speedup = json.loads(path.read_text())["speedup"]
    cell = f"{speedup['median']:.2f}× [{speedup['low']:.2f}, {speedup['high']:.2f}]"
    assert cell in page
    assert (ROOT / "benchmarks" / f"bench_{path.stem.partition('_')[0]}.py").exists()
