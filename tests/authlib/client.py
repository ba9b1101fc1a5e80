"""Authlib as an independent OAuth 2.0 client of the server: both authorizations, refresh, introspection and revocation.

    client.py URL CLIENT_ID SECRET REDIRECT COOKIE

The member's browser is played by a plain session with the login's cookie. Prints one JSON object; fails on anything that
Authlib does not take for a good answer.
"""

import json
import os
import sys
from urllib.parse import parse_qsl, quote, urlparse

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # the test's server is on this machine, without TLS

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

url, client_id, secret, redirect, cookie = sys.argv[1:]
metadata = requests.get(f"{url}/.well-known/oauth-authorization-server", timeout=60).json()
assert metadata["issuer"] == url, metadata


def session(**more):
    auth = {"token_endpoint_auth_method": "client_secret_basic" if secret else "none"}
    return OAuth2Session(client_id, secret or None, code_challenge_method="S256", **{**auth, **more})


def consent(authorization_url):
    """What the browser does: shows the page, sends its form, and comes to the redirect URI."""
    browser = requests.Session()
    browser.headers["Cookie"] = cookie
    page = browser.get(authorization_url, timeout=60)
    assert page.status_code == 200, page.text
    form = dict(parse_qsl(urlparse(authorization_url).query))
    answer = browser.post(metadata["authorization_endpoint"], data={**form, "decision": "allow"}, allow_redirects=False, timeout=60)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def api(client):
    return client.get(f"{url}/v1/me", timeout=60)


seen = {}
if secret:
    for method in ["client_secret_basic", "client_secret_post"]:
        client = session(token_endpoint_auth_method=method, scope="me:read")
        client.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
        seen[method] = api(client).json()["role"]

verifier = generate_token(48)
client = session(scope="me:read documents:read", redirect_uri=redirect)
ask, state = client.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier)
back = consent(ask)
assert f"iss={quote(url, safe='')}" in back, back
token = client.fetch_token(
    metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
)
seen["member"] = api(client).json()["role"]

first = token["refresh_token"]
token = client.refresh_token(metadata["token_endpoint"], refresh_token=first)
assert token["refresh_token"] != first
seen["refreshed"] = api(client).json()["role"]
if secret:
    about = client.introspect_token(metadata["introspection_endpoint"], token=token["access_token"])
    seen["active"] = about.json()["active"]

client.revoke_token(metadata["revocation_endpoint"], token=token["refresh_token"]).raise_for_status()
seen["revoked"] = requests.get(
    f"{url}/v1/me", headers={"Authorization": f"Bearer {token['access_token']}"}, timeout=60
).status_code
try:
    client.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"])
    seen["again"] = "issued"
except OAuthError as error:
    seen["again"] = error.error
print(json.dumps(seen))
