"""No child process outlives its supervisor, and one that dies is not passed over in silence."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from console import supervision
from console.faults import ConsoleFault
from console.supervision import Service, Supervisor, free_port, is_owned, one_at_a_time, owned
from tests.mlc_process import MLC, Marked

Ready = Callable[[], Awaitable[bool]]

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(99)"
subprocess.Popen([sys.executable, "-c", child])
print("up", flush=True)
time.sleep(99)
"""
SUPERVISED = """
import asyncio, sys
from pathlib import Path
from console.supervision import Service, Supervisor, run_until_signalled
async def ready(): return False
async def main():
    supervisor = Supervisor(logs=Path(sys.argv[1]))
    print("starting", flush=True)
    try:
        await supervisor.start(Service("sleeper", ["sleep", "99"], __import__("os").environ, ready))
    finally:
        await supervisor.stop()
run_until_signalled(main)
"""


async def always() -> bool:
    return True


async def never() -> bool:
    return False


def exists(path: Path) -> Ready:
    async def ready() -> bool:
        return await asyncio.to_thread(path.exists)

    return ready


def service(name: str, code: str, ready: Ready = always) -> Service:
    return Service(name, [sys.executable, "-c", code], dict(os.environ), ready)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_services_get_sessions_of_their_own_and_end_in_reverse_order(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    open({str(journal)!r}, 'a').write(NAME + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"pathlib.Path({str(tmp_path)!r}, NAME).touch()\n"
        "time.sleep(99)"
    )
    supervisor = Supervisor(logs=tmp_path / "logs")
    for name in ("first", "second", "third"):
        await supervisor.start(service(name, f"NAME = {name!r}\n{code}", exists(tmp_path / name)))
    assert all(os.getsid(pid) == pid for pid in supervisor.pids.values())
    await supervisor.stop()
    assert journal.read_text().split() == ["third", "second", "first"]


async def test_a_service_that_ignores_sigterm_is_killed_with_its_own_children(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "STOP_SECONDS", 0.3)
    supervisor = Supervisor(logs=tmp_path)

    async def up() -> bool:
        return "up" in (tmp_path / "stubborn.log").read_text()

    await supervisor.start(service("stubborn", STUBBORN, up))
    group = supervisor.pids["stubborn"]
    await supervisor.stop()
    deadline = time.monotonic() + 5
    while _group_members(group):
        assert time.monotonic() < deadline, f"left behind: {_group_members(group)}"
        await asyncio.sleep(0.05)


async def test_a_service_that_dies_while_starting_is_named_with_the_end_of_its_log(tmp_path: Path) -> None:
    supervisor = Supervisor(logs=tmp_path)
    with pytest.raises(ConsoleFault, match=r"(?s)sick ended with exit code 3.*sick\.log.*the reason why"):
        await supervisor.start(service("sick", "print('the reason why'); raise SystemExit(3)", never))
    await supervisor.stop()


async def test_a_service_that_dies_later_interrupts_what_goes_on(tmp_path: Path) -> None:
    supervisor = Supervisor(logs=tmp_path)
    await supervisor.start(service("brief", "import time; time.sleep(0.3)"))

    async def work() -> None:
        await asyncio.sleep(30)

    with pytest.raises(ConsoleFault, match="brief ended with exit code 0"):
        await supervisor.watch_over(work())
    await supervisor.stop()


async def test_a_service_that_never_gets_ready_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervision, "START_SECONDS", 0.3)
    supervisor = Supervisor(logs=tmp_path)
    with pytest.raises(ConsoleFault, match="idle was not ready"):
        await supervisor.start(service("idle", "import time; time.sleep(99)", never))
    pid = supervisor.pids["idle"]
    await supervisor.stop()
    assert not alive(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_signal_to_the_supervisor_leaves_a_child(tmp_path: Path, number: signal.Signals) -> None:
    if number is signal.SIGKILL and sys.platform != "linux":
        pytest.skip("only Linux tells a child that its parent was killed")
    family = Marked(sys.executable, "-c", SUPERVISED, str(tmp_path), log=tmp_path / "out.log")
    family.wait_for("starting")
    while len(family.family()) < 2:
        time.sleep(0.02)
    os.kill(family.process.pid, number)
    family.process.wait(20)
    assert family.all_gone(), f"left behind: {family.family()}"


@pytest.mark.parametrize("service_name", ["temporal", "modelop"])
def test_ctrl_c_while_the_stack_starts_leaves_no_process(tmp_path: Path, service_name: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "stack.json").write_text('{"of": "a stack that was killed"}')
    stack = Marked(*MLC, "up", "--data-dir", str(tmp_path / "data"), log=tmp_path / "up.log")
    try:
        stack.wait_for(f"starting {service_name}")
        assert not (tmp_path / "data" / "stack.json").exists()
        os.kill(stack.process.pid, signal.SIGINT)
        assert stack.process.wait(60) == 0
        assert stack.all_gone(), f"left behind: {stack.family()}"
    finally:
        stack.process.kill()
    assert not (tmp_path / "data" / "stack.json").exists()


def test_a_taken_port_is_moved_to_the_next_free_one() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        taken: set[int] = set()
        first, second = free_port(port, taken), free_port(port, taken)
    assert port < first < second
    assert taken == {first, second}


async def test_two_stacks_that_start_together_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    inside, said = 0, list[str]()

    async def enter() -> None:
        nonlocal inside
        async with one_at_a_time("start", say=said.append):
            inside += 1
            assert inside == 1
            await asyncio.sleep(0.1)
            inside -= 1

    await asyncio.gather(enter(), enter(), enter())
    assert said == ["another local stack is just starting; waiting for it"] * 2


def test_a_data_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    assert not is_owned(directory)
    with owned(directory):
        assert is_owned(directory)
        with pytest.raises(ConsoleFault, match="already runs"), owned(directory):
            pass
    assert not is_owned(directory)
    with owned(directory):
        pass


def test_a_data_directory_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConsoleFault, match="--data-dir"), owned(tmp_path / "file" / "data"):
        pass


def _group_members(group: int) -> list[str]:
    members = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            members.append(stat.parent.name)
    return members
