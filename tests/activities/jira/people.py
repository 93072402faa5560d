"""The people of the Jira sandbox, acting through its REST API as they would through its pages."""

from __future__ import annotations

from typing import Any

import httpx


class Person:
    """Somebody who is signed in to the sandbox."""

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._http = httpx.Client(base_url=f"{url}/rest/api/2", auth=(name, f"{name}-password"), timeout=10)

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
        found = self.get("search", jql=f'labels = "{label}" ORDER BY key ASC')
        return [issue["key"] for issue in found["issues"]]

    def create(self, **fields: Any) -> dict[str, Any]:
        """Creates a task and returns `id` and `key`."""
        defaults = {"project": {"key": "GOV"}, "issuetype": {"name": "Task"}, "summary": "Something"}
        created: dict[str, Any] = self.post("issue", {"fields": {**defaults, **fields}})
        return created

    def move_to_project(self, key: str, project: str) -> str:
        """Moves a ticket to another project on its page, as REST cannot, and returns its new key."""
        with httpx.Client(base_url=self._url, timeout=10, follow_redirects=True) as browser:
            page = browser.get(f"/browse/{key}").text
            token = page.partition('name="form_token" value="')[2].partition('"')[0]
            browser.post("/session", data={"form_token": token, "person": self._name}).raise_for_status()
            moved = browser.post(f"/browse/{key}/move", data={"form_token": token, "project": project})
            return moved.raise_for_status().url.path.rpartition("/")[2]

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
