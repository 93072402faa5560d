"""Opens a template from outside: what is no harmless Word document is refused before any of it is read.

The limits are far above any document that people write and far below what would fill a worker's memory.
"""

from __future__ import annotations

import io
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Any, Final

from docx.opc.coreprops import CoreProperties
from docx.opc.oxml import serialize_part_xml
from docx.oxml import parse_xml
from docx.oxml.coreprops import CT_CoreProperties
from docx.oxml.ns import qn

from activities.review_document.formatting import clean
from activities.review_document.package import EARLIEST, pack

MAX_TEMPLATE_BYTES: Final = 20_000_000
MAX_PARTS: Final = 2_000
MAX_UNPACKED_BYTES: Final = 200_000_000
MAX_RATIO: Final = 250
"""How many times its compressed size a large part may have; XML that repeats itself reaches about a hundred."""

MAX_XML_BYTES: Final = 30_000_000
"""Parsed XML takes many times its size in memory; the text of a long book has a third of this."""

RATIO_MATTERS_FROM: Final = 10_000_000
"""Smaller parts are harmless whatever their ratio; a white bitmap has a high one."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_CONTENT_TYPES = "[Content_Types].xml"
_CORE_PROPERTIES = "docProps/core.xml"

_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_XML = (".xml", ".rels", ".vml")
_STRICT = "http://purl.oclc.org/ooxml/"
_CORE_RELATION = "http://schemas.openxmlformats.org/package/2006/relationships/metadata/core-properties"
_CORE_TYPE = "application/vnd.openxmlformats-package.core-properties+xml"
_DOCUMENT = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
_DOTX = "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml"

_STORIES = frozenset(f"{_OFFICE}/{story}" for story in ("header", "footer", "footnotes", "endnotes"))
_HYPERLINK = f"{_OFFICE}/hyperlink"
_ATTACHED_TEMPLATE = f"{_OFFICE}/attachedTemplate"
_ACTIVE = re.compile(r"vbaproject|macroenabled|activex|attachedtoolbars|/afchunk$", re.IGNORECASE)
# A picture may be fetched by these although its relation passes for a link that a reader clicks, or has none.
_LINKS = (f"{{{_OFFICE}}}link", f"{{{_OFFICE}}}href", f"{{{_OFFICE}}}pict", "src")
_DECLARATIONS = tuple(
    text.encode(encoding) for text in ("<!DOCTYPE", "<!ENTITY") for encoding in ("utf-8", "utf-16-le", "utf-16-be")
)
# Fields that fetch something when the document is opened, printed or updated.
_FETCHING = re.compile(r"\b(DDE|DDEAUTO|INCLUDEPICTURE|INCLUDETEXT|INCLUDE|IMPORT|LINK|DATABASE|RD)\b", re.IGNORECASE)

_ENCRYPTED = 0x1
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError, OverflowError),
)
_SAVE_AGAIN = "(open it in Word and save it again as .docx)"


class UnreadableTemplate(ValueError):
    """The file cannot serve as a template; the message says what is wrong, where, and how to mend it."""


class TemplateFile:
    """The parts of a template, checked, and their XML as it is changed."""

    def __init__(self, content: bytes) -> None:
        """Opens the file.

        Raises:
            UnreadableTemplate: it is no Word document, is protected by a password, too large, or holds macros, content
                that is fetched from elsewhere, or XML that is not plain.
        """
        self._parts = _unpacked(content)
        self._trees: dict[str, Any] = {}
        self._refuse_active_content()
        self.main = self._main_part()
        self._refuse_outside_content()

    @property
    def stories(self) -> list[str]:
        """The names of the parts with text: the body first, then headers, footers and notes by name."""
        return [self.main, *sorted({name for kind, name in self._targets(self.main) if kind in _STORIES})]

    def tree(self, part: str) -> Any:
        """The root element of a part; what is changed in it is written by `save`."""
        if part not in self._trees:
            self._trees[part] = self._parsed(part)
        return self._trees[part]

    @property
    def body(self) -> Any:
        """The body of the main part."""
        return self.tree(self.main).find(qn("w:body"))

    def related(self, part: str, kind: str) -> Any | None:
        """The root element of the part that stands in a relation to another, such as the styles to the body."""
        found = next((name for relation, name in self._targets(part) if relation == f"{_OFFICE}/{kind}"), None)
        return None if found is None else self.tree(found)

    def add_picture(self, png: bytes) -> str:
        """Adds a picture to the file and returns the name of its part."""
        number = 1
        while (name := f"word/media/chart{number}.png") in self._parts:
            number += 1
        self._parts[name] = png
        self._ensure_type("Default", "Extension", "png", "image/png")
        return name

    def relate_picture(self, part: str, picture: str) -> str:
        """Lets a part show a picture of the file and returns the id under which it may."""
        return self._relate(part, f"{_OFFICE}/image", f"/{picture}")

    def save(self, *, title: str, dated: datetime | None) -> bytes:
        """The finished file; the same parts make the same bytes.

        Args:
            title: the document's title property.
            dated: written as the time of creation and of change; without it, the earliest that a .docx can hold.
        """
        self._set_properties(title, (dated or EARLIEST).astimezone(UTC).replace(tzinfo=None, microsecond=0))
        return pack({**self._parts, **{name: serialize_part_xml(tree) for name, tree in self._trees.items()}})

    def _parsed(self, part: str) -> Any:
        # A part may hold XML whatever its name ends in.
        _refuse_long_text(part, len(self._parts.get(part, b"")))
        try:
            tree = parse_xml(self._parts[part])
        except KeyError:
            raise UnreadableTemplate(
                f"the template is not a whole Word document: its part {clean(part, 80)} is missing {_SAVE_AGAIN}"
            ) from None
        except (SyntaxError, ValueError) as error:
            raise UnreadableTemplate(
                f"the template's part {clean(part, 80)} is not readable XML: {clean(error, 160)} {_SAVE_AGAIN}"
            ) from None
        if tree.getroottree().docinfo.internalDTD is not None:
            raise _declared(part)
        return tree

    def _main_part(self) -> str:
        relations = dict(self._targets(""))
        main = relations.get(f"{_OFFICE}/officeDocument")
        if main is None and any(kind.startswith(_STRICT) for kind in relations):
            raise UnreadableTemplate(
                "the template is a Strict Open XML document (in Word, save it as 'Word Document (*.docx)')"
            )
        kind = None if main is None else self._override(main)
        if main is None or kind is None or kind.get("ContentType") not in (_DOCUMENT, _DOTX):
            raise UnreadableTemplate(f"the template is not a Word document {_SAVE_AGAIN}")
        if self.tree(main).tag != qn("w:document") or self.tree(main).find(qn("w:body")) is None:
            raise UnreadableTemplate(f"the template's part {clean(main, 80)} holds no Word document {_SAVE_AGAIN}")
        kind.set("ContentType", _DOCUMENT)
        return main

    def _override(self, part: str) -> Any | None:
        overrides = self.tree(_CONTENT_TYPES).iterchildren("{*}Override")
        return next((item for item in overrides if item.get("PartName", "").lstrip("/") == part), None)

    def _refuse_active_content(self) -> None:
        kinds = [(part, part) for part in self._parts]
        for item in self.tree(_CONTENT_TYPES).iterchildren("{*}Override", "{*}Default"):
            kinds.append((item.get("PartName") or item.get("Extension", ""), item.get("ContentType", "")))
        for relations in self._relation_parts():
            kinds += [(name, kind) for kind, name in self._targets(_owner(relations))]
        for part, kind in kinds:
            if _ACTIVE.search(kind):
                raise UnreadableTemplate(
                    f"the template holds macros or other active content: {clean(part, 80)} "
                    "(in Word, save it as 'Word Document (*.docx)', without macros and inserted files)"
                )

    def _refuse_outside_content(self) -> None:
        for relations in self._relation_parts():
            for relation in list(self.tree(relations).iterchildren("{*}Relationship")):
                self._refuse_outside_relation(relations, relation)
        for part in self.stories:
            self._refuse_fetching_fields(part)
            self._refuse_linked_pictures(part)

    def _refuse_fetching_fields(self, part: str) -> None:
        fetching = next((code for code in _field_codes(self.tree(part)) if _FETCHING.match(code.strip())), None)
        if fetching is not None:
            raise UnreadableTemplate(
                f"the template's part {clean(part, 80)} has a field that fetches something from elsewhere: "
                f"{clean(fetching, 80)} (in Word, press Ctrl+Shift+F9 on the field to make it plain text)"
            )

    def _refuse_linked_pictures(self, part: str) -> None:
        for image in self.tree(part).iter("{*}blip", "{*}imagedata", "{*}fill", "{*}stroke"):
            if not set(image.attrib).isdisjoint(_LINKS):
                raise UnreadableTemplate(
                    f"the template's part {clean(part, 80)} links a picture instead of holding it "
                    "(in Word, insert the picture into the document)"
                )

    def _refuse_outside_relation(self, relations: str, relation: Any) -> None:
        kind = relation.get("Type", "")
        if not _is_outside(relation) or kind == _HYPERLINK:
            return
        if kind == _ATTACHED_TEMPLATE:
            self._detach(_owner(relations), relation)
            return
        raise UnreadableTemplate(
            f"the template refers to {clean(kind.rpartition('/')[2], 40) or 'something'} outside of the file: "
            f"{clean(relation.get('Target'), 120)}, in {clean(relations, 80)} "
            "(insert a copy into the document instead of a link)"
        )

    def _detach(self, part: str, relation: Any) -> None:
        """Cuts the tie to the .dotx a document was made from: Word would fetch it, and the text needs nothing of it."""
        for element in list(self.tree(part).iter(qn("w:attachedTemplate"))):
            element.getparent().remove(element)
        relation.getparent().remove(relation)

    def _relation_parts(self) -> list[str]:
        return [part for part in self._parts if part.endswith(".rels")]

    def _targets(self, part: str) -> Iterator[tuple[str, str]]:
        """Kind and name of every part inside the file that a part refers to."""
        relations = _relations_name(part)
        if part and relations not in self._parts:
            return
        for relation in self.tree(relations).iterchildren("{*}Relationship"):
            if not _is_outside(relation):
                target = posixpath.join("/", posixpath.dirname(part), relation.get("Target", ""))
                yield relation.get("Type", ""), posixpath.normpath(target).lstrip("/")

    def _relate(self, part: str, kind: str, target: str) -> str:
        name = _relations_name(part)
        if name not in self._parts:
            self._parts[name] = f'<Relationships xmlns="{_RELATIONS}"/>'.encode()
        root = self.tree(name)
        taken = {relation.get("Id") for relation in root.iterchildren("{*}Relationship")}
        free = next(found for number in count(1) if (found := f"rIdChart{number}") not in taken)
        root.append(parse_xml(f'<Relationship xmlns="{_RELATIONS}" Id="{free}" Type="{kind}" Target="{target}"/>'))
        return free

    def _ensure_type(self, element: str, key: str, value: str, content_type: str) -> None:
        types = self.tree(_CONTENT_TYPES)
        present = {item.get(key, "").casefold() for item in types.iterchildren(f"{{*}}{element}")}
        if value.casefold() not in present:
            xml = f'<{element} xmlns="{_TYPES}" {key}="{value}" ContentType="{content_type}"/>'
            types.insert(0 if element == "Default" else len(types), parse_xml(xml))

    def _set_properties(self, title: str, written: datetime) -> None:
        name = dict(self._targets("")).get(_CORE_RELATION)
        if name is None or name not in self._parts:
            name = _CORE_PROPERTIES
            self._parts[name] = b""
            self._relate("", _CORE_RELATION, f"/{name}")
            self._ensure_type("Override", "PartName", f"/{name}", _CORE_TYPE)
        if not self._parts[name] or not isinstance(self.tree(name), CT_CoreProperties):
            self._trees[name] = CT_CoreProperties.new()
        properties = CoreProperties(self._trees[name])
        properties.title = clean(title, 255)
        properties.last_modified_by = "sagemaker-mlc"
        properties.created = properties.modified = written
        properties.revision = 1


def _unpacked(content: bytes) -> dict[str, bytes]:
    if content.startswith(_OLE):
        raise UnreadableTemplate(
            "the template is protected by a password, or is a .doc of an old Word "
            "(remove the password under File > Info, and save it as .docx)"
        )
    if len(content) > MAX_TEMPLATE_BYTES:
        raise UnreadableTemplate(
            f"the template has {len(content):,} bytes; at most {MAX_TEMPLATE_BYTES:,} are read (compress its pictures)"
        )
    with _opened(content) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        _refuse_bomb(entries)
        parts = {entry.filename: _inflated(archive, entry) for entry in entries}
    for part, held in parts.items():
        if part.endswith(_XML) and any(mark in held for mark in _DECLARATIONS):
            raise _declared(part)
    return parts


def _declared(part: str) -> UnreadableTemplate:
    return UnreadableTemplate(
        f"the template's part {clean(part, 80)} declares a document type, which no part of a Word document does "
        f"{_SAVE_AGAIN}"
    )


def _refuse_long_text(part: str, size: int) -> None:
    if size > MAX_XML_BYTES:
        raise UnreadableTemplate(
            f"the template's part {clean(part, 80)} has {size:,} bytes of text; at most {MAX_XML_BYTES:,} are read "
            "(shorten the document)"
        )


def _opened(content: bytes) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(io.BytesIO(content))
    except _DAMAGED as error:
        raise _damaged(error) from None


def _inflated(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        return archive.read(entry)
    except _DAMAGED as error:
        raise _damaged(error) from None


def _damaged(error: Exception) -> UnreadableTemplate:
    return UnreadableTemplate(
        f"the template is not a .docx file, or is damaged: {clean(error, 120)} (save it in Word as .docx)"
    )


def _refuse_bomb(entries: Sequence[zipfile.ZipInfo]) -> None:
    """Looks at what the archive says of itself; no entry inflates to more than it says there."""
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_PARTS or unpacked > MAX_UNPACKED_BYTES:
        raise UnreadableTemplate(
            f"the template has {len(entries):,} parts of {unpacked:,} bytes; at most {MAX_PARTS:,} parts of "
            f"{MAX_UNPACKED_BYTES:,} bytes are read (remove pictures and inserted files)"
        )
    if len({entry.filename.casefold() for entry in entries}) < len(entries):
        raise UnreadableTemplate(f"the template holds two parts of the same name {_SAVE_AGAIN}")
    for entry in entries:
        if entry.flag_bits & _ENCRYPTED:
            raise UnreadableTemplate("the template is protected by a password (remove it and save the file again)")
        if entry.filename.endswith(_XML):
            _refuse_long_text(entry.filename, entry.file_size)
        if entry.file_size > max(RATIO_MATTERS_FROM, MAX_RATIO * entry.compress_size):
            raise UnreadableTemplate(
                f"the template's part {clean(entry.filename, 80)} inflates to {entry.file_size:,} bytes from "
                f"{entry.compress_size:,}: no part of a document does {_SAVE_AGAIN}"
            )


def _relations_name(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


def _owner(relations: str) -> str:
    """The part that a part with relations belongs to; "" for the file itself."""
    folder, name = posixpath.split(relations)
    return posixpath.join(posixpath.dirname(folder), name.removesuffix(".rels"))


def _is_outside(relation: Any) -> bool:
    return "external" in relation.get("TargetMode", "").casefold() or "://" in relation.get("Target", "")


def _field_codes(tree: Any) -> Iterator[str]:
    """The instructions of all fields; Word spreads one over several elements, and fields stand inside of fields."""
    open_fields: list[str] = []
    for element in tree.iter(qn("w:fldSimple"), qn("w:fldChar"), qn("w:instrText")):
        if element.tag == qn("w:fldSimple"):
            yield element.get(qn("w:instr"), "")
        elif element.tag == qn("w:instrText"):
            if open_fields:
                open_fields[-1] += element.text or ""
        elif element.get(qn("w:fldCharType")) == "begin":
            open_fields.append("")
        elif element.get(qn("w:fldCharType")) == "end" and open_fields:
            yield open_fields.pop()
    yield from open_fields
