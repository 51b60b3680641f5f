"""HTML as a tree, so that text cannot become markup: whatever a name or a description holds, it is shown as it is.

Pages made of it load nothing: their policy forbids it, and nobody else's address is in them.
"""

from xml.etree.ElementTree import Element, SubElement, tostring

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
Child = Element | str | None


def el(tag: str, /, *children: Child, **attributes: str | None) -> Element:
    """Return an element; `class_` means class, `aria_label` aria-label, and what is None is left out."""
    named = {
        name.rstrip("_").replace("_", "-"): _plain(value) for name, value in attributes.items() if value is not None
    }
    element = Element(tag, named)
    for child in children:
        if isinstance(child, str):
            _add_text(element, _plain(child))
        elif child is not None:
            element.append(child)
    return element


def document(title: str, style: str, *body: Child) -> str:
    """Return a whole page; `style` is CSS of our own."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", **{"http-equiv": "Content-Security-Policy", "content": POLICY}),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="color-scheme", content="light dark"),
        el("title", title),
    )
    SubElement(head, "style").text = style
    page = el("html", head, el("body", *body), lang="en")
    return f"<!doctype html>\n{tostring(page, encoding='unicode', method='html')}\n"


def _plain(text: str) -> str:
    """No control characters: they may turn the direction of what is read, or have no place in a file."""
    return "".join(each if each.isprintable() else " " if each.isspace() else "�" for each in text)


def _add_text(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text
