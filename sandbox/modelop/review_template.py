"""The Word template of the seeded customer: what a bank's own review document looks like, with places to fill in."""

from __future__ import annotations

import io

import docx
from docx.document import Document
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.shared import Pt, RGBColor

HOUSE_COLOUR = RGBColor(0x1F, 0x4E, 0x79)
MODEL = "modelop.storedModel.modelMetaData"
RESULTS = "modelop.modelTestResult.testResults"
RULES = "modelop.modelTestResult.dmnRuleResults"

FACTS = (
    ("Model", f"<<{MODEL}.name>>"),
    ("Business unit", f"<<{MODEL}.modelOrganization>>"),
    ("Use", f"<<{MODEL}.modelUseCategory>>"),
    ("Risk tier", f"<<{MODEL}.modelRisk>>"),
    ("Owner", f"<<{MODEL}.custom.(Model Owner)>>, <<{MODEL}.custom.(Model Owner Email)>>"),
    ("Cost centre", f"<<{MODEL}.custom.(Cost Centre)>>"),
    ("Snapshot", "<<modelop.deployableModel.metaData.name>>, taken <<modelop.deployableModel.createdDate>>"),
    ("Comparator data", "<<modelop.storedModel.modelAssets.[assetRole=COMPARATOR_DATA].filename>>"),
)
JUDGED = ("Performance", "Characteristic Stability", "Bias Disparity", "Autocorrelation")


def review_template() -> bytes:
    """The template as a .docx file."""
    document = docx.Document()
    document.core_properties.title = "Model Review"
    document.styles["Normal"].font.name = "Calibri"
    document.styles["Normal"].font.size = Pt(11)
    section = document.sections[0]
    section.header.paragraphs[0].text = f"Example Bank · Model Risk · <<{MODEL}.name>>"
    section.footer.paragraphs[0].text = "Result <<modelop.modelTestResult.id>>"
    section.footer.paragraphs[0].alignment = WD_ALIGN_PARAGRAPH.RIGHT
    document.add_heading("Model Review", level=0)
    _introduction(document)
    _verdicts(document)
    _numbers(document)
    buffer = io.BytesIO()
    document.save(buffer)
    return buffer.getvalue()


def _introduction(document: Document) -> None:
    document.add_heading("1  The model", level=1)
    paragraph = document.add_paragraph("The model ")
    # Word splits what an author types over several runs; a place in a template is rarely in one piece.
    for piece in (f"<<{MODEL}", ".na", "me>>"):
        run = paragraph.add_run(piece)
        run.bold = True
        run.font.color.rgb = HOUSE_COLOUR
    paragraph.add_run(f": <<{MODEL}.description>>")
    table = document.add_table(rows=0, cols=2, style="Light Grid Accent 1")
    for name, place in FACTS:
        cells = table.add_row().cells
        cells[0].text, cells[1].text = name, place


def _verdicts(document: Document) -> None:
    document.add_heading("2  Verdicts by the house limits", level=1)
    table = document.add_table(rows=1, cols=3, style="Light Grid Accent 1")
    for cell, heading in zip(table.rows[0].cells, ("Test", "Passed", "Why"), strict=True):
        cell.text = heading
    for category in JUDGED:
        cells = table.add_row().cells
        cells[0].text = category
        cells[1].text = f"<<{RULES}.[testCategory={category}].passes>>"
        cells[2].text = f"<<{RULES}.[testCategory={category}].reason>>"


def _numbers(document: Document) -> None:
    document.add_heading("3  Numbers", level=1)
    document.add_paragraph(f"AUC <<{RESULTS}.auc>>, accuracy <<{RESULTS}.accuracy>>. All metrics:")
    document.add_paragraph(f"<<{RESULTS}.(performance)[0].values>>")
    document.add_heading("Stability of the applicants' age groups", level=2)
    document.add_paragraph(f"<<{RESULTS}.(stability)[0].(values).(age_group).(stability_analysis_table)>>")
    document.add_paragraph("<<modelopgraph.stability.age_group>>")
    document.add_heading("Disparity between age groups", level=2)
    document.add_paragraph("<<modelopgraph.groupbias.age_group>>")
    document.add_paragraph(f"Durbin-Watson statistic: <<{RESULTS}.(dw_statistic)>>.")
