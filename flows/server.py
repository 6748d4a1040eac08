"""Whether the servers of the environment are there, asked before their libraries are imported, which takes seconds."""

import os
import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError

from recsys.addresses import masked, without_login
from recsys.errors import InputError
from recsys.tracking import URI, shown_at

URL = "PREFECT_API_URL"
START = f"make stack starts one, or prefect server start; then export {URL}=http://127.0.0.1:4200/api"
PATIENCE = 10
"""Seconds in which it has to answer."""
WRONG = (OSError, ValueError, HTTPException)
"""Nobody is there; what is set is no address; what answers does not speak HTTP."""


def check_mlflow() -> None:
    """Knock at the server of MLFLOW_TRACKING_URI, where there is one.

    Raises:
        InputError: nobody answers there.
    """
    url = shown_at(os.environ.get(URI, ""))
    if url is None:
        return
    try:
        urllib.request.urlopen(f"{url}/health", timeout=PATIENCE).close()
    except HTTPError:
        return  # that is an answer
    except WRONG as error:
        raise InputError(
            f"MLflow at {url} does not answer ({error}): start its server; without {URI}, runs are kept in the store"
        ) from error


def check_server() -> None:
    """Ask the server of PREFECT_API_URL for its health.

    Raises:
        InputError: the variable is not set, or nobody answers there.
    """
    url = os.environ.get(URL)
    if not url:
        raise InputError(f"deployments live on a Prefect server, and {URL} names none; {START}")
    try:
        with urllib.request.urlopen(f"{without_login(url)}/health", timeout=PATIENCE) as answer:
            healthy = answer.read() == b"true"
    except WRONG as error:
        raise InputError(f"no Prefect server answers at {masked(url)} ({error}); {START}") from error
    if not healthy:
        raise InputError(f"what answers at {masked(url)} is no Prefect server; {START}")
