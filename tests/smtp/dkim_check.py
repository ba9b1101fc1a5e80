"""Checks a mail's DKIM signature as a receiver does, by dkimpy: prints `good`, `bad` or `none`.

    dkim_check.py RECORD-NAME RECORD < MAIL      (the DNS holds this one record)
"""

import sys

import dkim

name, record = sys.argv[1:]
mail = sys.stdin.buffer.read()


def txt(asked, timeout=5):
    return record.encode() if asked.decode().rstrip(".") == name else None


signed = b"DKIM-Signature:" in mail.split(b"\r\n\r\n")[0]
good = signed and dkim.verify(mail, dnsfunc=txt)
print("good" if good else "bad" if signed else "none")
