"""Tables of the results page of what sets of photos, and several drawings of one, are like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.studies.choose import COLUMNS
from scoring.samples import FEATURE_DIVERSITY
from scoring.scorecard import FLOORS
from scoring.sets import REAL

ROW_KINDS = {"gray": "floor", "mean_color": "oracle", "half_chroma": "oracle"}
_LISTS = ("scenes", "life", "objects", "faces")
_DASH = "–"  # what was never measured
_NO_MODEL = ["", ""]  # chroma and shift of a floor or an oracle


def distance_table(cards: Mapping[str, dict[str, Any]]) -> str:
    """Markdown: the distances of each row to the true photos, then those of the floors and of other photos.

    Args:
        cards: name of a row -> its card 'together' of `benchmarks.studies.lists`.
    """
    newest = [*cards.values()][-1]
    rows = {}
    for name, card in cards.items():
        rows[name] = [f"{card['frechet']['model']:.1f} ± {card['deviation']:.1f}", _kid(card, "model")]
        if "drawn" in card["frechet"]:
            rows[f"{name}, one drawing"] = [f"{card['frechet']['drawn']:.1f}", _kid(card, "drawn")]
    for name in (*FLOORS, REAL):
        rows[_title(name)] = [f"{newest['frechet'][name]:.1f}", _kid(newest, name)]
    if not any("kid" in card for card in cards.values()):
        rows = {name: cells[:1] for name, cells in rows.items()}
    head = ["", "Fréchet distance ↓", "KID ↓"][: 1 + len(rows[_title(REAL)])]
    num = newest["num_photos"]
    seen = (
        f"Features of {newest['features']}, its file {newest['features_sha256']}. The last row is of other "
        f"photos and of half as many, {num // 2} to {num - num // 2}: a colored photo still shows what the "
        "true one does, and may be nearer."
    )
    return f"{_markdown(head, rows)}\n\n{seen}\n"


def choice_table(found: Mapping[str, Any]) -> str:
    """Markdown: what `benchmarks.studies.choose` wrote, a row for each of its rows, floor and oracle."""
    rows = {}
    for row, values in found["rows"].items():
        rows[_choice_title(row)] = [
            f"{values[c]:{style}}" if c in values else "" for c, (_, style) in COLUMNS.items()
        ]
    return _markdown(["", *(head for head, _ in COLUMNS.values())], rows) + "\n"


def _choice_title(row: str) -> str:
    """'runs/x/mean__then_features:vividness=1' -> 'mean, then features: vividness=1'."""
    if row in ROW_KINDS or row == REAL:
        return _title(row)
    folder, colon, settings = row.rpartition("/")[2].partition(":")
    return folder.replace("__", ", ").replace("_", " ") + (f"{colon} {settings}" if colon else "")


def _title(row: str) -> str:
    """Title of a floor, an oracle, or of `REAL`."""
    return "true photos, a half to the other" if row == REAL else f"{row} ({ROW_KINDS[row]})"


def lineup(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """One line a row: PSNR above gray on every test list, the distances of sets, and scores of drawings.

    Args:
        rows: of an experiment, with 'lists'; what one was never measured for is a dash.
    Returns:
        Nothing where none has distances of sets.
    """
    head = ["", *(f"above gray, {name}" for name in _LISTS), "Fréchet ↓", "KID ↓"]
    lines = {}
    for row in rows:
        lists = row["lists"]
        gains = [_gain(lists[name]) if name in lists else _DASH for name in _LISTS]
        lines[row["name"]] = gains + _distances(lists, "model")
        if "drawn" in lists.get("together", {}).get("frechet", {}):
            lines[f"{row['name']}, one drawing"] = [_DASH] * len(_LISTS) + _distances(lists, "drawn")
    of_sets = [row["lists"] for row in rows if "together" in row["lists"]]
    if not of_sets:
        return []
    lines["gray (floor)"] = ["+0.00"] * len(_LISTS) + _distances(of_sets[-1], "gray")
    lines[_title(REAL)] = [_DASH] * len(_LISTS) + _distances(of_sets[-1], REAL)
    parts = [
        "Side by side: PSNR above gray in dB, and the distances of scenes, life and objects together. "
        f"{_DASH}: never measured.\n",
        _markdown(head, lines) + "\n",
    ]
    drawn = {row["name"]: row["lists"]["samples"] for row in rows if "samples" in row["lists"]}
    return parts + (_drawings(drawn) if drawn else [])


def summary(rows: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The lines of a table: a row for each of several weights that were scored on every list.

    Args:
        rows: name -> list -> card.
    """
    head = ["", *_LISTS, "chroma / true", "shift ↓", "Fréchet ↓"]
    lines = {}
    for name, lists in rows.items():
        own = [f"{lists['life']['chroma_ratio']:.2f}", f"{lists['scenes']['shift']['mean']:.3f}"]
        distance = f"{lists['together']['frechet']['model']:.1f}"
        lines[name] = [*(_gain(lists[each]) for each in _LISTS), *own, distance]
    newest = [*rows.values()][-1]
    for name in FLOORS:
        gains = [_gain(newest[each], name) for each in _LISTS]
        lines[_title(name)] = [*gains, *_NO_MODEL, f"{newest['together']['frechet'][name]:.1f}"]
    return _markdown(head, lines).splitlines()


def _drawings(cards: Mapping[str, dict[str, Any]]) -> list[str]:
    """The scores of several drawings of a photo."""
    first = next(iter(cards.values()))
    num = first["samples"]["num"]
    names = {"best_psnr": 2, "mean_psnr": 2, "diversity": 2, FEATURE_DIVERSITY: 3, "within_spread": 2}
    head = ["", "best guess, PSNR ↑ dB", f"best of {num}", "mean of them", "ΔE2000 of two", "features of two"]
    head.append(f"truth within (as one more: {first['samples']['within_spread']['expected']:.2f})")
    lines = {
        name: [f"{card['model']['psnr']['mean']:.2f}"]
        + [interval(card["samples"][score], digits) for score, digits in names.items()]
        for name, card in cards.items()
    }
    lines["gray (floor)"] = [f"{first['gray']['psnr']['mean']:.2f}", *[_DASH] * len(names)]
    return [
        f"{num} drawings of each of {first['num_photos']} photos of the scenes list, the first of a draw "
        "with the seed 42, by `--mode=test --samples`. *Best of*: the one nearest to the truth, which one "
        "has to know to find it. *Of two*: mean distance of two drawings of a photo, in colour and in the "
        "features of the Fréchet distance. *Truth within*: share of photos whose truth is not the one "
        "farthest from the others, among the drawings and itself.\n",
        _markdown(head, lines) + "\n",
    ]


def _gain(card: Mapping[str, Any], row: str = "model") -> str:
    return f"{card[row]['psnr']['mean'] - card['gray']['psnr']['mean']:+.2f}"


def _distances(lists: Mapping[str, Any], row: str) -> list[str]:
    card = lists.get("together")
    return [_DASH] * 2 if card is None else [f"{card['frechet'][row]:.1f}", _kid(card, row)]


def _kid(card: Mapping[str, Any], row: str) -> str:
    if "kid" not in card:
        return _DASH
    return interval(card["kid"][row], 3)


def interval(value: Mapping[str, float], digits: int, sign: str = "") -> str:
    """'mean [low, high]'."""
    mean, low, high = (f"{value[key]:{sign}.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _markdown(head: Sequence[str], rows: Mapping[str, Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |".replace("|  |", "| |"), "|---" * len(head) + "|"]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items())])
