"""What the tests of the pages ask of each of them."""

from axe_playwright_python.sync_playwright import Axe

PHONE = {"width": 390, "height": 844}
_RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "resultTypes": ["violations"]}


def accessibility_faults(page):
    """What axe-core finds wrong, each with the places and the reason."""
    violations = Axe().run(page, options=_RULES).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:300]} ({node['failureSummary']})"
        for violation in violations
        for node in violation["nodes"]
    ]


def overflow_pixels(page):
    """By how much the page is wider than the window."""
    return page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
