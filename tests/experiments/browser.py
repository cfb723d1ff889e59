"""A page opened in a real browser, and what went wrong with it."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

BROWSER = next(
    (
        path
        for name in ("chromium", "chromium-browser", "google-chrome")
        if (path := shutil.which(name))
    ),
    None,
)
PROBE = """<script>
var seen = [];
addEventListener('error', e => {
  seen.push(e.message ? 'script: ' + e.message : 'load: ' + e.target.tagName);
}, true);
addEventListener('securitypolicyviolation', e => seen.push('request: ' + e.blockedURI));
addEventListener('load', () => setTimeout(() => {
  var pictures = [...document.images];
  var text = JSON.stringify({
    seen: seen, pictures: pictures.length,
    broken: pictures.filter(p => !p.complete || p.naturalWidth === 0).length,
    wide: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    requests: performance.getEntriesByType('resource').map(r => r.name)
      .filter(n => !n.startsWith('data:'))
  });
  var pre = document.createElement('pre'); pre.id = 'probe'; pre.textContent = text;
  document.body.append(pre);
}, 200));
</script>"""


def look(text: str, folder: Path, width: int) -> dict:
    """Open the page in a browser without a network and say what went wrong in it."""
    # The page's own policy forbids scripts; the probe is the one exception.
    probed = text.replace("default-src 'none';", "default-src 'none'; script-src 'unsafe-inline';")
    assert probed != text
    page = folder / "page.html"
    page.write_text(probed.replace("<link rel", PROBE + "<link rel", 1), encoding="utf-8")
    assert BROWSER is not None
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking"
    flags += " --disable-component-update --disable-sync --disable-dev-shm-usage"
    done = subprocess.run(
        [
            BROWSER,
            *flags.split(),
            f"--user-data-dir={folder / 'profile'}",
            f"--window-size={width},900",
            "--host-resolver-rules=MAP * ~NOTFOUND",
            "--virtual-time-budget=4000",
            "--dump-dom",
            page.as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=False,
    )
    found = re.search(r'<pre id="probe">(.*?)</pre>', done.stdout.decode("utf-8"), re.DOTALL)
    assert found, done.stderr.decode("utf-8", "replace")[-2000:]
    return json.loads(html.unescape(found[1]))


needs_browser = pytest.mark.skipif(
    BROWSER is None, reason="no chromium on the PATH (Debian: apt-get install chromium)"
)
