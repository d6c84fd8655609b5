"""Make the sample page of the documentation, docs/sample/report.html, and its picture.

    lossdiff check --suite full -o full.sqlite
    lossdiff bench --passes 3 -o bench.sqlite
    python scripts/make_sample.py full.sqlite bench.sqlite

A run is named on the page as it is named here: call it in the folder of the runs.

Chromium takes the picture of the first screen, docs/report.png.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lossdiff.reports.html import write_report

DOCS = Path(__file__).parents[1] / "docs"
SAMPLE, PICTURE = DOCS / "sample" / "report.html", DOCS / "report.png"
_MOST = 10_000_000  # bytes: the page is kept in the repository
_CHROMIUM = (
    "/usr/bin/chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
    "--window-size=1280,1000",
)  # fmt: skip


def main() -> None:
    """Write the page, and take its picture."""
    write_report([Path(name) for name in sys.argv[1:]], SAMPLE)
    size = SAMPLE.stat().st_size
    if size > _MOST:
        sys.exit(f"{SAMPLE} has {size:,} bytes, more than {_MOST:,}: take a smaller run")
    picture = [*_CHROMIUM, f"--screenshot={PICTURE}", SAMPLE.as_uri()]
    subprocess.run(picture, check=True)


if __name__ == "__main__":
    main()
