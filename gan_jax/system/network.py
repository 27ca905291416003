"""Whether a server can be reached, found out in seconds."""

import threading
import urllib.error
import urllib.request

_PROBE_SECONDS = 4.0


def answers(url: str) -> bool:
    """Whether the server of a URL answers within 4 seconds."""
    answered = []

    def probe():
        try:
            urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=_PROBE_SECONDS).close()
        except urllib.error.HTTPError:
            pass  # The server answered; it may not support HEAD.
        except (OSError, ValueError):
            return
        answered.append(True)

    # Name resolution has no time-out, so a thread with a limited wait replaces it.
    thread = threading.Thread(target=probe, daemon=True)
    thread.start()
    thread.join(_PROBE_SECONDS)
    return bool(answered)
