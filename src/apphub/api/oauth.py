"""The token endpoint of the OAuth 2 provider (RFC 6749, section 3.2). The other endpoint shows a page."""

from __future__ import annotations

from authlib.oauth2.rfc6749.errors import OAuth2Error
from litestar import Response, post

from apphub.api.schema.bodies import TradeCode
from apphub.api.schema.shapes import BearerToken, OAuthError
from apphub.errors import Invalid
from apphub.web.errors import BodyRefused
from apphub.web.json import answer
from apphub.web.needs import public
from apphub.web.request import HubRequest
from apphub.web.says import FORM, says


@post(
    "/hub/api/oauth2/token",
    guards=[public("a client proves itself with its secret and a code")],
    opt=says({200: BearerToken, 400: OAuthError, 401: OAuthError}, takes=TradeCode, media=FORM),
)
async def exchange(request: HubRequest) -> Response[bytes]:
    """Trade a code for an access token."""
    try:
        form = {name: values[-1] for name, values in (await request.form_fields()).items()}
        return answer(await request.hub.oauth.exchange(form, request.origin, request.by))
    except OAuth2Error as error:
        return answer({"error": error.error}, error.status_code)
    except BodyRefused:
        raise
    except Invalid as error:  # clients of OAuth understand its own errors only
        return answer({"error": "invalid_request", "error_description": str(error)}, 400)


ROUTES = [exchange]
