"""Read-only pages for people: models, snapshots with their documents, test results, jobs and notifications.

They need no login, unlike the REST interface, and change nothing.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import resources
from typing import Any
from urllib.parse import quote, urlsplit

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, Response
from jinja2 import ChainableUndefined, Environment, PackageLoader, Undefined

from sandbox.modelop.entities import FINAL_JOB_STATUSES
from sandbox.modelop.store import Entity, Store

NEWEST = 200
"""How many entities a list on a page shows at most."""

HEADLINES = (
    ("Performance", "AUC", "auc"),
    ("Performance", "Accuracy", "accuracy"),
    ("Performance", "R²", "r2_score"),
    ("Bias", "Largest PPR disparity", "Bias_maxPPRDisparityValue"),
    ("Bias", "Smallest PPR disparity", "Bias_minPPRDisparityValue"),
    ("Data drift", "Largest KS p-value", "DataDrift_maxKolmogorov-SmirnovPValue"),
    ("Data drift", "Smallest KS p-value", "DataDrift_minKolmogorov-SmirnovPValue"),
    ("Concept drift", "Largest KS p-value", "ConceptDrift_maxKolmogorov-SmirnovPValueValue"),
    ("Stability", "PSI of the score", "score_PSI"),
    ("Stability", "Largest CSI", "CSI_maxCSIValue"),
    ("Linearity", "Smallest Pearson correlation", "Linearity_minPearsonCorrelationValue"),
    ("Multicollinearity", "Largest VIF", "Multicollinearity_maxVIFValue"),
    ("Autocorrelation", "Durbin-Watson", "dw_statistic"),
    ("Homoscedasticity", "Breusch-Pagan p-value (F)", "breusch_pagan_f_p_value"),
    ("Homoscedasticity", "Engle LM p-value", "engle_lm_p_value"),
    ("Homoscedasticity", "Smallest Ljung-Box Q p-value", "Homoscedasticity_minLjungBoxQPValue"),
    ("Normality", "Anderson-Darling p-value", "ad_p_value"),
    ("Normality", "Cramér-von Mises p-value", "cvm_p_value"),
    ("Normality", "Kolmogorov-Smirnov p-value", "ks_p_value"),
    ("Personal data", "PII violations", "num_PII_violations"),
)
"""Family, meaning and key of the numbers that a reader of a result wants first."""

BY_COLUMN = ("data_drift", "concept_drift", "linearity", "multicollinearity")
"""Families whose values are one number for each column."""

SENTINELS = (-99, 99)
"""What stands in a result in place of a number that could not be computed."""

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
}
_MEDIA_TYPES = {"WORD": "application/vnd.openxmlformats-officedocument.wordprocessingml.document"}


class Pages:
    """Renders the pages from a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._templates = _environment()

    async def models(self) -> Response:
        """All models, monitors apart."""
        snapshots = self._store.count_by("deployableModels", "storedModel.id")
        notifications = self._store.count_by("notifications", "storedModelId", where_true="open")
        rows: list[dict[str, Any]] = [
            {
                "model": model,
                "snapshots": snapshots.get(model["id"], 0),
                "open": notifications.get(model["id"], 0),
            }
            for model in reversed(self._all("storedModels"))
        ]
        monitors = [row for row in rows if _is_monitor(row["model"])]
        return self._page("models.html", business=[row for row in rows if row not in monitors], monitors=monitors)

    async def model(self, model_id: str) -> Response:
        """One model: facts, assets, schemas, snapshots, results, notifications."""
        model = self._store.get("storedModels", model_id)
        if model is None:
            return self._missing("model", model_id)
        return self._page(
            "model.html",
            model=model,
            snapshots=self._store.find("deployableModels", "storedModel.id", model["id"]),
            results=self._store.find("modelTestResults", "storedModelId", model["id"]),
            notifications=_open_first(self._store.find("notifications", "storedModelId", model["id"])),
        )

    async def snapshot(self, snapshot_id: str) -> Response:
        """One snapshot: state, decisions, documents, deployments, tests."""
        snapshot = self._store.get("deployableModels", snapshot_id)
        if snapshot is None:
            return self._missing("snapshot", snapshot_id)
        key = snapshot["id"]
        return self._page(
            "snapshot.html",
            snapshot=snapshot,
            process=(snapshot["metaData"].get("custom") or {}).get("mlc"),
            deployments=self._store.find("deployedModels", "deployableModel.id", key),
            jobs=self._store.find("jobs", "referenceModel.id", key),
            results=self._store.find("modelTestResults", "deployableModelId", key),
            notifications=_open_first(self._store.find("notifications", "deployableModelId", key)),
        )

    async def document(self, snapshot_id: str, number: int) -> Response:
        """The bytes of a snapshot's document, counted from 0, under its own name."""
        snapshot = self._store.get("deployableModels", snapshot_id) or {}
        documents = snapshot.get("modelDocuments") or []
        if not 0 <= number < len(documents):
            return self._missing("document", f"{number} of snapshot {snapshot_id}")
        document = documents[number]
        disposition = f"attachment; filename*=UTF-8''{quote(document['filename'], safe='')}"
        return Response(
            base64.b64decode(document["fileContent"]),
            media_type=_MEDIA_TYPES.get(str(document.get("fileFormat")), "application/octet-stream"),
            headers={**_HEADERS, "Content-Disposition": disposition},
        )

    async def result(self, result_id: str) -> Response:
        """One test result: headline numbers, families, errors, raw JSON."""
        result = self._store.get("modelTestResults", result_id)
        if result is None:
            return self._missing("test result", result_id)
        tests = result["testResults"]
        return self._page(
            "result.html",
            result=result,
            errors=_texts(tests.get("executionErrors")),
            bias=_entries(tests, "bias", list),
            stability=_entries(tests, "stability", dict),
            by_column=[entry for family in BY_COLUMN for entry in _entries(tests, family, dict)],
            headlines=[(family, name, tests[key]) for family, name, key in HEADLINES if key in tests],
            snapshot=self._store.get("deployableModels", result["deployableModelId"]),
            raw=json.dumps(tests, indent=2, ensure_ascii=False),
        )

    async def jobs(self) -> Response:
        """All jobs, newest first."""
        return self._page("jobs.html", jobs=self._all("jobs"))

    async def job(self, job_id: str) -> Response:
        """One job with its messages."""
        job = self._store.get("jobs", job_id)
        if job is None:
            return self._missing("job", job_id)
        return self._page(
            "job.html",
            job=job,
            ended=job["jobStatus"] in FINAL_JOB_STATUSES,
            results=self._store.find("modelTestResults", "jobId", job["id"]),
            output=_decoded_output(job),
        )

    async def notifications(self) -> Response:
        """All notifications, open ones first, each group newest first."""
        return self._page("notifications.html", notifications=_open_first(self._all("notifications")))

    async def stylesheet(self) -> Response:
        """The one stylesheet."""
        return Response(_template("style.css"), media_type="text/css", headers=_HEADERS)

    async def product_links(self) -> Response:
        """The one script: it follows addresses in the product's own form."""
        return Response(_template("product_links.js"), media_type="text/javascript", headers=_HEADERS)

    def _all(self, collection: str) -> list[Entity]:
        return self._store.page(collection, size=NEWEST, sort="createdDate", descending=True).items

    def _page(self, template: str, status: int = 200, **values: Any) -> Response:
        html = self._templates.get_template(template).render(**values)
        return HTMLResponse(html, status_code=status, headers=_HEADERS)

    def _missing(self, kind: str, entity_id: str) -> Response:
        return self._page("missing.html", 404, kind=kind, entity_id=entity_id)


