"""Addresses of servers: how they may be shown, and which of them no proxy is asked for."""

import os
import re
from typing import Final

PASSWORD: Final = re.compile(r"^((?:[\w+.-]+://)?[^/:@]*:)(?!//).*@")
"""All up to the password of a user, and what ends it."""
SECRET: Final = re.compile(r"([?&][^=&]*(?:password|secret|token)[^=&]*=)[^&]*", re.IGNORECASE)
"""A parameter that is one."""
LOGIN: Final = re.compile(r"(?<=://)[^/?#]*@")
HERE: Final = ("127.0.0.1", "localhost")


def masked(url: str) -> str:
    """A URL as a message may show it: without passwords, wherever they stand.

    >>> masked("postgresql://me:sesame@db/shop?sslpassword=sesame&sslmode=require")
    'postgresql://me:***@db/shop?sslpassword=***&sslmode=require'
    >>> masked("http://127.0.0.1:4200/api")
    'http://127.0.0.1:4200/api'
    """
    return SECRET.sub(r"\1***", PASSWORD.sub(r"\1***@", url))


def without_login(url: str) -> str:
    """A URL as a browser may be given it: without user and password.

    >>> without_login("http://me:sesame@host:4200/api")
    'http://host:4200/api'
    """
    return LOGIN.sub("", url)


def bypass_proxies(*hosts: str) -> None:
    """Where the environment names a proxy, have it not asked for this machine; what NO_PROXY says already stays.

    Args:
        hosts: others that are not behind it.
    """
    if not any(os.environ.get(name) for kind in ("http_proxy", "all_proxy") for name in (kind, kind.upper())):
        return
    # Some programs read the one, some the other.
    names = ("NO_PROXY", "no_proxy")
    said = [host.strip() for name in names for host in os.environ.get(name, "").split(",")]
    if "*" not in said:  # which counts alone only
        os.environ |= dict.fromkeys(names, ",".join(dict.fromkeys(filter(None, (*said, *HERE, *hosts)))))
