"""Whether a Prefect server is there, asked before Prefect is imported, which takes seconds."""

import os
import urllib.request

from recsys.errors import InputError

URL = "PREFECT_API_URL"
START = f"start one with prefect server start, then export {URL}=http://127.0.0.1:4200/api"
PATIENCE = 10
"""Seconds in which it has to answer."""


def check_server() -> None:
    """Ask the server of PREFECT_API_URL for its health.

    Raises:
        InputError: the variable is not set, or nobody answers there.
    """
    url = os.environ.get(URL)
    if not url:
        raise InputError(f"deployments live on a Prefect server, and {URL} names none; {START}")
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=PATIENCE) as answer:
            healthy = answer.read() == b"true"
    except (OSError, ValueError) as error:  # nobody is there; what is set is no address
        raise InputError(f"no Prefect server answers at {url} ({error}); {START}") from error
    if not healthy:
        raise InputError(f"what answers at {url} is no Prefect server; {START}")