def page_routes(store: Store) -> APIRouter:
    """Routes of all pages; their URLs are stable and may be linked to."""
    pages = Pages(store)
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/", pages.models)
    router.add_api_route("/models/{model_id}", pages.model)
    router.add_api_route("/snapshots/{snapshot_id}", pages.snapshot)
    router.add_api_route("/snapshots/{snapshot_id}/documents/{number:int}", pages.document)
    router.add_api_route("/results/{result_id}", pages.result)
    router.add_api_route("/jobs", pages.jobs)
    router.add_api_route("/jobs/{job_id}", pages.job)
    router.add_api_route("/notifications", pages.notifications)
    router.add_api_route("/style.css", pages.stylesheet)
    router.add_api_route("/product_links.js", pages.product_links)
    return router


def _template(name: str) -> str:
    return resources.files("sandbox.modelop").joinpath("templates", name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("sandbox.modelop"),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        number=_number,
        headline=_headline,
        moment=_moment,
        epoch_ms=_epoch_ms,
        size=_size,
        web_link=_web_link,
        columns=_columns,
    )
    return environment


def _is_monitor(model: Entity) -> bool:
    return bool(model["modelMetaData"].get("modelCategory") == "MODEL_MONITORING_MODEL")


def _open_first(notifications: list[Entity]) -> list[Entity]:
    return sorted(notifications, key=lambda notification: not notification.get("open"))


def _decoded_output(job: Entity) -> str:
    """The job's first output as text, or nothing while there is none that can be shown."""
    for asset in (job.get("outputData") or [])[:1]:
        try:
            content = json.loads(base64.b64decode(str(asset.get("fileContent", ""))))
        except (binascii.Error, ValueError):
            return ""
        return json.dumps(content, indent=2, ensure_ascii=False)
    return ""


def _entries(tests: dict[str, Any], family: str, kind: type) -> list[dict[str, Any]]:
    """The tests of a family whose values have the expected form: a result may be written by anybody."""
    found = tests.get(family)
    entries = [entry for entry in found if isinstance(entry, dict)] if isinstance(found, list) else []
    return [entry for entry in entries if isinstance(entry.get("values"), kind)]


def _texts(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def _headline(value: Any) -> str:
    """A number of a result; a dash for a sentinel."""
    return "–" if value in SENTINELS else _number(value)


def _number(value: Any) -> str:
    """A number to four significant digits; a dash for none."""
    if value is None or isinstance(value, Undefined):
        return "–"
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return "0" if value == 0 else f"{value:.4g}"


def _moment(text: Any) -> str:
    """An ISO 8601 date of the interface as `2026-11-22 14:03:05`; anything else as it is."""
    try:
        return f"{datetime.fromisoformat(str(text)).astimezone(UTC):%Y-%m-%d %H:%M:%S}"
    except ValueError:
        return str(text)


def _epoch_ms(value: Any) -> str:
    return "–" if not isinstance(value, int) else f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def _size(size: Any) -> str:
    if not isinstance(size, int):
        return "–"
    return f"{size:,} B" if size < 10_000 else f"{size / 1024:,.1f} KiB"


def _web_link(url: Any) -> str:
    """The URL if a browser may follow it, else nothing: a link that runs a script is not one."""
    try:
        return str(url) if urlsplit(str(url or "")).scheme in ("http", "https") else ""
    except ValueError:
        return ""


def _columns(rows: Iterable[dict[str, Any]]) -> list[str]:
    """The keys of all rows in the order in which they first occur."""
    return list(dict.fromkeys(key for row in rows for key in row))
