"""The README says what is there."""

import re
from pathlib import Path

import pytest
import torch

import main
from data.listing import DATASETS
from models.registry import MODELS, build_model

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("name", MODELS)
def test_model_table(name):
    with torch.device("meta"):
        num = sum(p.numel() for p in build_model(name).parameters())
    assert f"| `{name}` | {MODELS[name].summary} | {num:,} |" in README


def test_every_flag_it_names_exists():
    known = {o for action in main.build_parser()._actions for o in action.option_strings}
    others = {
        "--quiet",
        "--requirement",
        "--nproc_per_node",
        "--rm",
        "--user",
        "--force",
        "--num",
        "--photos",
        "--clips",
        "--json",
    }
    named = set(re.findall(r"(--[a-z][a-z_]+)", README)) - others
    assert named <= known
    assert all(f"`{name}`" in README for name in DATASETS)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_file_it_names_exists(page):
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(((?!http|#)[^)#]+)(?:#[^)]*)?\)", text)
    assert [path for path in links if not (page.parent / path).exists()] == []


def test_the_tree_names_every_room_and_mode():
    tree = re.findall(r"^([\w/]+\.py|\w+/) ", ARCHITECTURE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    modules = {path.name for path in ROOT.glob("*.py")}
    rooms = {f"{path.parent.name}/" for path in ROOT.glob("*/__init__.py")}
    assert set(tree) == modules | rooms | {"docs/", "weights/", "tests/"}
