#!/usr/bin/env python3
"""Signatures of tags: made and checked with the keys that openssl makes, beside xmlsec1 and openssl, which check what we made and make what we
check; and every way to lie with a signature.

Called with the source folder and the build folder. Exit status 77 skips: no openssl. What takes xmlsec1 or muster-xmlsig is left out without.
"""
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

BUILD = os.path.abspath(sys.argv[2])
MUSTER, XMLSIG = os.path.join(BUILD, "muster"), os.path.join(BUILD, "muster-xmlsig")
DSIG = "http://www.w3.org/2000/09/xmldsig#"
MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
C14N11 = "http://www.w3.org/2006/12/xml-c14n11"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
KINDS = {"rsa": ["RSA", "rsa_keygen_bits:2048"], "p256": ["EC", "ec_paramgen_curve:P-256"], "p384": ["EC", "ec_paramgen_curve:P-384"],
         "p521": ["EC", "ec_paramgen_curve:P-521"], "ed25519": ["ED25519", None]}
failures = 0


def check(what, ok, detail=""):
    global failures
    failures += not ok
    print("%s %s%s" % ("ok  " if ok else "FAIL", what, "" if ok else ": " + str(detail)[:2000]), flush=True)


def run(*words, data=None):
    return subprocess.run(words, capture_output=True, timeout=300, input=data)


def muster(*words, status=0, data=None):
    done = run(MUSTER, *words, data=data)
    if status is not None:
        check(" ".join(str(w) for w in words[:4]) + f" exits {status}", done.returncode == status, done)
    return done


def refused(what, *words, says=None, data=None, status=(1, 2, 3)):
    """One clear line, a status that is not 0, nothing written."""
    done = run(MUSTER, *words, data=data)
    good = done.returncode in status and done.stderr.count(b"\n") == 1 and done.stdout == b"" and (says is None or says in done.stderr)
    check(what, good, done)


def write(name, octets, mode=0o644):
    with open(name, "wb") as file:
        file.write(octets if isinstance(octets, bytes) else octets.encode())
    os.chmod(name, mode)


def read(name):
    with open(name, "rb") as file:
        return file.read()


# ---- keys


def openssl(*words, data=None):
    done = run("openssl", *words, data=data)
    if done.returncode:
        raise RuntimeError(f"openssl {words}: {done.stderr.decode()}")
    return done.stdout


def make_key(name, kind, option):
    openssl("genpkey", "-algorithm", kind, *(["-pkeyopt", option] if option else []), "-out", name + ".key")


def make_p12(name, *more):
    openssl("pkcs12", "-export", "-inkey", name + ".key", "-in", name + ".pem", "-passout", "pass:secret", "-out", name + ".p12", *more)


def make_keys():
    make_key("ca", "RSA", "rsa_keygen_bits:2048")
    openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=Tag CA", "-days", "30", "-out", "ca.pem")
    make_key("other", "EC", "ec_paramgen_curve:P-256")
    openssl("req", "-x509", "-new", "-key", "other.key", "-subj", "/CN=Tag CA", "-days", "30", "-out", "other.pem")
    for name, (kind, option) in list(KINDS.items()) + [("expired", ["RSA", "rsa_keygen_bits:2048"])]:
        make_key(name, kind, option)
        openssl("req", "-new", "-key", name + ".key", "-subj", f"/O=Muster/CN=signer {name}", "-out", name + ".csr")
        if name != "expired":
            openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-days", "30", "-out", name + ".pem")
    write("ca.conf", "[ca]\ndefault_ca=x\n[x]\ndatabase=index\nnew_certs_dir=.\nserial=serial\ndefault_md=sha256\npolicy=p\n[p]\nO=supplied\nCN=supplied\n")
    write("index", "")
    write("serial", "77\n")
    openssl("ca", "-batch", "-notext", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key", "-startdate", "20200101000000Z", "-enddate",
            "20200201000000Z", "-in", "expired.csr", "-out", "expired.pem")
    for name in list(KINDS) + ["expired"]:
        make_p12(name, "-certfile", "ca.pem")
    openssl("pkcs12", "-export", "-nokeys", "-in", "rsa.pem", "-passout", "pass:secret", "-out", "no-key.p12")
    openssl("pkcs12", "-export", "-nocerts", "-inkey", "rsa.key", "-passout", "pass:secret", "-out", "no-certificate.p12")
    write("password", "secret\n", 0o600)
    write("wrong", "wrong\n", 0o600)
    write("open-password", "secret\n", 0o644)


