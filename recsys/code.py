"""Which code made a result: part of the name under which it is kept."""

import hashlib
from functools import lru_cache
from pathlib import Path

PACKAGE = Path(__file__).parent


@lru_cache(maxsize=8)
def code_digest(*parts: str) -> str:
    """Changes when one of these files or folders of recsys does, so that no result outlives the code that made it."""
    code = hashlib.sha256()
    for part in parts:
        path = PACKAGE / part
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            code.update(file.read_bytes())
    return code.hexdigest()[:16]
