"""Tests of the process, of all that it touches, and of the two sandboxes."""

import os

# The width of the terminal that the tests are started from would be kept for good by the first import of the console.
os.environ.pop("COLUMNS", None)