def by(name, password="password"):
    return ["--sign", name + ".p12", "--password-file", password]


# ---- CBOR and COSE that are not ours


def head(major, n):
    if n < 24:
        return bytes([major << 5 | n])
    size = next(i for i in range(4) if n < 1 << (8 << i))
    return bytes([major << 5 | 24 + size]) + n.to_bytes(1 << size, "big")


def octets(b):
    return head(2, len(b)) + b


def text(s):
    return head(3, len(s)) + s.encode()


class Cbor:
    def __init__(self, b):
        self.b, self.at = b, 0

    def item(self):
        first = self.b[self.at]
        self.at += 1
        major, n = first >> 5, first & 31
        if n >= 24:
            size = 1 << (n - 24)
            n = int.from_bytes(self.b[self.at:self.at + size], "big")
            self.at += size
        if major in (2, 3):
            self.at += n
            value = self.b[self.at - n:self.at]
            return value if major == 2 else value.decode()
        if major == 4:
            return [self.item() for _ in range(n)]
        if major == 5:
            return {self.item(): self.item() for _ in range(n)}
        if major == 6:
            return (n, self.item())
        return n if major == 0 else -1 - n


def integer(b):
    b = b.lstrip(b"\0") or b"\0"
    b = b"\0" + b if b[0] & 0x80 else b
    return b"\x02" + bytes([len(b)]) + b


def der_pair(raw):
    body = integer(raw[:len(raw) // 2]) + integer(raw[len(raw) // 2:])
    return b"\x30" + (bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])) + body


def raw_pair(der, half):
    at = 3 if der[1] == 0x81 else 2
    out = b""
    for _ in range(2):
        n = der[at + 1]
        out += der[at + 2:at + 2 + n].lstrip(b"\0").rjust(half, b"\0")
        at += 2 + n
    return out


ALGORITHMS = {"rsa": (-37, "sha256", 0), "p256": (-7, "sha256", 32), "p384": (-35, "sha384", 48), "p521": (-36, "sha512", 66), "ed25519": (-8, None, 0)}


def sig_structure(protected, payload):
    return head(4, 4) + text("Signature1") + octets(protected) + octets(b"") + octets(payload)


def pkeyutl(name):
    digest = ALGORITHMS[name][1]
    return ["-rawin"] + (["-digest", digest] if digest else []) + (["-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt", "rsa_pss_saltlen:digest"] if ALGORITHMS[name][0] == -37 else [])


