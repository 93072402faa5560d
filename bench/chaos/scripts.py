"""What people will do, fixed by the seed before anything runs, and what must exist afterwards because of it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from workflows.contract import Gate, Outcome

RUNS = 25
REQUESTER = "rita"
DONE, REJECTED = "Done", "Rejected"
DECIDERS = {Gate.PIA: "paul", Gate.TEST_FAILURE: REQUESTER, Gate.RESULTS: "vera", Gate.PRODUCTION: "aaron"}

THINKING_SECONDS = (0.5, 4.0)
PATIENT_SECONDS = (10.0, 25.0)


class Manner(StrEnum):
    """How somebody comes to a decision. Whatever the manner, the verdict that counts is the same."""

    PLAIN = "decides"
    PATIENT = "waits a while"
    REOPENED = "reopens and decides again"
    CHANGED_MIND = "decides the opposite once it is too late"
    REQUESTER_FIRST = "the requester decides first, which does not count"


class Course(StrEnum):
    """The way of one implementation."""

    APPROVED = "approved"
    PRIVACY_REJECTED = "rejected at privacy"
    RESULTS_REJECTED = "rejected at results"
    PRODUCTION_REJECTED = "rejected at production"
    MENDED = "tests fail, model mended"
    GIVEN_UP = "tests fail, given up"


# Every way is taken by some, whatever the seed.
SHARES: Mapping[Course, int] = {
    Course.APPROVED: 12,
    Course.PRIVACY_REJECTED: 2,
    Course.RESULTS_REJECTED: 3,
    Course.PRODUCTION_REJECTED: 2,
    Course.MENDED: 4,
    Course.GIVEN_UP: 2,
}
LAST_GATE = {
    Course.PRIVACY_REJECTED: Gate.PIA,
    Course.GIVEN_UP: Gate.TEST_FAILURE,
    Course.RESULTS_REJECTED: Gate.RESULTS,
    Course.PRODUCTION_REJECTED: Gate.PRODUCTION,
}
TESTS_FAIL = (Course.MENDED, Course.GIVEN_UP)


@dataclass(frozen=True)
class Step:
    """One ticket: who decides it, how, after how many seconds of thought; `mends` puts the model right before."""

    gate: Gate
    person: str
    status: str
    manner: Manner
    thinking: float
    mends: bool = False


@dataclass(frozen=True)
class Script:
    """Everything that people do about one implementation."""

    name: str
    course: Course
    steps: tuple[Step, ...]

    @property
    def outcome(self) -> Outcome:
        """How the run must end."""
        return Outcome.REJECTED if self.course in LAST_GATE else Outcome.DEPLOYED

    def expected(self) -> Counter[str]:
        """How many objects of each kind must exist outside, each exactly once."""
        statuses = {step.gate: step.status for step in self.steps}
        tested = statuses[Gate.PIA] == DONE
        mended = any(step.mends for step in self.steps)
        return Counter(
            {
                **{f"tickets: {gate}": int(gate in statuses) for gate in Gate},
                "attachments": int(Gate.RESULTS in statuses),
                "snapshots": tested + mended,
                "jobs": tested + mended,
                "results": int(Gate.RESULTS in statuses),
                "documents": int(statuses.get(Gate.RESULTS) == DONE),
                "deployed markers": int(statuses.get(Gate.PRODUCTION) == DONE),
                "snapshots deployed": int(statuses.get(Gate.PRODUCTION) == DONE),
                "notifications: tickets": len(self.steps),
                "notifications: rejected document": int(statuses.get(Gate.RESULTS) == REJECTED),
                "notifications: the end": 1,
                "decisions refused": sum(step.manner is Manner.REQUESTER_FIRST for step in self.steps),
            }
        )


def write_scripts(seed: int) -> Sequence[Script]:
    """The scripts of all implementations; the same seed gives the same."""
    chance = random.Random(seed)
    courses = [course for course, share in SHARES.items() for _ in range(share)]
    assert len(courses) == RUNS
    chance.shuffle(courses)
    return [_script(f"Chaos {number:02} of {seed}", course, chance) for number, course in enumerate(courses, start=1)]


def _script(name: str, course: Course, chance: random.Random) -> Script:
    steps = []
    for gate in Gate:
        if gate is Gate.TEST_FAILURE and course not in TESTS_FAIL:
            continue
        ends_here = LAST_GATE.get(course) is gate
        steps.append(_step(gate, REJECTED if ends_here else DONE, chance))
        if ends_here:
            break
    return Script(name, course, tuple(steps))


def _step(gate: Gate, status: str, chance: random.Random) -> Step:
    manners = [manner for manner in Manner if gate is not Gate.TEST_FAILURE or manner is not Manner.REQUESTER_FIRST]
    manner = chance.choice([Manner.PLAIN, *manners])
    thinking = chance.uniform(*(PATIENT_SECONDS if manner is Manner.PATIENT else THINKING_SECONDS))
    mends = gate is Gate.TEST_FAILURE and status == DONE
    return Step(gate, DECIDERS[gate], status, manner, thinking, mends)
