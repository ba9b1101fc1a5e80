#!/usr/bin/env python3
"""Verifies Keiin bundles without Keiin. Written from docs/LOG-FORMAT.md; section numbers refer to it.

    keiin_verify.py [--key VKEY]... [--checkpoint FILE]... BUNDLE...

One JSON line per bundle. Every signature is checked (as with `keiin verify --deep`). Exit 0: all verified, 1: one was
refuted, 2: one was unusable. Needs Python 3.9 and the package `cryptography`.
"""
import argparse, base64, hashlib, hmac, json, re, struct, sys, uuid
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
Y8 = int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little")
SMALL_ORDER = {0, 1, P - 1, Y8, P - Y8}
MAX_NUMBER = 2**53


class Refuted(Exception):
    def __init__(self, reason, position=None):
        super().__init__(reason)
        self.position = position


class Unusable(Exception):
    pass


def must(holds, reason, position=None):
    if not holds:
        raise Refuted(reason, position)


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def node(left, right):
    return sha(b"\1", left, right)


# ---- Signatures (section 3)

def small_order(point):
    return (int.from_bytes(point, "little") & (2**255 - 1)) % P in SMALL_ORDER


def usable(key):
    y = (int.from_bytes(key, "little") & (2**255 - 1)) % P
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    return pow(x2, (P - 1) // 2, P) in (0, 1) and not small_order(key)


def signed(key, message, signature):
    if len(signature) != 64 or small_order(key) or small_order(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, message)
        return True
    except (InvalidSignature, ValueError):
        return False


# ---- Notes, origins, checkpoints (section 2)

def b64(text):
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64")
    return data


def parse_note(data):
    text = data.decode()
    split = text.rindex("\n\n")
    body, lines = text[: split + 1], text[split + 2:]
    good = len(data) <= 65536 and len(body) > 1 and lines.endswith("\n") and all(c == "\n" or c >= " " for c in body)
    lines = lines[:-1].split("\n")
    if not good or len(lines) > 64:
        raise ValueError("note")
    signatures = []
    for line in lines:
        name, signature = re.fullmatch(r"\u2014 ([^ ]+) ([^ ]+)", line).groups()
        signature = b64(signature)
        if len(signature) < 5 or re.search(r"[\s+\x00-\x1f\x7f-\x9f]", name):
            raise ValueError("signature line")
        signatures.append((name, signature[:4], signature[4:]))
    return body, signatures


def key_id(name, key):
    return sha(name.encode(), b"\n\1", key)[:4]


def note_holds(text, line, keys):
    """Lines of unknown keys hold; a known key's signature must be right."""
    name, id, signature = line
    return all(signed(key[1], text.encode(), signature) for key in keys if (name, id) == (key[0], key_id(*key)))


def parse_vkey(text):
    name, id, key = text.split("+", 2)
    key = b64(key)
    if len(key) != 33 or key[0] != 1 or not usable(key[1:]) or key_id(name, key[1:]).hex() != id:
        raise ValueError("key")
    return name, key[1:]


def parse_checkpoint(text):
    origin, size, root = re.fullmatch(r"([^\n]+)\n(0|[1-9][0-9]{0,19})\n([^\n]+)\n", text).groups()
    root = b64(root)
    if len(root) != 32 or int(size) >= 2**64:
        raise ValueError("checkpoint")
    return origin, int(size), root


def parse_origin(text):
    label = r"[a-z0-9]([a-z0-9-]*[a-z0-9])?"
    id = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    found = re.fullmatch(rf"({label}(?:\.{label})*)/({id})(?:/([1-9][0-9]*))?", text)
    generation = int(found.group(5) or 1)
    if len(found.group(1)) > 64 or generation > 65535 or found.group(5) == "1":
        raise ValueError("origin")
    return found.group(1), uuid.UUID(found.group(4)).bytes, generation


# ---- Leaves and clear bodies (sections 1 and 5)

def parse_leaf(b):
    def ok(holds, what):
        must(holds, "leaf: " + what)

    ok(204 <= len(b) <= 298, "length")
    names = b[200:]
    stream_kind = names[1: 1 + names[0]]
    event = names[1 + names[0]:]
    ok(len(event) > 0 and len(event) == 1 + event[0], "names")
    event_kind = event[1:]
    (format, sealing, flags, generation, version, position, ledger, prev, time, append, index, count, epoch, cause, stream,
     stream_version, actor_kind, behalf_kind, reserved, actor, behalf, body_len, body_hash) = struct.unpack(
        ">HBBHHQ16s32sQ16sHHIQ16sQBBH16s16sI32s", b[:200])
    nil = bytes(16)
    ok(format == 1 and sealing <= 1 and flags <= 1 and reserved == 0, "format, sealing, flags or reserved")
    ok(len(stream_kind) <= 32 and re.fullmatch(rb"[a-z][a-z0-9_]*", stream_kind), "stream kind")
    ok(len(event_kind) <= 64 and re.fullmatch(rb"[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*", event_kind), "event kind")
    clear = event_kind.startswith(b"ledger.")
    ok((sealing == 0) == clear and (sealing == 0) == (epoch == 0), "sealing")
    ok(generation >= 1 and version >= 1 and position < MAX_NUMBER and time < MAX_NUMBER, "numbers")
    ok(position > 0 or prev == bytes(32), "prev")
    ok(append != nil and 1 <= count <= 1024 and index < count and index <= position, "append")
    ok(cause == 2**64 - 1 or cause < position - index, "cause")
    ok(actor_kind != 0 and (actor != nil or actor_kind in (1, 7)), "actor")
    ok((behalf_kind == 0) == (behalf == nil), "on behalf of")
    ok(body_len <= 65536, "body length")
    return {**locals(), "stream": (stream_kind, stream), "party": (actor_kind, actor, behalf_kind, behalf),
            "kind": event_kind.decode(), "back": flags == 1, "hash": sha(b"\0", b)}


LINES = {
    "ledger.opened": ("origin", "signer", "recovery"), "ledger.key_rotated": ("signer",), "ledger.closed": (),
    "ledger.key_replaced": ("signer", "proof"), "ledger.subject_erased": ("subject",),
    "ledger.restored": ("origin", "lost_size", "lost_root"),
}
HEX, UUID = r"[0-9a-f]{%d}", r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
FORMS = {"origin": r"[^\n]+", "signer": HEX % 64, "recovery": HEX % 64 + "|none", "proof": HEX % 128, "subject": UUID,
         "lost_size": "0|[1-9][0-9]*", "lost_root": HEX % 64}


def parse_clear(leaf, body):
    kind, at = leaf["kind"], leaf["position"]
    must(kind in LINES and leaf["version"] == 1, "unknown clear body", at)
    pattern = "keiin/v1/" + re.escape(kind) + "\n" + "".join(rf"{name} (?P<{name}>{FORMS[name]})\n" for name in LINES[kind])
    found = re.fullmatch(pattern.encode(), body)
    must(found, "clear body", at)
    said = {name: value.decode() for name, value in found.groupdict().items()}
    try:
        said["origin"] = parse_origin(said["origin"]) if "origin" in said else None
        must(int(said.get("lost_size", 0)) < 2**64, "lost size", at)
    except (AttributeError, ValueError):
        raise Refuted("origin", at)
    for name in ("signer", "recovery"):
        if said.get(name, "none") != "none":
            said[name] = bytes.fromhex(said[name])
            must(usable(said[name]), "key is not usable", at)
    return said


# ---- The tree (section 7)

def cover(a, b):
    levels = []
    while a < b:
        level = min((a & -a).bit_length() - 1 if a else 64, (b - a).bit_length() - 1)
        levels.append(level)
        a += 1 << level
    return levels


class Tree:
    def __init__(self, size, peaks):
        self.size, self.peaks = size, list(peaks)

    def append(self, hash, level=0):
        left = self.size >> level
        while left & 1:
            hash, left = node(self.peaks.pop(), hash), left >> 1
        self.peaks.append(hash)
        self.size += 1 << level

    def root(self):
        if not self.peaks:
            return sha(b"")
        root = self.peaks[-1]
        for peak in self.peaks[-2::-1]:
            root = node(peak, root)
        return root


def included(index, size, hash, path, root):
    if index >= size:
        return False
    last = size - 1
    for sibling in path:
        if last == 0:
            return False
        if index & 1 or index == last:
            hash = node(sibling, hash)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            hash = node(hash, sibling)
        index, last = index >> 1, last >> 1
    return last == 0 and hash == root


# ---- The bundle (section 8)

class Input:
    def __init__(self, data, position=None):
        self.data, self.at, self.position = data, 0, position

    def take(self, n):
        must(self.at + n <= len(self.data), "cut off", self.position)
        self.at += n
        return self.data[self.at - n: self.at]

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def section(self, most):
        n = self.number(4)
        must(n <= most, "section too long", self.position)
        return self.take(n)

    def hashes(self):
        return [self.take(32) for _ in range(self.number(1))]

    def frame(self, opened):
        n = self.number(2)
        must(204 <= n <= 298, "leaf length", self.position)
        leaf, n = self.take(n), self.number(4)
        must(n <= 65536 or n == 0xFFFFFFFF, "body length", self.position)
        body, mark = None if n == 0xFFFFFFFF else self.take(n), self.number(1)
        must(mark <= 1, "signature mark", self.position)
        signature, secret = self.take(64) if mark else None, None
        if opened:
            present = self.number(1)
            must(present <= 1, "opening mark", self.position)
            if present:
                secret = self.take(32)
                try:
                    self.section(1 << 20).decode()
                except UnicodeDecodeError:
                    raise Refuted("opened text", self.position)
        return leaf, body, signature, secret


def open_body(leaf, body, secret):
    def kdf(label):
        return hmac.new(secret, bytes([len(label)]) + label + b"\1", hashlib.sha256).digest()

    label, kind = b"keiin/v1/body-aad", leaf["event_kind"]
    aad = bytes([len(label)]) + label + leaf["ledger"] + struct.pack(">HB", leaf["version"], len(kind)) + kind
    try:
        good = len(body) >= 64 and hmac.compare_digest(kdf(b"keiin/v1/commitment"), body[16:48])
        return good and AESGCM(kdf(b"keiin/v1/key")).decrypt(bytes(12), body[48:], aad) is not None
    except InvalidTag:
        return False


class Signers:
    """Who signs (section 3)."""

    def __init__(self, log, pinned):
        names = []
        for name, key in pinned:
            try:
                if parse_origin(name)[:2] == log[:2]:
                    names.append(key)
            except (AttributeError, ValueError):
                pass
        self.pinned, self.seen, self.origin, self.signer, self.recovery, self.closed = names, False, None, None, None, False

    def apply(self, leaf, said):
        """Takes in a clear record; gives the key that signs its commit."""
        kind, at, before = leaf["kind"], leaf["position"], self.signer
        if kind == "ledger.opened":
            must(before is None and at == 0, "opened twice", at)
            must(said["origin"][1:] == (leaf["ledger"], 1), "origin", at)
            self.origin, self.signer, self.recovery = said["origin"], said["signer"], said["recovery"]
            return self.signer
        must(before is not None, "no ledger.opened", at)
        if kind == "ledger.key_rotated":
            self.signer = said["signer"]
            return before
        if kind == "ledger.key_replaced":
            what = leaf["ledger"] + struct.pack(">HQ", leaf["generation"], at) + leaf["prev"] + said["signer"]
            what = b"\0keiin/v1/key-replaced\0" + what
            must(self.recovery != "none" and signed(self.recovery, what, bytes.fromhex(said["proof"])), "recovery proof", at)
            self.signer = said["signer"]
        if kind == "ledger.restored":
            must(said["origin"] == (*self.origin[:2], leaf["generation"]), "origin", at)
            self.origin = said["origin"]
        self.closed |= kind == "ledger.closed"
        return self.signer

    def commit(self, leaf, first, key, signature):
        where = leaf["ledger"] + struct.pack(">HQQ", leaf["generation"], first, leaf["position"])
        self.seen |= key in self.pinned
        return signed(key, b"\0keiin/v1/commit\0" + where + leaf["hash"], signature)

    def outside(self, leaf, said, signature):
        key, at = self.apply(leaf, said), leaf["position"]
        must(signature or leaf["kind"] == "ledger.opened", "key record without a signature", at)
        must(not signature or self.commit(leaf, at, key, signature), "signature", at)


def verify(data, keys, known):
    if data[:7] != b"KEIIN1\n":
        raise Unusable("not a Keiin bundle")
    # 1 and 2: what stands before the records
    source = Input(data)
    source.take(7)
    opened, first, count = source.number(1), source.number(8), source.number(8)
    must(opened <= 1 and count >= 1 and first < MAX_NUMBER and first + count <= MAX_NUMBER, "header")
    try:
        text, signatures = parse_note(source.section(65536))
        evidence = Input(source.section(16 << 20))
        left, right, outside = [], [], []
        if evidence.data:
            left, right = evidence.hashes(), evidence.hashes()
            outside = [(evidence.hashes(), evidence.frame(False)) for _ in range(evidence.number(2))]
            must(evidence.at == len(evidence.data), "evidence too long")
        origin_text, size, root = parse_checkpoint(text)
        log = parse_origin(origin_text)
    except (AttributeError, ValueError) as error:
        raise Refuted(f"checkpoint: {error}")
    end = first + count
    must(end <= size and bool(evidence.data) == (end - first < size), "evidence where it does not belong")
    before, after, last = [], [], -1
    for path, (raw, body, signature, _) in outside:
        leaf = parse_leaf(raw)
        at = leaf["position"]
        ours = leaf["ledger"] == log[1] and leaf["stream"] == (b"ledger", log[1]) and leaf["count"] == 1
        ours = ours and leaf["clear"] and leaf["kind"] != "ledger.subject_erased"
        must(body is not None and ours and sha(body) == leaf["body_hash"], "not a key record", at)
        must(at > last and not first <= at < end, "key records out of order", at)
        must(included(at, size, leaf["hash"], path, root), "not in the tree", at)
        said, last = parse_clear(leaf, body), at
        must(leaf["kind"] != "ledger.closed" or at + 1 == size, "after ledger.closed", at)
        (before if at < first else after).append((leaf, said, signature))
    must(len(left) == len(cover(0, first)), "evidence: left")
    tree, signers, streams, roots = Tree(first, left), Signers(log, keys), {}, {0: sha(b""), size: root}
    appends = set()
    roots[first] = tree.root()
    # 3 and 4: key records before the part, then each record
    for record in before:
        signers.outside(*record)
    last, start, records, size_of_commit, alone, absent, present, openings = None, first, 0, 0, False, None, None, 0
    wanted = {checkpoint[1] for checkpoint in known}
    for at in range(first, end):
        source.position = at
        raw, body, signature, secret = source.frame(opened)
        try:
            leaf = parse_leaf(raw)
        except Refuted as refused:
            raise Refuted(str(refused), at)
        must(leaf["position"] == at and leaf["ledger"] == log[1], "position or ledger", at)
        if last and leaf["prev"] != last["hash"]:
            here = vouched(source, opened, at + 1 == end, leaf, signers, start, signature)
            raise Refuted("not linked", at - 1 if here else at)
        restored = leaf["kind"] == "ledger.restored"
        if last:
            must(leaf["back"] == (leaf["time"] < last["time"]), "time flag", at)
            must(leaf["generation"] == last["generation"] + restored, "generation", at)
            must(last["kind"] != "ledger.closed" and leaf["kind"] != "ledger.opened", "ledger.closed or ledger.opened", at)
            if last["index"] + 1 < last["count"]:
                same = all(leaf[f] == last[f] for f in ("append", "count", "time", "party", "cause"))
                must(leaf["index"] == last["index"] + 1 and same, "append", at)
            else:
                must(leaf["index"] == 0, "append", at)
        else:
            must(leaf["index"] == 0, "begins inside an append", at)
            if at == 0:
                must(leaf["generation"] == 1 and not leaf["back"] and leaf["kind"] == "ledger.opened", "first record", at)
            else:
                must(signers.origin and leaf["generation"] == signers.origin[2] + restored, "who signs", at)
        must(leaf["index"] or leaf["append"] not in appends, "append id", at)
        appends.add(leaf["append"])
        if body is None:
            absent = at if absent is None else absent
            must(not leaf["clear"] and not secret, "body absent", at)
        else:
            must(len(body) == leaf["body_len"] and sha(body) == leaf["body_hash"], "body", at)
            must(not (leaf["clear"] and secret) and (not secret or open_body(leaf, body, secret)), "opening", at)
            present = at if present is None and not leaf["clear"] else present
            openings += secret is not None
        said = parse_clear(leaf, body) if leaf["clear"] else None
        must(leaf["stream"][0] != b"ledger" or leaf["stream"][1] == log[1], "stream", at)
        next_version = streams.get(leaf["stream"], leaf["stream_version"] if first else 0)
        must(leaf["stream_version"] == next_version < 2**64 - 1, "stream version", at)
        streams[leaf["stream"]] = next_version + 1
        key_record = leaf["clear"] and leaf["kind"] != "ledger.opened"
        must(not alone and not (key_record and records), "commit shared", at)
        alone, records, size_of_commit = key_record, records + 1, size_of_commit + len(raw) + leaf["body_len"]
        must(records <= 1024 and size_of_commit <= 900_000, "commit too large", at)
        if leaf["clear"]:
            must(leaf["count"] == 1 and leaf["stream"][0] == b"ledger", "append shared", at)
            signer = signers.apply(leaf, said)
        else:
            signer = signers.signer
        if signature:
            must(leaf["index"] + 1 == leaf["count"], "commit ends inside an append", at)
            must(signers.commit(leaf, start, signer, signature), "signature", at)
            start, records, size_of_commit, alone = at + 1, 0, 0, False
        tree.append(leaf["hash"])
        last = leaf
        if tree.size in wanted:
            roots[tree.size] = tree.root()
    # 5 to 7: the end
    must(source.at == len(data), "bytes after the last record", end)
    must(records == 0, "ends inside a commit", end - 1)
    for record in after:
        signers.outside(*record)
    must(absent is None or signers.closed, "body absent", absent)
    must(absent is None or present is None, "some bodies absent", max(absent or 0, present or 0))
    levels = cover(end, size)
    must(len(levels) == len(right), "evidence: right")
    for level, hash in zip(levels, right):
        tree.append(hash, level)
    must(tree.root() == root, "root")
    must(signers.origin == log, "origin")
    ours = (origin_text, signers.signer)
    must(all(note_holds(text, line, [ours] + keys) for line in signatures), "checkpoint signature")
    must((ours[0], key_id(*ours)) in [line[:2] for line in signatures], "checkpoint not signed by the signer")
    signers.seen |= signers.signer in signers.pinned
    must(not keys or signers.seen, "no given key has signed")
    for other, known_size, known_root, holds in known:
        if not holds:
            raise Unusable("known checkpoint with a false signature")
        must(other[:2] == log[:2], "known checkpoint of another log")
        must(known_size <= size, "rolled back or cut off")
        if known_size not in roots:
            raise Unusable("known checkpoint cannot be compared")
        must(roots[known_size] == known_root, "rewritten")
    gaps = [("key_pinned", not keys), ("newest_key_pinned", signers.signer not in signers.pinned),
            ("commit_signatures", any(not signature for _, _, signature in before)), ("bodies", absent is not None),
            ("witnessed", True), ("opened_json", openings > 0)]
    return {"events": count, "size": size, "root": root.hex(), "not_established": [name for name, open in gaps if open]}


def vouched(source, opened, is_last, leaf, signers, start, signature):
    """Does a third witness stand by this record, whose prev does not fit? (section 9, step 4.3)"""
    if is_last:
        fits = source.at == len(source.data) and signature and signers.signer
        return fits and signers.commit(leaf, start, signers.signer, signature)
    try:
        return parse_leaf(source.frame(opened)[0])["prev"] == leaf["hash"]
    except Refuted:
        return False


def main():
    options = argparse.ArgumentParser(description="Verify Keiin bundles.")
    options.add_argument("--key", action="append", default=[], help="verifier key: <name>+<id>+<base64>")
    options.add_argument("--checkpoint", action="append", default=[], help="file with a signed checkpoint that is known")
    options.add_argument("bundle", nargs="+")
    given = options.parse_args()
    try:
        keys, known = [parse_vkey(key) for key in given.key], []
        for path in given.checkpoint:
            text, signatures = parse_note(open(path, "rb").read())
            origin, size, root = parse_checkpoint(text)
            known.append((parse_origin(origin), size, root, all(note_holds(text, line, keys) for line in signatures)))
    except (AttributeError, ValueError, OSError) as error:
        print(f"a key or checkpoint that was given is not one: {error}", file=sys.stderr)
        sys.exit(2)
    worst = 0
    for path in given.bundle:
        report = {"verdict": "verified", "events": 0, "size": 0, "root": None, "first_bad_position": None, "reason": None,
                  "not_established": []}
        try:
            report.update(verify(open(path, "rb").read(), keys, known))
        except Refuted as refuted:
            report.update(verdict="refuted", reason=str(refuted), first_bad_position=refuted.position)
            worst = max(worst, 1)
        except (Unusable, OSError) as unusable:
            report.update(verdict="unusable", reason=str(unusable))
            worst = max(worst, 2)
        print(json.dumps(report))
    sys.exit(worst)


if __name__ == "__main__":
    main()
