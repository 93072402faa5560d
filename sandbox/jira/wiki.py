"""Renders Jira's wiki markup to HTML: the part of it that tickets of a governance process use.

Everything that is not markup is escaped, and links lead to http and https only, so the result is safe to show.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

from markupsafe import Markup

_HEADING = re.compile(r"h([1-6])\.\s+(.*)")
_ITEM = re.compile(r"([*#-]+)\s+(.*)")
_RULE = re.compile(r"-{4,}\s*")
_BLOCK = re.compile(r"\{(noformat|code|quote)(?::[^}]*)?\}")
# A link is one piece, and so is an escaped character: their bars do not end a cell.
_CELL_PIECE = re.compile(r"\\.|\|\|?|\[(?:\\.|[^\[\]\n\\])*\]|[^|\[\\]+|\[|\\")
_COLOR_NAME = re.compile(r"#[0-9a-fA-F]{3,8}|[a-zA-Z]{3,20}")

# Each alternative stops at its own opening mark, so that unclosed markup costs no more than its length.
_INLINE = re.compile(
    r"""(?P<newline>\\\\|\n)
    | \\(?P<escaped>[^a-zA-Z0-9\s\\])
    | &\#(?P<entity>\d{1,5});
    | \{\{(?P<mono>(?:\\.|[^{}\n\\]|\{(?!\{)|\}(?!\}))+)\}\}
    | \[(?:(?P<text>(?:\\.|[^\[\]|\n\\])+)\|)?(?P<target>https?://[^\s\[\]|]+)\]
    | (?P<bare>https?://[^\s\[\]|<>{}"'\\]*[^\s\[\]|<>{}"'\\.,;:!?)*_])
    | \{color:(?P<color>[^}\n]{1,30})\}(?P<colored>(?:(?!\{color).)*)\{color\}
    | (?<![\w*])\*(?=\S)(?P<bold>(?:\\.|[^*\n\\])+)(?<!\s)\*(?![\w*])
    | (?<!\w)_(?=\S)(?P<italic>(?:\\.|[^_\n\\])+)(?<!\s)_(?!\w)""",
    re.VERBOSE | re.DOTALL,
)
_LITERAL = re.compile(r"\\(?P<escaped>[^a-zA-Z0-9\s\\])|&#(?P<entity>\d{1,5});")


def _literal(text: str) -> str:
    """Text in which only escapes and character references mean anything."""
    return escape(_LITERAL.sub(lambda match: match["escaped"] or chr(int(match["entity"])), text))


def _link(url: str, text: str) -> str:
    return f'<a href="{escape(url)}" rel="noopener noreferrer" target="_blank">{text}</a>'


def _inline(text: str) -> str:
    parts: list[str] = []
    position = 0
    for match in _INLINE.finditer(text):
        parts.append(escape(text[position : match.start()]))
        parts.append(_inline_match(match))
        position = match.end()
    parts.append(escape(text[position:]))
    return "".join(parts)


def _inline_match(match: re.Match[str]) -> str:
    kind = match.lastgroup
    if kind in ("escaped", "entity"):
        return _literal(match[0])
    if kind == "mono":
        return f"<code>{_literal(match['mono'])}</code>"
    if kind == "target":
        return _link(match["target"], _literal(match["text"] or match["target"]))
    if kind == "bare":
        return _link(match["bare"], escape(match["bare"]))
    if kind == "colored":
        inner = _inline(match["colored"])
        color = match["color"].strip()
        return f'<span style="color:{color}">{inner}</span>' if _COLOR_NAME.fullmatch(color) else inner
    if kind == "bold":
        return f"<strong>{_inline(match['bold'])}</strong>"
    if kind == "italic":
        return f"<em>{_inline(match['italic'])}</em>"
    return "<br>"


def _cells(line: str) -> Iterator[tuple[bool, str]]:
    """The cells of a table row, each with whether it is a header."""
    separator, content = "", ""
    for piece in [*_CELL_PIECE.findall(line.strip()), "|"]:
        if not piece.startswith("|"):
            content += piece
            continue
        if separator and (content.strip() or separator == "|"):
            yield separator == "||", content.strip()
        separator, content = piece, ""


def _table(lines: list[str]) -> str:
    rows = []
    for line in lines:
        cells = list(_cells(line.rstrip().removesuffix("|").removesuffix("|")))
        only_headers = bool(cells) and all(header for header, _ in cells)
        tags = [_cell(header, content, only_headers) for header, content in cells]
        rows.append(f"<tr>{''.join(tags)}</tr>")
    return f"<table>{''.join(rows)}</table>"


def _cell(header: bool, content: str, heads_column: bool) -> str:
    if not header:
        return f"<td>{_inline(content)}</td>"
    return f'<th scope="{"col" if heads_column else "row"}">{_inline(content)}</th>'


def _list(lines: list[str]) -> str:
    html: list[str] = []
    open_markers = ""
    for line in lines:
        match = _ITEM.fullmatch(line.strip())
        if match is None:
            continue
        markers, content = match[1].replace("-", "*"), match[2]
        shared = 0
        while shared < min(len(markers), len(open_markers)) and markers[shared] == open_markers[shared]:
            shared += 1
        html += [f"</li></{_list_tag(marker)}>" for marker in reversed(open_markers[shared:])]
        if shared == len(markers):
            html.append("</li>")
        html += [f"<{_list_tag(marker)}><li>" for marker in markers[shared:]]
        if shared == len(markers):
            html.append("<li>")
        html.append(_inline(content))
        open_markers = markers
    html += [f"</li></{_list_tag(marker)}>" for marker in reversed(open_markers)]
    return "".join(html)


def _list_tag(marker: str) -> str:
    return "ol" if marker == "#" else "ul"


def _paragraph(lines: list[str]) -> str:
    return f"<p>{_inline(chr(10).join(lines).strip())}</p>"


def _kind(line: str) -> str:
    stripped = line.strip()
    if not stripped:
        return "blank"
    if _HEADING.fullmatch(stripped):
        return "heading"
    if _RULE.fullmatch(stripped):
        return "rule"
    if stripped.startswith("|"):
        return "table"
    return "list" if _ITEM.fullmatch(stripped) else "paragraph"


_GROUPS: dict[str, Callable[[list[str]], str]] = {"table": _table, "list": _list, "paragraph": _paragraph}


def _lines(text: str) -> str:
    html: list[str] = []
    group: list[str] = []
    group_kind = ""

    def flush() -> None:
        if group:
            html.append(_GROUPS[group_kind](group))
            group.clear()

    for line in text.split("\n"):
        kind = _kind(line)
        if kind != group_kind:
            flush()
        group_kind = kind
        if kind in _GROUPS:
            group.append(line)
        elif kind == "heading" and (match := _HEADING.fullmatch(line.strip())):
            html.append(f"<h{match[1]}>{_inline(match[2])}</h{match[1]}>")
        elif kind == "rule":
            html.append("<hr>")
    flush()
    return "".join(html)


def _blocks(text: str) -> str:
    html: list[str] = []
    position = 0
    while match := _BLOCK.search(text, position):
        end = text.find(f"{{{match[1]}}}", match.end())
        if end < 0:
            break
        html.append(_lines(text[position : match.start()]))
        inner = text[match.end() : end]
        if match[1] == "quote":
            html.append(f"<blockquote>{_lines(inner)}</blockquote>")
        else:
            html.append(f"<pre>{escape(inner.strip(chr(10)))}</pre>")
        position = end + len(match[1]) + 2
    html.append(_lines(text[position:]))
    return "".join(html)


def render_wiki(text: str) -> Markup:
    """Wiki markup as HTML.

    Supported: headings, `*bold*`, `_italic_`, `{{mono}}`, nested lists with `*`, `-` and `#`, tables, links,
    `{noformat}`, `{code}`, `{quote}`, `{color}`, rules, `\\\\` line breaks, escapes and numeric character references.
    Anything else is shown as it is.
    """
    return Markup(_blocks(text.replace("\r\n", "\n").replace("\r", "\n")))
