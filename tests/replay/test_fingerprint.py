"""An edit to the order of commands is noticed even where no recorded history reaches it."""

from __future__ import annotations

import difflib

import pytest

from tests.replay import fingerprint

Edit = tuple[str, str]
ADVICE = """
The order of what the workflows record has changed. Runs that wait must still find their own course:
  1. put the edit behind `if workflow.patched("what-it-does"):` and leave the old way in the other branch
     (docs/changing-the-process.md says when that is not needed);
  2. `make histories` replays every older history, then records the new shapes as a further generation and
     writes this fingerprint anew. It refuses while an older history does not replay.
No run was ever started by the code of this generation, nor will be: `make histories REPLACE=--replace`.
"""

PROCESS = '''
class Process:
    """What it is."""

    @workflow.run
    async def run(self, request: Request) -> Result:
        """What it does."""
        settings = await workflow.execute_activity_method(Settings.read, request, summary="Read")
        if request.wanted and settings.patient:
            await self._pause(settings.pause)
        try:
            answer = await self._perform(Jira.open_ticket, summary="Open")
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.error("failed")
            raise Refused(str(error)) from error
        return answer

    async def _perform(self, activity, *, summary):
        self.tries += 1
        return await workflow.execute_activity_method(activity, summary=summary)

    async def _pause(self, pause):
        await workflow.wait_condition(lambda: self.hinted)

    def _text(self):
        return "no command"
'''


def sequences(*edits: Edit) -> dict[str, list[str]]:
    source = PROCESS
    for old, new in edits:
        assert old in source
        source = source.replace(old, new)
    return fingerprint.of_sources({"process": source})


def test_the_order_of_commands_is_the_recorded_one() -> None:
    committed, today = fingerprint.committed().methods, fingerprint.of_today()
    changes: list[str] = []
    for method in sorted({*committed, *today}):
        before, now = committed.get(method, []), today.get(method, [])
        changes += difflib.unified_diff(before, now, f"{method} (recorded)", f"{method} (now)", lineterm="", n=2)
    assert not changes, "\n".join([ADVICE, *changes])


def test_a_sequence_reads_like_the_code() -> None:
    assert sequences() == {
        "process.Process.run": [
            "@workflow.run",
            "execute_activity_method(Settings.read)",
            "if _1.wanted and _2.patient",
            "  _pause()",
            "try",
            "  _perform(Jira.open_ticket)",
            "except ActivityError",
            "  if is_cancelled_exception(_3)",
            "    raise",
            "  raise Refused",
            "return",
        ],
        "process.Process._perform": ["execute_activity_method(_1)", "return"],
        "process.Process._pause": ["wait_condition(lambda: self.hinted)"],
    }


HARMLESS: dict[str, list[Edit]] = {
    "a docstring": [('"""What it does."""', '"""Says more."""')],
    "a comment": [("        self.tries += 1", "        # Counted for the log.\n        self.tries += 1")],
    "a local variable": [("settings", "chosen")],
    "a caught error": [("error:", "fault:"), ("(error)", "(fault)"), ("from error", "from fault")],
    "an argument": [("activity, *", "effect, *"), ("method(activity", "method(effect")],
    "a summary": [('summary="Open"', 'summary="Open the ticket"')],
    "a message": [('"failed"', '"was refused"')],
    "an annotation": [(" -> Result", " -> dict[str, Any]")],
    "layout": [("        return answer", "\n\n        return (answer)")],
    "state that is only kept": [("self.tries += 1", "self.tries += 2")],
    "a branch without commands": [
        ("        return answer", "        if answer:\n            log()\n        return answer")
    ],
    "a method without commands": [('return "no command"', 'return "still none"')],
}


@pytest.mark.parametrize("edits", HARMLESS.values(), ids=HARMLESS.keys())
def test_an_edit_that_leaves_the_order_alone_is_not_noticed(edits: list[Edit]) -> None:
    assert sequences(*edits) == sequences()


STEERING: dict[str, Edit] = {
    "another activity": ("Jira.open_ticket", "Jira.find_ticket"),
    "an activity more": ("        return answer", "        await self._perform(Jira.comment)\n        return answer"),
    "an activity less": ('        answer = await self._perform(Jira.open_ticket, summary="Open")', "        pass"),
    "another condition": ("request.wanted and", "request.wanted or"),
    "another thing waited for": ("lambda: self.hinted", "lambda: self.told"),
    "a timer beside a wait": ("lambda: self.hinted", "lambda: self.hinted, timeout=pause"),
    "a wait that became a timer": ("workflow.wait_condition(lambda: self.hinted)", "workflow.sleep(pause)"),
    "another error caught": ("except ActivityError", "except Exception"),
    "an error that is swallowed": ("            raise Refused(str(error)) from error\n", ""),
    "an early end": ("        return answer", "        if not answer:\n            return None\n        return answer"),
    "a search attribute": ("        self.tries += 1", "        workflow.upsert_search_attributes([])"),
    "a task of its own": ("await self._pause(settings.pause)", "asyncio.create_task(self._pause(settings.pause))"),
    "a command in a method that had none": ('return "no command"', 'workflow.patched("x")'),
}


@pytest.mark.parametrize("edit", STEERING.values(), ids=STEERING.keys())
def test_an_edit_of_the_order_is_noticed(edit: Edit) -> None:
    assert sequences(edit) != sequences()


def test_a_patch_is_part_of_the_order() -> None:
    old = "        try:\n"
    patched = sequences((old, f'        if workflow.patched("greet"):\n            await self._pause(1)\n{old}'))
    assert "if workflow.patched('greet')" in patched["process.Process.run"]
