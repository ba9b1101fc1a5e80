"""An OpenID provider that others wrote (Authlib), for the server to log people in by.

    provider.py PATH CLIENT_ID SECRET

Prints its issuer and serves on loopback until its standard input ends. Whoever is sent to it is logged in at once, as the
person that `POST /as` named, and comes back as a browser would. The same request may name lies, which make one thing in the
next answers wrong:

    claims      replaces claims of the ID token; null takes one away
    header      replaces fields of its header; "alg": "none" leaves the signature away, "HS256" signs with the client's secret
    key         "strange" signs with a key that is not published, "rotated" with a new one that is
    answer      replaces parameters of the way back (state, iss, code, error); null takes one away
    discovery   replaces fields of what it says about itself
    keys        fields that every published key gets
    kept_code   hands out the code before the last one once more
    unchecked   what the token endpoint does not check: "verifier"
"""

import base64
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlencode, urlsplit

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # on this machine, without TLS

from authlib.common.security import generate_token
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Request, grants
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin
from authlib.oidc.core.grants import OpenIDCode
from authlib.oidc.core.grants.util import create_half_hash
from joserfc import jwk, jws

path, client_id, client_secret = sys.argv[1:]
keys = {name: jwk.RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"}) for name in ("first", "strange")}
published = ["first"]
person, lies, codes, asked = {}, {}, {}, []


class Request(OAuth2Request):
    def __init__(self, handler, parameters):
        super().__init__(handler.command, f"http://{handler.headers['Host']}{handler.path}", headers=handler.headers)
        self.payload = BasicOAuth2Payload(dict(parameters))

    @property
    def form(self):
        return self.payload.data


class Client(ClientMixin):
    def get_client_id(self):
        return client_id

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        return " ".join(s for s in scope.split() if s in ("openid", "email", "profile"))

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri.startswith("http://127.0.0.1:") and urlsplit(redirect_uri).path.endswith("/back")

    def check_client_secret(self, secret):
        return secret == client_secret

    def check_endpoint_auth_method(self, method, endpoint):
        return method == "client_secret_basic"

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == "authorization_code"


class Code(AuthorizationCodeMixin):
    def __init__(self, code, request):
        self.code, self.user, self.data = code, dict(person), dict(request.payload.data)
        self.code_challenge, self.code_challenge_method = self.data["code_challenge"], self.data["code_challenge_method"]

    def get_redirect_uri(self):
        return self.data["redirect_uri"]

    def get_scope(self):
        return self.data["scope"]

    def get_nonce(self):
        return self.data["nonce"]

    def get_auth_time(self):
        return int(time.time())

    def get_acr(self):
        return None

    def get_amr(self):
        return None


class ByCode(grants.AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic"]

    def save_authorization_code(self, code, request):
        codes[code] = Code(code, request)

    def query_authorization_code(self, code, client):
        return codes.get(code)

    def delete_authorization_code(self, code):
        del codes[code.code]

    def authenticate_user(self, code):
        return code.user


class Proven(CodeChallenge):
    def validate_code_verifier(self, grant, result):
        if lies.get("unchecked") != "verifier":
            super().validate_code_verifier(grant, result)


class IdToken(OpenIDCode):
    def exists_nonce(self, nonce, request):
        return False

    def generate_user_info(self, user, scope):
        return user

    def encode_id_token(self, token, request):
        now = int(time.time())
        claims = {"iss": issuer, "aud": client_id, "iat": now, "exp": now + 300, "nonce": request.authorization_code.get_nonce()}
        claims["at_hash"] = create_half_hash(token["access_token"], "RS256").decode()
        claims.update(request.user)
        claims = told(claims, lies.get("claims", {}))
        name = {"strange": "strange", "rotated": "rotated"}.get(lies.get("key"), published[0])
        if name == "rotated" and name not in keys:
            keys[name] = jwk.RSAKey.generate_key(2048, {"kid": name, "use": "sig", "alg": "RS256"})
            published[:] = [name]
        header = told({"alg": "RS256", "kid": "first" if name == "strange" else name}, lies.get("header", {}))
        if header["alg"] == "none":
            return ".".join([part(header), part(claims), ""])
        key = jwk.OctKey.import_key(client_secret) if header["alg"] == "HS256" else keys[name]
        return jws.serialize_compact(header, json.dumps(claims), key, [header["alg"]])


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def told(truth, lie):
    return {name: value for name, value in {**truth, **lie}.items() if value is not None}


class Server(AuthorizationServer):
    def query_client(self, name):
        return Client() if name == client_id else None

    def save_token(self, token, request):
        pass

    def send_signal(self, name, *args, **kwargs):
        pass

    def create_oauth2_request(self, request):
        return request

    def handle_response(self, status, body, headers):
        return status, body, dict(headers)


server = Server()
server.register_grant(ByCode, [Proven(required=True), IdToken(require_nonce=True)])
server.register_token_generator(
    "default", lambda **_: {"token_type": "Bearer", "access_token": generate_token(42), "expires_in": 300, "scope": "openid email"}
)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body, headers=()):
        body = body if isinstance(body, str) else json.dumps(body)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **dict(headers)}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_GET(self):
        url = urlsplit(self.path)
        at = url.path.removeprefix(path)
        if at == "/.well-known/openid-configuration":
            truth = {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/authorize",
                "token_endpoint": f"{issuer}/token",
                "jwks_uri": f"{issuer}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "authorization_response_iss_parameter_supported": True,
            }
            return self.answer(200, told(truth, lies.get("discovery", {})))
        if at == "/keys":
            return self.answer(200, {"keys": [{**keys[name].as_dict(private=False), **lies.get("keys", {})} for name in published]})
        if at != "/authorize":
            return self.answer(404, {})
        asked.append(dict(parse_qsl(url.query)))
        request = Request(self, parse_qsl(url.query))
        grant = server.get_consent_grant(request, person)
        status, body, headers = server.create_authorization_response(request, grant_user=person, grant=grant)
        back = urlsplit(headers["Location"])
        answer = {**dict(parse_qsl(back.query)), "iss": issuer}
        if lies.get("kept_code"):
            answer["code"] = list(codes)[-2]
        answer = told(answer, lies.get("answer", {}))
        self.answer(status, body or "", {"Location": back._replace(query=urlencode(answer)).geturl()})

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        if self.path == "/as":
            said = json.loads(body)
            for known, now in ((person, said.get("person")), (lies, said.get("lies", {}))):
                if now is not None:
                    known.clear()
                    known.update(now)
            return self.answer(200, {"asked": asked})
        if self.path != f"{path}/token":
            return self.answer(404, {})
        self.answer(*server.create_token_response(Request(self, parse_qsl(body))))


def until_left():
    sys.stdin.read()
    os._exit(0)


service = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
issuer = f"http://127.0.0.1:{service.server_address[1]}{path}"
print(issuer, flush=True)
threading.Thread(target=until_left, daemon=True).start()
service.serve_forever()
