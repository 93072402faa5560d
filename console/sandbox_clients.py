"""What the demonstration does in the sandboxes by their REST interfaces, as people and an administrator would.

Deliberately apart from the process's own clients: the demonstration must not depend on what it demonstrates.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import httpx

from console.faults import ConsoleFault
from sandbox.jira.people import find_person
from sandbox.modelop.accounts import STATIC_TOKEN

_TIMEOUT_SECONDS = 10.0

Model = dict[str, Any]


class _Sandbox:
    """One of the sandboxes over HTTP; every failure becomes one clear line."""

    name = ""

    def __init__(self, url: str, headers: dict[str, str] | None = None) -> None:
        self.url = url
        # Proxies of the environment are for the outside world, not for this machine.
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=_TIMEOUT_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise ConsoleFault(f"{self.name} did not answer {method} {path}: {type(error).__name__}") from error
        if answer.is_error:
            raise ConsoleFault(f"{self.name} answered {answer.status_code} to {method} {path}: {answer.text[:300]}")
        return answer


class JiraPeople(_Sandbox):
    """The people of the Jira sandbox."""

    name = "Jira"

    async def decide(self, person: str, ticket: str, *, status: str, comment: str) -> None:
        """Lets a person comment on a ticket and move it to a status.

        Raises:
            ConsoleFault: nobody has that name, or the ticket cannot be moved there.
        """
        account = find_person(person)
        if account is None:
            raise ConsoleFault(f"the Jira sandbox knows nobody named '{person}'")
        auth = (account.name, account.password)
        issue = f"/rest/api/2/issue/{ticket}"
        await self._call("POST", f"{issue}/comment", auth=auth, json={"body": comment})
        offered = (await self._call("GET", f"{issue}/transitions", auth=auth)).json()["transitions"]
        transition = next((each["id"] for each in offered if each["to"]["name"] == status), None)
        if transition is None:
            raise ConsoleFault(
                f"{ticket} cannot be moved to {status}; Jira offers {[e['to']['name'] for e in offered]}"
            )
        await self._call("POST", f"{issue}/transitions", auth=auth, json={"transition": {"id": transition}})

    async def tickets_of(self, workflow_id: str) -> list[str]:
        """Keys of all tickets that carry the workflow id as a label."""
        found = await self._call(
            "GET",
            "/rest/api/2/search",
            params={"jql": f'labels = "{workflow_id}"', "fields": "key", "maxResults": 1000},
            auth=self._service,
        )
        return [issue["key"] for issue in found.json()["issues"]]

    async def attachment(self, attachment_id: str) -> bytes:
        """The bytes of an attachment."""
        described = await self._call("GET", f"/rest/api/2/attachment/{attachment_id}", auth=self._service)
        return (await self._call("GET", described.json()["content"], auth=self._service)).content

    @property
    def _service(self) -> tuple[str, str]:
        account = find_person("svc-mlc")
        assert account is not None
        return account.name, account.password


class ModelRegistry(_Sandbox):
    """The registered models of the ModelOp Center sandbox."""

    name = "ModelOp Center"

    def __init__(self, url: str) -> None:
        super().__init__(url, {"Authorization": f"Bearer {STATIC_TOKEN}"})

    async def model(self, model_id: str) -> Model:
        """The registered model."""
        return dict((await self._call("GET", f"/model-manage/api/storedModels/{model_id}")).json())

    async def change(self, model_id: str, change: Callable[[Model], Model]) -> bool:
        """Applies what `change` makes of the model as a PATCH; an empty change sends nothing and returns False."""
        patch = change(await self.model(model_id))
        if patch:
            await self._call("PATCH", f"/model-manage/api/storedModels/{model_id}", json=patch)
        return bool(patch)
