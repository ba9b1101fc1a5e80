"""A mail server for tests, on loopback: prints its port, then every mail that it took as one line of JSON.

What it does with a mail follows from the recipient: `refuse…@` never, `busy…@` at the second try, `twice…@` reads it
and puts it off the first time, `hold…@` takes it and does not say so, `slow…@` after half a second, everybody else at once.

    server.py PORT none|starttls|tls CERTIFICATE KEY USER PASSWORD      (PORT 0 = any; - = nothing)
"""

import asyncio
import base64
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

port, mode, certificate, key, user, password = sys.argv[1:]
tried = set()


class Handler:
    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refuse"):
            return f"550 5.1.1 <{address}> is nobody here"
        if address.startswith("busy") and address not in tried:
            tried.add(address)
            return "451 4.3.0 not now"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        files = [{
            "name": part.get_filename(),
            "type": part["content-type"],
            "base64": base64.b64encode(part.get_payload(decode=True)).decode(),
        } for part in mail.iter_attachments()]
        print(json.dumps({
            "sender": envelope.mail_from,
            "recipients": envelope.rcpt_tos,
            "tls": session.ssl is not None or mode == "tls",
            "user": session.auth_data and session.auth_data.decode(),
            "ascii": envelope.content.isascii(),
            "raw": base64.b64encode(envelope.content).decode(),
            "headers": {name.lower(): str(value) for name, value in mail.items()},
            "body": mail.get_body(("plain",)).get_content(),
            "files": files,
        }), flush=True)
        to = envelope.rcpt_tos[0]
        if to.startswith("twice") and (to, mail["message-id"]) not in tried:
            tried.add((to, mail["message-id"]))
            return "451 4.3.0 not now"
        if to.startswith("slow"):
            await asyncio.sleep(0.5)
        if to.startswith("hold"):
            await asyncio.sleep(3600)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    known = (data.login.decode(), data.password.decode()) == (user, password)
    return AuthResult(success=known, handled=known or False, auth_data=data.login)


async def main():
    tls = None
    if mode != "none":
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(certificate, key)
    options = {"hostname": "smtp.test", "enable_SMTPUTF8": False}
    if mode == "starttls":
        options |= {"tls_context": tls, "require_starttls": True}
    if user != "-":
        options |= {"authenticator": authenticate, "auth_required": True, "auth_require_tls": mode == "starttls"}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Handler(), **options), "127.0.0.1", int(port), ssl=tls if mode == "tls" else None
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


asyncio.run(main())
