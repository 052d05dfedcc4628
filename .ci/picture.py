"""Make the picture of a report that the README shows, without the network.

python .ci/picture.py runs/quickstart/local/report.html docs/report.png
"""

from __future__ import annotations

import base64
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from support.browser import Browser  # noqa: E402 - the path is set above

WIDTH, HEIGHT = 980, 800
MOST_BYTES = 150_000


def main(page: str, picture: str) -> int:
    """Write the first screen of the page as a PNG; return 1 if it is too large for a README."""
    with Browser("about:blank") as browser:
        size = {"width": WIDTH, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": False}
        browser.send("Emulation.setDeviceMetricsOverride", **size)
        light = {"name": "prefers-color-scheme", "value": "light"}
        browser.send("Emulation.setEmulatedMedia", features=[light])
        browser.send("Emulation.setScrollbarsHidden", hidden=True)
        browser.send("Page.navigate", url=Path(page).resolve().as_uri())
        browser.wait_for("document.readyState === 'complete' && !!document.querySelector('main')")
        shot = base64.b64decode(browser.send("Page.captureScreenshot", format="png")["data"])
    Path(picture).write_bytes(shot)
    print(f"{picture}: {len(shot):,} bytes")
    return int(len(shot) > MOST_BYTES)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
