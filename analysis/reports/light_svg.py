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
_WHERE = ("d", "x", "y", "width", "height", "transform", "id")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")
# As Matplotlib draws a circle around 0 (from below the middle, in eight curves), and a square.
_CIRCLE = re.compile(r"M0 ([\d.]+)(?:C[^CLz]+){8}z")
_SQUARE = re.compile(r"M-([\d.]+) \1H\1V-\1H-\1z")
_STYLED = ("path", "text", "rect", "g")


def lighter(svg: str) -> str:
    """The drawing as one line of SVG without prologue, style or metadata; the same drawing gives the same bytes."""
    found = ElementTree.fromstring(svg)  # noqa: S314 - drawn by this program
    names = _short_names(found)
    marks = {
        name: _path(each.attrib["d"]) for each in found.iter(f"{_SVG}path") if (name := each.get("id", "")) in names
    }
    _unclip(found)
    root = Element("svg", {"xmlns": _SVG.strip("{}"), "viewBox": found.attrib["viewBox"], **_ROOT})
    root.extend(_grouped(_used([each for child in found for each in _drawn(child, names, marks)])))
    return ElementTree.tostring(root, encoding="unicode").replace(" />", "/>")


def _short_names(root: Element) -> dict[str, str]:
    """Old and new name of everything that is referred to, in the order of definition; markers alike share one."""
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | {name[1:] for each in root.iter() if (name := each.get(_HREF))}
    defined = {name: each.get("d", name) for each in root.iter() if (name := each.get("id", "")) in used}
    shapes = {shape: f"i{place}" for place, shape in enumerate(dict.fromkeys(defined.values()))}
    return {name: shapes[shape] for name, shape in defined.items()}


def _drawn(element: Element, names: dict[str, str], marks: dict[str, str]) -> Iterator[Element]:
    """The element in short, without the layers around it; nothing for what cannot be seen."""
    tag = element.tag.removeprefix(_SVG)
    if tag in ("metadata", "style") or element.get("id") in marks:
        return
    inside = [each for child in element for each in _drawn(child, names, marks)]
    if tag in ("g", "defs") and not {"clip-path", "opacity"} & set(element.attrib):
        # Marks of an axis and their numbers do not overlap: all marks, then all numbers.
        yield from sorted(inside, key=lambda each: each.tag == "text") if _is_axis(element) else inside
        return
    short = Element(tag, _attributes(element, tag, names))
    short.text = element.text if tag == "text" else None
    short.extend(_grouped(inside))
    if tag == "use":
        yield Element("path", _stamped(short.attrib, marks[element.attrib[_HREF].removeprefix("#")]))
    elif tag in ("clipPath", "pattern"):
        holder = Element("defs")
        holder.append(short)
        yield holder
    elif tag == "g" and len(short) == 1 and short[0].tag in _STYLED:
        short[0].attrib.update(short.attrib)
        yield short[0]
    elif tag != "path" or short.get("fill") != "none" or "stroke" in short.attrib:
        yield short


def _stamped(use: dict[str, str], mark: str) -> dict[str, str]:
    """A mark drawn where it is used, instead of referred to.

    A filled circle or square is a dot with a pen as thick as it is: a hundredth of a point, with round or square ends.
    """
    look = {name: value for name, value in use.items() if name not in ("href", "x", "y")}
    x, y = float(use["x"]), float(use["y"])
    for ends, shape in (("round", _CIRCLE), ("square", _SQUARE)):
        if (found := shape.fullmatch(mark)) and look.get("fill") == look.get("stroke"):
            width = _rounded(str(2 * float(found[1]) + float(look.get("stroke-width", 1))), 2)
            pen = {"fill": "none", "stroke-width": width, "stroke-linecap": ends}
            return {"d": f"M{_rounded(use['x'])} {_rounded(use['y'])}h.01", **look, **pen}
    return {"d": _moved(mark, x, y), **look}


def _moved(path: str, x: float, y: float) -> str:
    """A mark around 0 as the same mark around a point: its first place absolute, its steps relative."""
    here, steps = (0.0, 0.0), []
    for step in re.findall(r"[a-zA-Z][^a-zA-Z]*", path):
        numbers = [float(each) for each in step[1:].split()]
        if step[0] == "z":
            steps.append("z")
            continue
        if step[0] == "C":
            pairs = [_step(here, (across, down)) for across, down in zip(numbers[::2], numbers[1::2], strict=True)]
            steps.append(f"c{' '.join(' '.join(pair) for pair in pairs)}")
            here = (numbers[-2], numbers[-1])
            continue
        there = {"H": (numbers[0], here[1]), "V": (here[0], numbers[0])}.get(step[0], (numbers[0], numbers[-1]))
        if not steps:
            steps.append(f"M{_rounded(str(x + there[0]))} {_rounded(str(y + there[1]))}")
        else:
            across, down = _step(here, there)
            steps.append({"H": f"h{across}", "V": f"v{down}"}.get(step[0], f"l{across} {down}"))
        here = there
    return "".join(steps)


def _step(here: tuple[float, float], there: tuple[float, float]) -> tuple[str, str]:
    return _rounded(str(there[0] - here[0]), 2), _rounded(str(there[1] - here[1]), 2)


def _unclip(root: Element) -> None:
    """Takes the clipping from what lies within its clip anyway."""
    clips = {f"url(#{each.get('id')})": each[0] for each in root.iter(f"{_SVG}clipPath")}
    for each in root.iter():
        clip = clips.get(each.get("clip-path", ""))
        if clip is not None and all(_within(clip, point) for part in each.iter() for point in _points(part)):
            del each.attrib["clip-path"]


def _points(element: Element) -> list[tuple[float, float]]:
    if "x" in element.attrib and _HREF in element.attrib:
        return [(float(element.attrib["x"]), float(element.attrib["y"]))]
    numbers = [float(each) for each in _NUMBER.findall(element.get("d", ""))]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _within(clip: Element, point: tuple[float, float]) -> bool:
    x, y, width, height = (float(clip.attrib[name]) for name in ("x", "y", "width", "height"))
    return x - 0.1 <= point[0] <= x + width + 0.1 and y - 0.1 <= point[1] <= y + height + 0.1


def _used(elements: list[Element]) -> list[Element]:
    """Without definitions that nothing refers to."""
    text = "".join(ElementTree.tostring(each, encoding="unicode") for each in elements)
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    return [each for each in elements if each.tag != "defs" or each[0].get("id") in used]


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
    return _straight(re.sub(r"\s*([a-zA-Z])\s*", r"\1", short).strip())


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
