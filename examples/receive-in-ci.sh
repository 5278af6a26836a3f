#!/bin/sh
# A receiver in the background, a sender, and the receiver's verdict as the exit code of the job.
set -eu
rm -f ready.json
export PASSWORD=p
fusion-webhook receive --listen 127.0.0.1:0 --ready-file ready.json --username u --password env:PASSWORD \
    --expect 1 --expect-events 1 --timeout 30s --fail-on-verdict --report junit=receiver.xml > receiver.log &
receiver=$!
until [ -s ready.json ]; do kill -0 "$receiver"; sleep 0.1; done
url=$(sed 's/.*"receiver":"\([^"]*\)".*/\1/' ready.json)

# Your sender in place of this one:
fusion-webhook send crates/payload/src/sample.json --url "$url" --username u --password env:PASSWORD

wait "$receiver"