def openssl_agrees(name, signed):
    """openssl on a COSE_Sign1 that muster made: its certificate, its algorithm, its signature."""
    reader = Cbor(signed)
    tag, (protected, unprotected, payload, signature) = reader.item()
    header = Cbor(protected).item()
    certificate = openssl("x509", "-in", name + ".pem", "-outform", "DER")
    check(f"{name}: COSE's header", (tag, unprotected, header) == (18, {}, {1: ALGORITHMS[name][0], 3: "application/swid+cbor", 33: certificate}), header)
    write("signed-octets", sig_structure(protected, payload))
    write("signature", der_pair(signature) if ALGORITHMS[name][2] else signature)
    openssl("x509", "-in", name + ".pem", "-noout", "-pubkey", "-out", "public.pem")
    done = run("openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "public.pem", "-in", "signed-octets", "-sigfile", "signature", *pkeyutl(name))
    check(f"{name}: openssl verifies COSE", done.returncode == 0 and reader.at == len(signed), done)
    return payload


def cose_by_openssl(name, payload, chain, protected_chain=False):
    """A COSE_Sign1 of openssl's making, the certificates outside of what is signed."""
    certificates = [openssl("x509", "-in", c, "-outform", "DER") for c in chain]
    x5chain = head(0, 33) + (octets(certificates[0]) if len(certificates) == 1 else head(4, len(certificates)) + b"".join(map(octets, certificates)))
    number = ALGORITHMS[name][0]
    protected = head(5, 2 + protected_chain) + head(0, 1) + head(1, -1 - number) + head(0, 3) + text("application/swid+cbor") + (x5chain if protected_chain else b"")
    write("signed-octets", sig_structure(protected, payload))
    signature = openssl("pkeyutl", "-sign", "-inkey", name + ".key", "-in", "signed-octets", *pkeyutl(name))
    if ALGORITHMS[name][2]:
        signature = raw_pair(signature, ALGORITHMS[name][2])
    outside = head(5, 0) if protected_chain or not chain else head(5, 1) + x5chain
    return b"\xd2" + head(4, 4) + octets(protected) + outside + octets(payload) + octets(signature)


# ---- what is made, and what is there


def make_tag(*more):
    return muster("tag", "--evidence", os.path.abspath("files"), "--name", "things", "--version-string", "1.0", *more).stdout


def verify(name, *more, status=0):
    return muster("tag", "verify", name, *more, status=status)


def state_of(name, *more):
    done = run(MUSTER, "tag", "verify", name, "--json", *more)
    return json.loads(done.stdout)["signature"] if done.stdout else done


def coswid():
    plain = make_tag("--format", "coswid")
    for name in KINDS:
        write("t", make_tag("--format", "coswid", *by(name)))
        check(f"{name}: what is signed is the tag", openssl_agrees(name, read("t")) == plain)
        verify("t")
        verify("t", "--trust", "ca.pem")
        said = state_of("t", "--trust", "ca.pem")
        check(f"{name}: who signed", said == {"state": "signed", "signer": f"CN=signer {name},O=Muster", "trusted": True, "why": None}, said)
        check(f"{name}: nobody asked for trust", state_of("t")["trusted"] is None)
        for chain, inside in (([name + ".pem"], False), ([name + ".pem", "ca.pem"], True)):
            write("t", cose_by_openssl(name, plain, chain, inside))
            verify("t", "--trust", "ca.pem")
    write("t", cose_by_openssl("p256", plain, []))
    check("no certificate", state_of("t")["state"] == "unknown", state_of("t"))
    check("no certificate exits 3", run(MUSTER, "tag", "verify", "t").returncode == 3)
    write("t", cose_by_openssl("expired", plain, ["expired.pem"]))
    verify("t")
    check("an expired certificate", b"expired" in verify("t", "--trust", "ca.pem", status=1).stderr)
    write("t", cose_by_openssl("p256", plain, ["p384.pem"]))
    refused("another's certificate", "tag", "verify", "t", says=b"does not hold", status=(1,))
    write("t", cose_by_openssl("p256", b"\x01", ["p256.pem"]))
    check("a tag that is none, signed", run(MUSTER, "tag", "verify", "t").returncode != 0)
    write("t", make_tag("--format", "coswid", *by("p256")))
    flips("CoSWID", "t", "p256")


def flips(what, name, signer):
    """No octet can be another one. muster is started for some of them: of XML, whose length a signature changes, muster-xmlsig is asked for all."""
    signed = read(name)
    verify(name, "--trust", "ca.pem")
    step = 31
    survived = []
    for bit in (1, 0x10):
        for i in range(0, len(signed), step):
            write("flipped", signed[:i] + bytes([signed[i] ^ bit]) + signed[i + 1:])
            if run(MUSTER, "tag", "verify", "flipped", "--trust", "ca.pem").returncode == 0:
                survived.append((i, bit, signed[max(0, i - 20):i + 5]))
    check(f"{what}: one octet in {step} flipped is a refusal each time ({len(signed)} octets, {signer})", not survived, survived)
    whole = len(signed.rstrip(b"\n")) if signed.startswith(b"<") else len(signed)  # without its last line end it is the same document
    cut = [n for n in range(0, whole, step * 3) if run(MUSTER, "tag", "verify", "-", "--trust", "ca.pem", data=signed[:n]).returncode == 0]
    check(f"{what}: cut off anywhere is a refusal", not cut, cut)


def questions(words, asked):
    """muster-xmlsig's own tongue."""
    done = run(XMLSIG, *words, data=b"".join(struct.pack(">I", len(q)) + q for q in asked))
    answers, at = [], 0
    while at + 5 <= len(done.stdout):
        status, n = struct.unpack(">BI", done.stdout[at:at + 5])
        answers.append((status, done.stdout[at + 5:at + 5 + n]))
        at += 5 + n
    return answers


def template(digest=SHA256, method=MORE + "rsa-sha256", uri="", transforms=(DSIG + "enveloped-signature", EXCLUSIVE), canonical=C14N11, key="<dsig:X509Data/>",
             more="", inner="", reference=""):
    """swidGenerator's form of a signature, for xmlsec1 to fill."""
    return (f'<dsig:Signature xmlns:dsig="{DSIG}"><dsig:SignedInfo><dsig:CanonicalizationMethod Algorithm="{canonical}"/>'
            f'<dsig:SignatureMethod Algorithm="{method}"/><dsig:Reference URI="{uri}"{reference}><dsig:Transforms>'
            + "".join(f'<dsig:Transform Algorithm="{t}">{inner if t != DSIG + "enveloped-signature" else ""}</dsig:Transform>' for t in transforms)
            + f'</dsig:Transforms><dsig:DigestMethod Algorithm="{digest}"/><dsig:DigestValue/></dsig:Reference></dsig:SignedInfo><dsig:SignatureValue/>'
            f'<dsig:KeyInfo>{key}</dsig:KeyInfo>{more}</dsig:Signature>')


def by_xmlsec(xml, signature, name="rsa", *options):
    write("unsigned", xml.replace(b"</SoftwareIdentity>", signature.encode() + b"</SoftwareIdentity>"))
    done = run("xmlsec1", "--sign", "--pkcs12", name + ".p12", "--pwd", "secret", *options, "--output", "signed", "unsigned")
    check("xmlsec1 signs", done.returncode == 0, done)
    return read("signed")


def swid():
    plain = make_tag()
    for name in KINDS:
        if name == "ed25519":
            refused("no XML signature with Ed25519", "tag", "--name", "a", "--version-string", "1", *by(name), says=b"RSA and EC")
            continue
        for layout in ([], ["--pretty"], ["--hierarchic"], ["--schema-location"]):
            write("t", make_tag(*layout, *by(name)))
            if shutil.which("xmlsec1"):
                done = run("xmlsec1", "--verify", "--trusted-pem", "ca.pem", "t")
                check(f"{name} {layout}: xmlsec1 verifies", done.returncode == 0, done)
            verify("t", "--trust", "ca.pem")
        said = state_of("t", "--trust", "ca.pem")
        check(f"{name}: who signed", said == {"state": "signed", "signer": f"CN=signer {name},O=Muster", "trusted": True, "why": None}, said)
        write("t", make_tag(*by(name)))
        check(f"{name}: the tag's own octets stay", re.sub(rb"<dsig:Signature.*</dsig:Signature>", b"", read("t")) == plain)
    muster("tag", "validate", "t")
    write("old", muster("tag", "--name", "a", "--version-string", "1", "--format", "swid2009", *by("rsa")).stdout)
    check("a tag of 2009", b"trusted" in verify("old", "--trust", "ca.pem").stdout)
    refused("a tag of 2009 that was changed", "tag", "verify", "-", says=b"does not hold", data=read("old").replace(b">a<", b">b<"), status=(1,))
    check("plain", verify("t", "--plain", "--trust", "ca.pem").stdout == b"")
    check("a signer that nobody named", b"nobody vouches" in verify("t").stdout)
    check("a signer that is not trusted", b"not trusted" in verify("t", "--trust", "other.pem", status=1).stdout)
    check("another signer's certificate", b"not trusted" in verify("t", "--trust", "rsa.pem", status=1).stdout)
    verify("t", "--trust", "p521.pem")
    write("t", make_tag(*by("p256")))
    flips("SWID", "t", "p256")
    signed = read("t")
    answers = questions(["verify"], [signed] + [signed[:i] + bytes([signed[i] ^ bit]) + signed[i + 1:] for i in range(len(signed)) for bit in (1, 4)])
    survived = [i for i, answer in enumerate(answers[1:]) if answer[0] == 1 and answer == answers[0]]
    check(f"SWID: {len(answers)} flipped octets, none passes with the same certificate", answers[0][0] == 1 and not survived and len(answers) == 1 + 2 * len(signed),
          [signed[i // 2 - 20:i // 2 + 5] for i in survived])
    if shutil.which("xmlsec1"):
        swid_by_xmlsec(plain)
    wrapped(plain, signed)


def swid_by_xmlsec(plain):
    for method, name in ((MORE + "rsa-sha256", "rsa"), (MORE + "rsa-sha512", "rsa"), (MORE + "ecdsa-sha256", "p256"), (MORE + "ecdsa-sha384", "p384")):
        for canonical in (C14N11, EXCLUSIVE, "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"):
            write("t", by_xmlsec(plain, template(method=method, canonical=canonical), name))
            verify("t", "--trust", "ca.pem")
    write("t", by_xmlsec(plain, template(transforms=(DSIG + "enveloped-signature",))))
    verify("t", "--trust", "ca.pem")
    write("t", by_xmlsec(plain, template(), "expired"))
    verify("t")
    check("an expired certificate", b"expired" in verify("t", "--trust", "ca.pem", status=1).stderr)
    # All of these hold for xmlsec1, and none is of the whole tag by a strong key.
    named = plain.replace(b"<Entity ", b'<Entity Id="part" ')
    parts = {"a part by its name": (named, template(uri="#part"), "--id-attr:Id", "http://standards.iso.org/iso/19770/-2/2015/schema.xsd:Entity"),
             "an XPath": (plain, template(transforms=(DSIG + "enveloped-signature", "http://www.w3.org/TR/1999/REC-xpath-19991116"),
                                          inner="<dsig:XPath>false()</dsig:XPath>")),
             "no envelope but a file": (plain, template(uri="other.pem", transforms=()).replace("<dsig:Transforms></dsig:Transforms>", "")),
             "SHA-1": (plain, template(digest=DSIG + "sha1")),
             "RSA with SHA-1": (plain, template(method=DSIG + "rsa-sha1")),
             "comments": (plain, template(transforms=(DSIG + "enveloped-signature", EXCLUSIVE + "WithComments"))),
             "prefixes": (plain, template(inner=f'<p:InclusiveNamespaces xmlns:p="{EXCLUSIVE}" PrefixList="n8060"/>')),
             "a reference of a type": (plain, template(reference=f' Type="{DSIG}Object"')),
             "an object": (plain, template(more="<dsig:Object><x/></dsig:Object>")),
             "no certificate": (plain, template(key="<dsig:KeyValue/>"))}
    for what, (xml, signature, *options) in parts.items():
        write("t", by_xmlsec(xml, signature, "rsa", *options))
        refused("only " + what, "tag", "verify", "t", says=b"does not hold", status=(1,))


def wrapped(plain, signed):
    signature = re.search(rb"<dsig:Signature.*</dsig:Signature>", signed)[0]
    evil = plain.replace(b'name="things"', b'name="evil"', 1)
    body = re.sub(rb"^<\?xml.*?\?>", b"", signed)
    declaration = signed[:len(signed) - len(body)]
    end = b"</SoftwareIdentity>"
    lies = {"another tag around the signed one": evil.replace(end, b'<x xmlns="urn:x">' + body.strip() + b"</x>" + end),
            "another tag around it, in Meta": re.sub(rb"<Meta([^>]*) />", rb"<Meta\1>" + body.strip().replace(b"\\", b"\\\\") + b"</Meta>", evil),
            "the signed one in the signature": evil.replace(end, signature.replace(b"</dsig:Signature>", b"<dsig:Object>" + re.sub(rb"<dsig:Signature.*</dsig:Signature>", b"", body) +
                                                                                       b"</dsig:Object></dsig:Signature>") + end),
            "a signature of another tag": evil.replace(end, signature + end),
            "a second signature": signed.replace(end, signature + end),
            "a second signature within": signed.replace(b"</dsig:KeyInfo>", signature + b"</dsig:KeyInfo>"),
            "a signature that is not the root's": plain.replace(end, b'<x xmlns="urn:x">' + signature + b"</x>" + end),
            "a reference elsewhere": signed.replace(b'URI=""', b'URI="http://127.0.0.1:9/x"'),
            "a reference to a file": signed.replace(b'URI=""', b'URI="file:///etc/passwd"'),
            "no reference's address": signed.replace(b' URI=""', b""),
            "a second reference": signed.replace(b"</dsig:SignedInfo>", re.search(rb"<dsig:Reference.*</dsig:Reference>", signed)[0] + b"</dsig:SignedInfo>"),
            "a keyed hash": signed.replace(MORE.encode() + b"ecdsa-sha256", MORE.encode() + b"hmac-sha256"),
            "a key from elsewhere": signed.replace(b"<dsig:X509Data>", b'<dsig:RetrievalMethod URI="file:///etc/passwd"/><dsig:X509Dat>').replace(b"</dsig:X509Data>", b"</dsig:X509Dat>"),
            "an empty signature": plain.replace(end, f'<dsig:Signature xmlns:dsig="{DSIG}"/>'.encode() + end),
            "text in the signature": signed.replace(b"<dsig:SignedInfo>", b"x<dsig:SignedInfo>"),
            "a comment in what is signed": signed.replace(b"<dsig:Reference ", b"<!-- --><dsig:Reference "),
            "base64 with other bits": re.sub(rb"(<dsig:SignatureValue>[^<]*)(.)==", lambda m: m[1] + bytes([m[2][0] + 1]) + b"==", signed)}
    for what, xml in lies.items():
        check(f"{what} is another file", xml != signed)
        write("t", xml)
        refused(what, "tag", "verify", "t", "--trust", "ca.pem", says=b"does not hold", status=(1,))
    doctype = b'<!DOCTYPE SoftwareIdentity [<!ENTITY a "things">]>'
    for what, xml in {"an entity": declaration + doctype + body.replace(b'name="things"', b'name="&a;"', 1), "a document type": declaration + doctype + body,
                      "an external one": declaration + b'<!DOCTYPE SoftwareIdentity SYSTEM "file:///etc/passwd">' + body}.items():
        write("t", xml)
        refused(what, "tag", "verify", "t", "--trust", "ca.pem", says=b"document type", status=(2,))
        answer = questions(["verify"], [xml])
        check(what + ", asked directly", answer[0][0] == 0 and b"document type" in answer[0][1], answer)
    check("an empty question", questions(["verify"], [b"", signed])[1][0] == 1)
    write("t", plain)
    check("the signature taken away", b"not signed" in verify("t", "--trust", "ca.pem", status=1).stderr)
    check("unsigned is said", verify("t").stdout.startswith(b"unsigned\n"))


def bad_keys(form):
    named = ["tag", "--name", "a", "--version-string", "1", "--format", form]
    refused(f"{form}: a wrong password", *named, *by("rsa", "wrong"), says=b"password", status=(2,))
    refused(f"{form}: a wrong password, JSON", *named, "--json", *by("rsa", "wrong"), says=b"password", status=(2,))
    refused(f"{form}: no key", *named, *by("no-key"), says=b"no private key", status=(2,))
    refused(f"{form}: no certificate", *named, *by("no-certificate"), says=b"no certificate", status=(2,))
    refused(f"{form}: an expired certificate", *named, *by("expired"), says=b"expired", status=(2,))
    refused(f"{form}: no such file", *named, *by("nothing"), says=b"nothing.p12", status=(2,))
    refused(f"{form}: no password", *named, "--sign", "rsa.p12", says=b"--password-file", status=(2,))
    refused(f"{form}: no such password", *named, *by("rsa", "nothing"), says=b"nothing", status=(2,))
    refused(f"{form}: no PKCS #12", *named, "--sign", "ca.pem", "--password-file", "password", says=b"PKCS #12", status=(2,))
    done = muster(*named, "--sign", "rsa.p12", "--password-file", "-", data=b"secret\n")
    check(f"{form}: a password from standard input", len(done.stdout) > 100)
    check(f"{form}: a password that others can read", b"warning" in muster(*named, *by("rsa", "open-password")).stderr)


def several():
    """Every way of making tags: one signature a tag."""
    os.makedirs("root/var/lib/dpkg/info")
    os.makedirs("root/etc")
    write("root/etc/os-release", "ID=debian\nVERSION_ID=12\n")
    write("root/var/lib/dpkg/status", "\n".join(f"Package: p{i}\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.{i}\nMaintainer: x\nDescription: x\n" for i in range(5)) + "\n")
    for form in (["swid"] if os.path.exists(XMLSIG) else []) + ["coswid"]:
        done = muster("tag", "--all", "--root", "root", "--state", "state", "--format", form, "--json", *by("p256"))
        items = json.loads(done.stdout)["items"]
        check(f"{form}: five tags", [i["name"] for i in items] == [f"p{i}" for i in range(5)])
        for item in items:
            write("t", item["tag"] if form == "swid" else bytes.fromhex(item["coswid"]))
            verify("t", "--trust", "ca.pem")
    if os.path.exists(XMLSIG):
        out = muster("tag", "p0", "p3", "--root", "root", "--state", "state", "--doc-separator", "\n--\n", *by("rsa")).stdout.split(b"\n--\n")
        check("two documents with a separator", len(out) == 2)
        for tag in out:
            write("t", tag)
            verify("t", "--trust", "ca.pem")
        large = b"".join(b'<File name="%024d" size="1" xmlns:SHA256="%s" SHA256:hash="%064d"/>' % (i, SHA256.encode(), i) for i in range(60000))
        plain = muster("tag", "--name", "large", "--version-string", "1").stdout.replace(b"</SoftwareIdentity>", b"<Payload>" + large + b"</Payload></SoftwareIdentity>")
        write("large", plain)
        began = time.monotonic()
        write("t", muster("tag", "convert", "large", *by("p256")).stdout)
        print(f"{len(plain) >> 20} MiB signed in {time.monotonic() - began:.1f} s", flush=True)
        check("a tag of 60,000 files holds", state_of("t", "--root", "root", "--trust", "ca.pem")["trusted"])


def conversions():
    forms = {"coswid": ("p256", "swid")} | ({"swid": ("rsa", "coswid")} if os.path.exists(XMLSIG) else {})
    for form, (key, other) in forms.items():
        write("t", make_tag("--format", form, *by(key)))
        write("plain", make_tag("--format", form))
        for to in ("swid", "coswid"):
            refused(f"{form} to {to}: the signature would be lost", "tag", "convert", "t", "--format", to, says=b"--drop-signature", status=(2,))
            dropped = muster("tag", "convert", "t", "--format", to, "--drop-signature").stdout
            check(f"{form} to {to}: without it", dropped == muster("tag", "convert", "plain", "--format", to).stdout)
        if other == "coswid" or os.path.exists(XMLSIG):
            write("t2", muster("tag", "convert", "t", "--format", other, "--drop-signature", *by("p384")).stdout)
            verify("t2", "--trust", "ca.pem")
        muster("tag", "validate", "t")


def files():
    """A signature says nothing of the disk, the disk nothing of the signature."""
    write("t", make_tag("--format", "coswid", *by("p256")))
    write("files/a", "changed")
    done = verify("t", "--trust", "ca.pem", status=1)
    check("a changed file of a signed tag", b"changed" in done.stdout and b"trusted" in done.stdout, done)
    write("files/a", "a")
    verify("t", "--trust", "ca.pem")
    write("t", muster("tag", "--name", "a", "--version-string", "1", "--format", "coswid", *by("p256")).stdout)
    verify("t")
    write("t", muster("tag", "--name", "a", "--version-string", "1", "--format", "coswid").stdout)
    verify("t", status=3)
    refused("no such trust", "tag", "verify", "t", "--trust", "nothing.pem", status=(2,))
    refused("no certificates", "tag", "verify", "t", "--trust", "ca.key", status=(2,))


def main():
    if not shutil.which("openssl"):
        print("skipped: there is no openssl")
        return 77
    with tempfile.TemporaryDirectory(prefix="muster-sign-") as work:
        os.chdir(work)
        os.mkdir("files")
        write("files/a", "a")
        write("files/b c", "b")
        make_keys()
        ALGORITHMS["expired"] = ALGORITHMS["rsa"]
        coswid()
        bad_keys("coswid")
        if os.path.exists(XMLSIG):
            swid()
            bad_keys("swid")
        else:
            print("skip XML signatures: muster was built without xmlsec")
        several()
        conversions()
        files()
        os.chdir("/")
    print(f"{failures} failed" if failures else "all is well")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
