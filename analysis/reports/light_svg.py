"""Drawings in a quarter of the bytes Matplotlib writes, which look the same.

What goes: layers that hold nothing, names nobody refers to, style sheets and style attributes (a strict
content-security policy would refuse them inside a page; presentation attributes say the same), and digits nobody
sees: a tenth of a point is 0.035 mm on paper.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

_SVG, _HREF = "{http://www.w3.org/2000/svg}", "{http://www.w3.org/1999/xlink}href"
# What a drawing says once at its root; an element speaks up only where it differs.
_ROOT = {
    "fill": "#1c2024",
    "font-family": "DejaVu Sans, sans-serif",
    "font-size": "9",
    "stroke-linejoin": "round",
}
_UNSAID = {
    "stroke-linejoin": ("round", "miter"),
    "stroke-linecap": ("butt",),
    "opacity": ("1",),
    "stroke-width": ("1",),
    "text-anchor": ("start",),
    "stroke-dashoffset": ("0",),
}
_WHERE = ("d", "x", "y", "width", "height", "transform", "id", "href")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")
# As Matplotlib draws a circle around 0: it begins below the middle, and goes on in eight curves.
_CIRCLE = re.compile(r"M0 ([\d.]+)(?:C[^CLz]+){8}z")
_STYLED = ("path", "text", "use", "rect")


def lighter(svg: str) -> str:
    """The drawing as one line of SVG without prologue, style or metadata; the same drawing gives the same bytes."""
    found = ElementTree.fromstring(svg)  # noqa: S314 - drawn by this program
    names = _short_names(found)
    root = Element("svg", {"xmlns": _SVG.strip("{}"), "viewBox": found.attrib["viewBox"], **_ROOT})
    root.extend(_grouped(_stamped(_once([each for child in found for each in _drawn(child, names)]))))
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def _short_names(root: Element) -> dict[str, str]:
    """Old and new name of everything that is referred to, in the order of definition; markers alike share one."""
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | {name[1:] for each in root.iter() if (name := each.get(_HREF))}
    defined = {name: each.get("d", name) for each in root.iter() if (name := each.get("id", "")) in used}
    shapes = {shape: f"i{place}" for place, shape in enumerate(dict.fromkeys(defined.values()))}
    return {name: shapes[shape] for name, shape in defined.items()}


def _drawn(element: Element, names: dict[str, str]) -> Iterator[Element]:
    """The element in short, without the layers around it; nothing for what cannot be seen."""
    tag = element.tag.removeprefix(_SVG)
    if tag in ("metadata", "style"):
        return
    inside = [each for child in element for each in _drawn(child, names)]
    if tag in ("g", "defs") and not {"clip-path", "opacity"} & set(element.attrib):
        # Marks of an axis and their numbers do not overlap: all marks, then all numbers.
        yield from sorted(inside, key=lambda each: each.tag == "text") if _is_axis(element) else inside
        return
    short = Element(tag, _attributes(element, tag, names))
    short.text = element.text if tag == "text" else None
    short.extend(_grouped(inside))
    if tag in ("clipPath", "pattern") or "id" in short.attrib:
        holder = Element("defs")
        holder.append(short)
        yield holder
    elif tag == "g" and len(short) == 1 and short[0].tag == "g":
        short[0].attrib.update(short.attrib)
        yield short[0]
    elif tag != "path" or short.get("fill") != "none" or "stroke" in short.attrib:
        yield short


def _once(elements: list[Element]) -> list[Element]:
    """Without definitions that stood before."""
    seen: set[str] = set()
    kept = []
    for each in elements:
        name = each[0].get("id", "") if each.tag == "defs" else ""
        if not name or name not in seen:
            kept.append(each)
        seen.add(name)
    return kept


def _stamped(elements: list[Element]) -> list[Element]:
    """Marks of straight lines, such as those of an axis, drawn where they are used instead of referred to."""
    straight = {each[0].get("id"): each[0].get("d", "") for each in elements if each.tag == "defs"}
    straight = {name: path for name, path in straight.items() if path and not set(path.upper()) & set("CQSTA")}
    kept = [each for each in elements if each.tag != "defs" or each[0].get("id") not in straight]
    for each in [inner for element in kept for inner in element.iter("use")]:
        name = each.get("href", "").removeprefix("#")
        if name in straight:
            each.tag, each.attrib["d"] = (
                "path",
                _moved(straight[name], float(each.attrib["x"]), float(each.attrib["y"])),
            )
            for gone in ("href", "x", "y"):
                del each.attrib[gone]
    for element in kept:
        if element.tag == "g":
            element[:] = _grouped(list(element))
    return kept


def _moved(path: str, x: float, y: float) -> str:
    """A mark around 0 as the same mark around a point: its first place absolute, its steps relative."""
    here, steps = (0.0, 0.0), []
    for step in re.findall(r"[a-zA-Z][^a-zA-Z]*", path):
        numbers = [float(each) for each in step[1:].split()]
        if step[0] == "z":
            steps.append("z")
            continue
        to = {"H": (numbers[0], here[1]), "V": (here[0], numbers[0])} if len(numbers) == 1 else {}
        there = to.get(step[0], (numbers[0], numbers[-1]))
        if not steps:
            steps.append(f"M{_rounded(str(x + there[0]))} {_rounded(str(y + there[1]))}")
        else:
            moves = [_rounded(str(new - old), 2) for new, old in zip(there, here, strict=True)]
            steps.append({"H": f"h{moves[0]}", "V": f"v{moves[1]}"}.get(step[0], f"l{' '.join(moves)}"))
        here = there
    return "".join(steps)


def _is_axis(element: Element) -> bool:
    return element.get("id", "").startswith("matplotlib.axis")


def _attributes(element: Element, tag: str, names: dict[str, str]) -> dict[str, str]:
    given = {name.replace(_HREF, "href"): value for name, value in element.attrib.items()}
    for declaration in given.pop("style", "").split(";"):
        name, _, value = declaration.partition(":")
        if value:
            given[name.strip()] = value.strip()
    if given.get("id") not in names:
        given.pop("id", None)
    elif tag == "path":
        # A marker is drawn in the colours of the place that uses it.
        given = {name: value for name, value in given.items() if not name.startswith("stroke")}
    if tag == "text" and given.get("transform", "").startswith("rotate(-0 "):
        del given["transform"]
    kept = {name: _value(name, value, names) for name, value in given.items()}
    return {name: value for name, value in kept.items() if not _said_already(tag, name, value)}


def _value(name: str, value: str, names: dict[str, str]) -> str:
    if name == "id":
        return names[value]
    for reference in re.findall(r"#([\w-]+)", value):
        if reference in names:
            return value.replace(reference, names[reference])
    if name == "d":
        return _path(value)
    value = value.removesuffix("px")
    if value.startswith("#"):
        return "#fff" if value == "#ffffff" else value
    return _NUMBER.sub(lambda found: _rounded(found[0]), value)


def _said_already(tag: str, name: str, value: str) -> bool:
    if name in ("fill", "font-size") and tag == "text":
        return value == _ROOT[name]
    return name == "font-family" or value in _UNSAID.get(name, ())


def _path(value: str) -> str:
    """Steps of a path with a tenth of a point, markers (small, around 0) with a hundredth."""
    numbers = [abs(float(each)) for each in _NUMBER.findall(value)]
    digits = 2 if max(numbers, default=0) < 10 else 1
    short = _NUMBER.sub(lambda found: _rounded(found[0], digits), value)
    path = re.sub(r"\s*([a-zA-Z])\s*", r"\1", short).strip()
    round_mark = _CIRCLE.fullmatch(path)
    return _circle(float(round_mark[1])) if round_mark else _straight(path)


def _circle(radius: float) -> str:
    """Two arcs instead of eight curves."""
    r, across = _rounded(str(radius), 2), _rounded(str(2 * radius), 2)
    return f"M-{r} 0a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0-{across} 0"


def _straight(path: str) -> str:
    """Steps along one axis with one number."""
    said, x, y = [], "", ""
    for step in re.findall(r"[a-zA-Z][^a-zA-Z]*", path):
        numbers = step[1:].split()
        to = (numbers[-2], numbers[-1]) if len(numbers) > 1 else (x, y)
        if step[0] == "L" and to[0] == x:
            said.append(f"V{to[1]}")
        elif step[0] == "L" and to[1] == y:
            said.append(f"H{to[0]}")
        else:
            said.append(step)
        x, y = to
    return "".join(said)


def _rounded(text: str, digits: int = 1) -> str:
    number = f"{float(text):.{digits}f}"
    number = number.rstrip("0").rstrip(".") if "." in number else number
    return "0" if number in ("-0", "") else number


def _grouped(elements: list[Element]) -> list[Element]:
    """Neighbours that look alike say so once: lines as one path, others in a layer around them."""
    found = []
    for (tag, look), run in groupby(elements, key=lambda each: (each.tag, _look(each))):
        alike = list(run)
        if len(alike) < 2 or tag not in _STYLED:
            found += alike
        elif (
            tag == "path"
            and all(set(each.attrib) - set(dict(look)) == {"d"} for each in alike)
            and not _clear(dict(look))
        ):
            found.append(Element("path", {"d": "".join(each.attrib["d"] for each in alike), **dict(look)}))
        elif not look:
            found += alike
        else:
            found.append(_layer(alike, look))
    return found


def _clear(look: dict[str, str]) -> bool:
    """Whether what lies below shines through, and twice where two overlap."""
    return bool({"opacity", "fill-opacity", "stroke-opacity"} & set(look))


def _layer(alike: list[Element], look: tuple[tuple[str, str], ...]) -> Element:
    layer = Element("g", dict(look))
    for each in alike:
        for name, _ in look:
            del each.attrib[name]
    layer.extend(alike)
    return layer


def _look(element: Element) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((name, value) for name, value in element.attrib.items() if name not in _WHERE))
