"""The description of the office's API, in OpenAPI: what a program may ask, and every answer to it.

Each app describes its own addresses in an ``openapi.json`` beside the code that answers them, and
registers the file from its ``urls.py``; here they are made one document. Whoever asks gets it
without a token: it tells nothing that the documents of the office do not, and whoever writes a
program needs it before there is a token.
"""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

PARTS = [Path(__file__).with_name("openapi.json")]


def register(part: Path) -> None:
    """Add the file in which an app describes its addresses."""
    PARTS.append(part)


@cache
def document() -> bytes:
    """Return the whole description, as JSON."""
    whole: dict[str, Any] = {}
    for part in PARTS:
        _merge(whole, json.loads(part.read_bytes()))
    return json.dumps(whole, ensure_ascii=False, indent=2).encode()


def _merge(whole: dict[str, Any], part: dict[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, dict):
            _merge(whole.setdefault(name, {}), value)
        elif isinstance(value, list):
            whole.setdefault(name, []).extend(value)
        else:
            assert name not in whole, f"{name} is described twice"
            whole[name] = value


@csrf_exempt  # a wrong method is told so
@require_safe
@cache_control(public=True, max_age=300)
def described(request: HttpRequest) -> HttpResponseBase:
    """Answer with the description, or that the asker has it."""
    mark = f'"{hashlib.sha256(document()).hexdigest()[:32]}"'
    whole = HttpResponse(document(), content_type="application/json", headers={"ETag": mark})
    response = get_conditional_response(request, etag=mark, response=whole)
    assert response is not None, "there was one to begin with"
    response.headers["Content-Language"] = "en"
    return response
