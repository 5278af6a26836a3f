// A sender that is not ours: fetch, as Node has it. Prints the status of the answer.

import { readFileSync } from "node:fs";

const [url, variant] = process.argv.slice(2);
const sample = readFileSync("crates/payload/src/sample.json");
const credentials = Buffer.from(variant === "wrong-password" ? "u:x" : "u:p").toString("base64");
// What comes from a stream has no length, and goes in chunks.
const body = variant === "chunked" ? new Blob([sample]).stream() : sample;
const answer = await fetch(url, {
  method: "POST",
  headers: { "Content-Type": "application/json", "X-Netography": "Webhook", Authorization: `Basic ${credentials}` },
  body,
  duplex: "half",
  signal: AbortSignal.timeout(20_000),
});
console.log(answer.status);
