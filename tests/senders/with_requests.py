"""A sender that is not ours: Python's requests. Prints the status of the answer."""

import sys

import requests

url, variant, authority = sys.argv[1:4]
body = open("crates/payload/src/sample.json", "rb").read()
session = requests.Session()
session.trust_env = False
answer = session.post(
    url,
    # What comes from a generator has no length, and goes in chunks.
    data=(body[at : at + 400] for at in range(0, len(body), 400)) if variant == "chunked" else body,
    headers={"Content-Type": "application/json", "X-Netography": "Webhook"},
    auth=("u", "x" if variant == "wrong-password" else "p"),
    verify=authority if variant == "tls" else True,
    timeout=20,
)
print(answer.status_code)
