"""What the console says when it cannot do what it was asked for."""

from __future__ import annotations


class ConsoleFault(Exception):
    """One clear line for standard error, and the exit code: 1 the thing asked about is bad, 2 wrong use."""

    def __init__(self, message: str, *, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code
