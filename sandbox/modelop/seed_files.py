"""Makes the files of the seeded models: `python -m sandbox.modelop.seed_files DIRECTORY`."""

from __future__ import annotations

import sys
from pathlib import Path

from sandbox.modelop.german_credit import write_data
from sandbox.modelop.review_template import review_template
from sandbox.modelop.seed import CUSTOMER_TEMPLATE_FILE


def main() -> None:
    """Writes data and templates into the directory named on the command line."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    write_data(directory)
    (directory / CUSTOMER_TEMPLATE_FILE).write_bytes(review_template())


if __name__ == "__main__":
    main()
