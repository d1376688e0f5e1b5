"""Opens pages of `flowsift detect --format html` in a browser; run by scripts/try-page.

Arguments: the browser, the folder with the pages, where pictures go as well, and axe-core's script.
"""

import pathlib
import sys

from checking import check, end
from playwright.sync_api import sync_playwright

browser_path, folder, axe = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3]
pages = ("whole", "hostile", "many", "empty", "demo")


def address(name):
    return (folder / f"{name}.html").resolve().as_uri()


def opened(browser, name, **options):
    """Opens a page in a context of its own; returns it with its requests and what its console complained of."""
    page = browser.new_context(**options).new_page()
    requests, complaints = [], []
    page.on("request", lambda request: requests.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(address(name))
    return page, requests, complaints


def violations(page):
    """Returns what axe-core finds, by rule, with the first place."""
    page.add_script_tag(path=axe)
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")["violations"]
    return [f"{one['id']}: {len(one['nodes'])} of {one['nodes'][0]['html'][:120]}" for one in found]


def wide(page):
    """Returns whether the page as a whole scrolls sideways."""
    return page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth")


with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
    for name in pages:
        page, requests, complaints = opened(browser, name)
        check(f"{name}: no request but the page", requests, [address(name)])
        check(f"{name}: nothing is refused or fails", complaints, [])
        check(f"{name}: no word of others ran", page.evaluate("() => window.PWNED === undefined"))
        page.context.close()

    for scheme in ("light", "dark"):
        for name in pages:
            # The policy forbids axe-core as well, so it is looked at in a context that does not keep it.
            page, _, _ = opened(browser, name, color_scheme=scheme, bypass_csp=True)
            page.evaluate("() => document.querySelectorAll('article details').forEach(one => { one.open = true; })")
            check(f"{name}, {scheme}: accessible", violations(page), [])
            page.context.close()
        for width in (1000, 1600):
            for name in ("whole", "demo", "hostile"):
                page, _, _ = opened(browser, name, color_scheme=scheme, viewport={"width": width, "height": 1000})
                check(f"{name}, {scheme}, {width} px: does not scroll sideways", wide(page), False)
                page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
                page.context.close()

    # What survives even where the escaping would not: markup that a page was made to hold.
    page, _, complaints = opened(browser, "whole")
    page.evaluate(
        "() => { const at = document.createElement('div'); document.body.appendChild(at);"
        " at.innerHTML = '<img src=x onerror=window.PWNED=1><a id=bad href=\"javascript:window.PWNED=1\">x</a>'; }"
    )
    page.evaluate("() => document.getElementById('bad').click()")
    page.wait_for_timeout(200)
    check("the policy stops what slips through", page.evaluate("() => window.PWNED === undefined"))
    check("and says so", len(complaints) > 0)
    page.context.close()

    page, _, _ = opened(browser, "many")
    rows = "() => document.querySelectorAll('#findings tbody tr').length"
    timed = """([id, value, event]) => {
        const begun = performance.now();
        const field = document.getElementById(id);
        field.value = value;
        field.dispatchEvent(new Event(event));
        document.body.offsetHeight;
        return performance.now() - begun;
    }"""
    shown = lambda: page.inner_text("#shown")
    check("many: the first rows", (page.evaluate(rows), shown()), (200, "200 of 10,000 findings"))
    for what, arguments in {
        "by a word": ["words", "bulk_egress 185.251", "input"],
        "by nothing": ["words", "", "input"],
        "by severity": ["least", "high", "change"],
        "by incident": ["of", "none", "change"],
    }.items():
        took_ms = page.evaluate(timed, arguments)
        print(f"      filtered {what} in {took_ms:.0f} ms: {shown()}")
        check(f"many: filtered {what} within a second", took_ms < 1000)
    heads = page.locator("#findings thead button")
    for at in range(heads.count()):
        took_ms = page.evaluate(
            "at => { const begun = performance.now(); document.querySelectorAll('#findings thead button')[at].click();"
            " document.body.offsetHeight; return performance.now() - begun; }",
            at,
        )
        check(f"many: sorted by {heads.nth(at).inner_text()} within a second", took_ms < 1000)
    page.click("#more")
    check("many: more rows on request", page.evaluate(rows), 400)
    page.context.close()

    page, _, _ = opened(browser, "whole")
    page.keyboard.press("Tab")
    check("the first key goes to the incidents", page.evaluate("() => document.activeElement.getAttribute('href')"), "#incidents")
    page.fill("#words", "10.0.57.128")
    check("whole: a finding by its host", page.evaluate(rows), 1)
    page.click("article summary >> nth=0")
    page.context.close()

    page, _, _ = opened(browser, "whole", java_script_enabled=False)
    check("without script: rows", page.locator("#findings tbody tr").count(), 5)
    check("without script: figures", page.locator("svg").count() >= 8)
    check("without script: no control that does nothing", page.locator("#filter").is_visible(), False)
    page.context.close()

    page, _, _ = opened(browser, "whole")
    paper = page.pdf(path=folder / "whole.pdf", format="A4", landscape=True, print_background=True)
    check("on paper", (paper[:5], len(paper) > 20_000), (b"%PDF-", True))
    page.emulate_media(media="print")
    page.evaluate("() => window.dispatchEvent(new Event('beforeprint'))")
    stories = "details:not([open]):not(.story)"
    check("on paper all but the stories of low incidents is open", page.locator(stories).count(), 0)
    page.evaluate("() => window.dispatchEvent(new Event('afterprint'))")
    check("and closed again", page.locator("details:not([open])").count() > 3)
    browser.close()
end()
