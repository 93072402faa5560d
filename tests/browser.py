"""A real browser for tests of pages."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright

_EXECUTABLES = ("chromium", "chromium-browser", "google-chrome")
# Without the last four, Chromium calls home at every start.
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless Chromium; skips the test, saying what to install, where there is none."""
    executable = next((path for name in _EXECUTABLES if (path := shutil.which(name))), None)
    if executable is None:
        pytest.skip("no Chromium found: install the system package 'chromium' to run the browser tests")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=_ARGUMENTS)
        yield browser
        await browser.close()
