"""Child processes that never outlive their supervisor, ports that are free, and one owner per data directory."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

from console.faults import ConsoleFault

T = TypeVar("T")

STOP_SECONDS = 15.0
START_SECONDS = 60.0
LOG_TAIL_LINES = 15

_POLL_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Service:
    """A process to run: its command, its whole environment, and how to see that it works."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: Callable[[], Awaitable[bool]]


@dataclass
class Supervisor:
    """Starts services in order and stops them in reverse; each gets a session and a log file of its own.

    A session of its own keeps the terminal's Ctrl-C away from the children: the supervisor alone decides who ends when.
    Use it from the main thread, since Linux ties "end with your parent" to the thread that made the child.
    """

    logs: Path
    _running: list[tuple[Service, subprocess.Popen[bytes]]] = field(default_factory=list)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by service name."""
        return {service.name: process.pid for service, process in self._running}

    async def start(self, service: Service) -> None:
        """Starts a service and returns when it is ready.

        Raises:
            ConsoleFault: it, or one started before it, ended, or it was not ready in time; with the tail of its log.
        """
        self.launch(service)
        await self.until_ready(service)

    def launch(self, service: Service) -> None:
        """Starts a service that others need not wait for; `until_ready` does."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with self._log(service).open("wb") as log:
            # Nothing may be awaited between these two, or an interruption could lose sight of the child.
            process = _spawn(service, log.fileno())
            self._running.append((service, process))

    async def until_ready(self, service: Service) -> None:
        """Returns when a launched service is ready; raises as `start` does."""
        deadline = time.monotonic() + START_SECONDS
        while not await service.ready():
            self.check()
            if time.monotonic() > deadline:
                raise ConsoleFault(f"{service.name} was not ready after {START_SECONDS:.0f} s{self._tail(service)}")
            await asyncio.sleep(_POLL_SECONDS)

    def check(self) -> None:
        """Raises ConsoleFault, with the tail of its log, if a service has ended."""
        for service, process in self._running:
            if process.poll() is not None:
                raise ConsoleFault(f"{service.name} {_ending(process.returncode)}{self._tail(service)}")

    async def watch_over(self, work: Coroutine[Any, Any, T]) -> T:
        """Awaits `work`; raises ConsoleFault, with the tail of its log, as soon as a service ends."""
        task = asyncio.ensure_future(work)
        try:
            while not task.done():
                self.check()
                await asyncio.wait([task], timeout=_POLL_SECONDS)
            return task.result()
        finally:
            task.cancel()

    async def stop(self) -> None:
        """Ends every service, the last started first: asks, waits, then kills with whatever it started itself."""
        while self._running:
            _, process = self._running[-1]
            await _end(process)
            self._running.pop()

    def _log(self, service: Service) -> Path:
        return self.logs / f"{service.name}.log"

    def _tail(self, service: Service) -> str:
        path = self._log(service)
        lines = path.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        said = "\n".join(f"  | {line}" for line in lines) or "  | (nothing)"
        return f"; the end of {path}:\n{said}"


def run_until_signalled(main: Callable[[], Coroutine[Any, Any, T]]) -> T | None:
    """Runs `main`; the first Ctrl-C, SIGTERM or SIGHUP cancels it, at whatever it is.

    Further signals are ignored, so that nobody's second Ctrl-C can cut short the clean-up of the first.
    Returns None when it was interrupted, else what `main` returned.
    """

    async def guarded() -> T | None:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(main())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # Under nohup a hang-up is meant to be ignored.
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, _once(task.cancel))
        try:
            return await task
        except asyncio.CancelledError:
            return None

    return asyncio.run(guarded())


@contextlib.contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Makes this process the only owner of a data directory.

    Raises:
        ConsoleFault: another process owns it, or it cannot be written.
    """
    lock = directory / "lock"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = lock.open("a")
    except OSError as error:
        raise ConsoleFault(
            f"{directory}: cannot be written ({error.strerror}); give another one with --data-dir"
        ) from error
    with handle:
        if not _locked(handle):
            raise ConsoleFault(
                f"{directory}: a local stack already runs on this data directory; "
                "stop it, or give another one with --data-dir"
            )
        yield


@contextlib.asynccontextmanager
async def one_at_a_time(name: str, *, say: Callable[[str], None]) -> AsyncIterator[None]:
    """Waits until no other process of this user is inside the block of this name, for as long as that takes."""
    path = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}.lock"
    with path.open("a") as handle:
        if not _locked(handle):
            say("another local stack is just starting; waiting for it")
            while not _locked(handle):  # noqa: ASYNC110 - locks set no event
                await asyncio.sleep(_POLL_SECONDS)
        yield


def is_owned(directory: Path) -> bool:
    """Whether some process owns the data directory."""
    try:
        with (directory / "lock").open() as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def free_port(wanted: int, taken: set[int]) -> int:
    """`wanted`, or the next loopback port above it that is neither listened on nor in `taken`, to which it is added."""
    for port in range(wanted, min(wanted + 200, 65536)):
        if port not in taken and _is_free(port):
            taken.add(port)
            return port
    raise ConsoleFault(f"no free port from {wanted} to {wanted + 199}")


def _locked(handle: IO[str]) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        # Without it, a server that ended a moment ago would still make its port look taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def _spawn(service: Service, log: int) -> subprocess.Popen[bytes]:
    supervisor = os.getpid()

    def end_with_supervisor() -> None:
        # SIGTERM, not SIGKILL: a service may have a child of its own to take along.
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)

    return subprocess.Popen(
        list(service.command),
        env=dict(service.environment),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        start_new_session=True,
        preexec_fn=end_with_supervisor,
    )


async def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while process.poll() is None and time.monotonic() < deadline:  # noqa: ASYNC110 - processes set no event
        await asyncio.sleep(0.02)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _ending(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"


def _once(action: Callable[[], object]) -> Callable[[], None]:
    done = False

    def act() -> None:
        nonlocal done
        if not done:
            done = True
            action()

    return act
