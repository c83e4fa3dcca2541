"""What every answer of the admin gets: a policy that keeps other hosts out, and the viewer's time
zone. Named in the settings."""

from collections.abc import Callable
from functools import lru_cache
from zoneinfo import ZoneInfo

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

GetResponse = Callable[[HttpRequest], HttpResponse]

# Nothing is loaded from elsewhere and nothing is sent there, whatever a memory holds. The theme's
# Alpine.js evaluates attributes, which is why 'unsafe-eval' stands here.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
ZONE_COOKIE = "timezone"


def content_security_policy(get_response: GetResponse) -> GetResponse:
    def respond(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY)
        return response

    return respond


def viewers_time_zone(get_response: GetResponse) -> GetResponse:
    """Times in the zone that the browser says it is in (`admin.js` sets the cookie)."""

    def respond(request: HttpRequest) -> HttpResponse:
        with timezone.override(_zone(request.COOKIES.get(ZONE_COOKIE, ""))):
            return get_response(request)

    return respond


@lru_cache(1_000)
def _zone(name: str) -> ZoneInfo | None:
    """None, which is the zone of the settings, for a name that is none."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None
