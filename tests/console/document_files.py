"""Files as authors of templates and limits have them."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import Any

import docx

from tests.activities.review_document.samples import snapshot

FEW_RESULTS: dict[str, Any] = {
    "modelMethodology": "Classification",
    "auc": 0.7785,
    "dw_statistic": 1.9873,
    "breusch_pagan_f_p_value": -99,
    "executionErrors": ["Error occurred while calculating breusch_pagan: it can only be run for regression models"],
}
"""A document of these is written seven times as fast as one with all families."""

LIMITS = """<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:camunda="http://camunda.org/schema/1.0/dmn"
  id="limits" name="House limits" namespace="http://camunda.org/schema/1.0/dmn">
 <decision id="comparator" name="House limits"><decisionTable id="table" hitPolicy="COLLECT">
  <input id="i1" label="auc" camunda:inputVariable="auc">
   <inputExpression id="e1" typeRef="double"><text/></inputExpression></input>
  <output id="o1" label="passes" name="passes" typeRef="boolean"/>
  <output id="o2" label="reason" name="reason" typeRef="string"/>
  <output id="o3" label="category" name="category" typeRef="string"/>
  %s
 </decisionTable></decision></definitions>"""
RULE = """<rule id="r{n}"><inputEntry id="c{n}"><text>{test}</text></inputEntry>
   <outputEntry id="p{n}"><text>{passes}</text></outputEntry>
   <outputEntry id="q{n}"><text>"{reason}"</text></outputEntry>
   <outputEntry id="k{n}"><text>"Performance"</text></outputEntry></rule>"""


def given(folder: Path, content: Any, name: str = "results.json") -> str:
    (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return name


def job(results: dict[str, Any], *assets: dict[str, Any]) -> dict[str, Any]:
    frozen = snapshot()
    frozen["storedModel"]["modelAssets"] = [*frozen["storedModel"]["modelAssets"], *assets]
    return {
        "id": "job-7",
        "jobStatus": "COMPLETE",
        "referenceModel": frozen,
        "outputData": [{"fileContent": base64.b64encode(json.dumps(results).encode()).decode()}],
    }


def limits(*rules: tuple[str, str, str]) -> bytes:
    rows = "".join(
        RULE.format(n=n, test=test, passes=passes, reason=reason) for n, (test, passes, reason) in enumerate(rules)
    )
    return (LIMITS % rows).encode()


def template(*paragraphs: str) -> bytes:
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    target = io.BytesIO()
    document.save(target)
    return target.getvalue()


def text_of(path: Path) -> str:
    """All text of a document's body, that of its tables included."""
    document = docx.Document(str(path))
    return "\n".join(node.text or "" for node in document.element.body.iter() if node.tag.endswith("}t"))
