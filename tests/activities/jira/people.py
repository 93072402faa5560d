"""The people of the Jira sandbox, acting through its REST API as they would through its pages."""

from __future__ import annotations

from typing import Any

import httpx


class Person:
    """Somebody who is signed in to the sandbox."""

    def __init__(self, url: str, name: str, edition: str) -> None:
        self._url = url
        self._cloud = edition == "cloud"
        sign_in = (f"{name}@sandbox.invalid", f"{name}-api-token") if self._cloud else (name, f"{name}-password")
        if self._cloud and name == "svc-mlc":
            sign_in = (sign_in[0], "sandbox-jira-token")
        self._http = httpx.Client(base_url=f"{url}/rest/api/2", auth=sign_in, timeout=10)

    @property
    def id(self) -> str:
        """The accountId on Cloud, the user name on Data Center."""
        return self.id_of(self.get("myself"))

    def id_of(self, user: dict[str, Any]) -> str:
        """By what this edition tells people apart."""
        return str(user["accountId" if self._cloud else "name"])

    def close(self) -> None:
        """Ends the connections."""
        self._http.close()

    def move(self, key: str, status: str) -> None:
        """Moves a ticket to a status."""
        moves = self.get(f"issue/{key}/transitions")["transitions"]
        move = next(move for move in moves if move["to"]["name"] == status)
        self.post(f"issue/{key}/transitions", {"transition": {"id": move["id"]}})

    def comment(self, key: str, text: str, **more: Any) -> None:
        """Comments a ticket."""
        self.post(f"issue/{key}/comment", {"body": text, **more})

    def comments(self, key: str) -> list[str]:
        """The texts of a ticket's comments, oldest first."""
        return [comment["body"] for comment in self.get(f"issue/{key}/comment")["comments"]]

    def status(self, key: str) -> str:
        """A ticket's status."""
        name: str = self.get(f"issue/{key}")["fields"]["status"]["name"]
        return name

    def labelled(self, label: str) -> list[str]:
        """Keys of the tickets with a label, oldest first."""
        path = "search/jql" if self._cloud else "search"
        found = self.get(path, jql=f'labels = "{label}" ORDER BY key ASC', fields="labels", maxResults="100")
        return [issue["key"] for issue in found["issues"]]

    def create(self, **fields: Any) -> dict[str, Any]:
        """Creates a task and returns `id` and `key`."""
        defaults = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "Something"}
        created: dict[str, Any] = self.post("issue", {"fields": {**defaults, **fields}})
        return created

    def edit(self, key: str, **fields: Any) -> None:
        """Changes fields of a ticket."""
        self._http.put(f"issue/{key}", json={"fields": fields}).raise_for_status()

    def move_to_project(self, key: str, project: str) -> str:
        """Moves a ticket to another project, as REST cannot, and returns its new key."""
        return str(self._administer("move", issue=key, project=project)["key"])

    def hide(self, key: str) -> None:
        """Takes the permission to see a ticket from the service account."""
        self._administer("hide", issue=key)

    def rename_status(self, status: str, name: str) -> None:
        """Gives a status another name."""
        self._administer("rename-status", status=status, name=name)

    def _administer(self, what: str, **body: str) -> Any:
        return httpx.post(f"{self._url}/sandbox/{what}", json=body, timeout=10).raise_for_status().json()

    def delete(self, key: str) -> None:
        """Deletes a ticket."""
        self._http.delete(f"issue/{key}").raise_for_status()

    def get(self, path: str, **params: str) -> Any:
        """Reads something."""
        return self._http.get(path, params=params).raise_for_status().json()

    def post(self, path: str, body: Any) -> Any:
        """Posts something; None if there is no answer's body."""
        answer = self._http.post(path, json=body).raise_for_status()
        return answer.json() if answer.content else None
