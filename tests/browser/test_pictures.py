"""Every page as a picture, in light and dark, at desktop and phone width, for a person to look at.

`PICTURES=DIR python -m pytest tests/browser/test_pictures.py`; without PICTURES it is skipped. The
check of accessibility sees none of what makes a page ugly.
"""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from .conftest import DESKTOP
from .looking import PHONE
from .pages import PAGES, furnish

FOLDER = os.environ.get("PICTURES", "")


@pytest.mark.skipif(not FOLDER, reason="PICTURES names no folder.")
@pytest.mark.timeout(600)
@pytest.mark.parametrize("width", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pictures_of_every_page(visit, household, scheme, width):
    folder = Path(FOLDER)
    folder.mkdir(parents=True, exist_ok=True)
    urls = furnish(household)
    page = visit("administrator", viewport=width, color_scheme=scheme)
    page.allowed.add(404)
    size = "phone" if width is PHONE else "desktop"
    for name in PAGES:
        page.goto(urls[name])
        if name == "map":
            expect(page.locator("#map-state")).to_have_text(re.compile(r"\d"), timeout=60_000)
        page.screenshot(path=folder / f"{name}-{scheme}-{size}.png", full_page=True)
