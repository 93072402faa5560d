"""What Jira's statuses mean to the process: named in the settings, known by their ids from then on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from activities.jira.answers import Status
from activities.jira.settings import JiraSettings
from activities.jira.types import Verdict


@dataclass(frozen=True)
class _Meaning:
    verdict: Verdict | None
    closes: bool


class Statuses:
    """Tells what a status means.

    By its name, until `learn` has seen all statuses; from then on by its id, so that renaming a status in Jira neither
    hides decisions nor makes them.
    """

    def __init__(self, settings: JiraSettings) -> None:
        self._settings = settings
        self._learnt: dict[str, _Meaning] = {}

    @property
    def are_learnt(self) -> bool:
        """Whether ids are known."""
        return bool(self._learnt)

    def learn(self, statuses: Sequence[Status]) -> bool:
        """Ties the configured names to ids; False, and nothing is tied, if no status has one of the names needed.

        Args:
            statuses: all that Jira has.
        """
        meanings = {status.id: self._by_name(status.name) for status in statuses}
        # Ids of half the names would outlive the mending of the other half.
        complete = {meaning.verdict for meaning in meanings.values()} >= set(Verdict)
        if complete:
            self._learnt = meanings
        return complete

    def verdict(self, status: Status) -> Verdict | None:
        """What a ticket in this status is decided to be; None for every status that is not configured."""
        return self._meaning(status).verdict

    def is_final(self, status: Status) -> bool:
        """Whether nothing is left to close: decided, closed by us, or ended in some other way."""
        meaning = self._meaning(status)
        return meaning.closes or meaning.verdict is not None or status.category.key == "done"

    def closes(self, status: Status) -> bool:
        """Whether this is the status to which tickets are moved that nobody needs any more."""
        return self._meaning(status).closes

    def _meaning(self, status: Status) -> _Meaning:
        # A status that was added since is known by its name only.
        return self._learnt.get(status.id) or self._by_name(status.name)

    def _by_name(self, name: str) -> _Meaning:
        settings, verdict = self._settings, None
        for meant, names in ((Verdict.DONE, settings.done_statuses), (Verdict.REJECTED, settings.rejected_statuses)):
            if any(same_name(name, configured) for configured in names):
                verdict = meant
        return _Meaning(verdict=verdict, closes=same_name(name, settings.close_status))


def same_name(one: str, other: str) -> bool:
    """Whether two names are the same but for upper and lower case and space around them."""
    return one.strip().casefold() == other.strip().casefold()
