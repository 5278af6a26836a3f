// One capture in full: verdict, what changed since the event's previous update, body, header fields, the bytes.

import { WORDS, clock, element, judged, plain, summary } from "./list.js";

const LONG = 2000;
const MANY = 200;
const RAW = 64 * 1024;
const FEW = 8;

// A number as it was written: reading it as a number could change it.
class Literal {
  constructor(source) { this.source = source; }
}

export function parse(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context?.source !== undefined ? new Literal(context.source) : value);
}

function bodyOf(record) {
  if (typeof record.body === "string") return record.body;
  return null;
}

function bytesOf(encoded) {
  return Uint8Array.from(atob(encoded), (c) => c.charCodeAt(0));
}

// A long text is shown in part until the rest is asked for.
function long(tag, cls, text, most) {
  const box = element(tag, cls, plain(text.slice(0, most)));
  if (text.length <= most) return box;
  const more = element("button", "", `show all ${text.length.toLocaleString("en")} characters`);
  more.type = "button";
  more.addEventListener("click", () => { box.textContent = plain(text); });
  return element("div", "", box, more);
}

function leaf(value) {
  if (value instanceof Literal) return element("span", "leaf", value.source.slice(0, LONG));
  if (typeof value === "string") return long("span", "leaf", JSON.stringify(value), LONG);
  return element("span", "leaf", String(value));
}

function isLeaf(value) {
  return value === null || typeof value !== "object" || value instanceof Literal;
}

// A value under its name. What is inside is made when it is opened, a part at a time.
function node(name, value, open) {
  const label = name === null ? "" : `${plain(name).slice(0, 300)}: `;
  if (isLeaf(value)) return element("div", "", element("span", "name", label), leaf(value));
  const entries = Array.isArray(value) ? value.map((item, at) => [String(at), item]) : Object.entries(value);
  const mark = Array.isArray(value) ? `[${entries.length}]` : `{${entries.length}}`;
  const inside = element("div", "inside");
  const details = element("details", "", element("summary", "", element("span", "name", label), element("span", "faint", mark)), inside);
  let shown = 0;
  const fill = () => {
    const part = entries.slice(shown, shown + MANY);
    shown += part.length;
    inside.querySelector(":scope > button")?.remove();
    inside.append(...part.map(([key, item]) => node(key, item, false)));
    if (shown < entries.length) {
      const more = element("button", "", `show more (${(entries.length - shown).toLocaleString("en")} left)`);
      more.type = "button";
      more.addEventListener("click", fill);
      inside.append(more);
    }
  };
  details.addEventListener("toggle", () => { if (details.open && shown === 0) fill(); });
  if (open) { details.open = true; fill(); }
  return details;
}

// Every leaf under its path, as it was written.
function flat(value, path, into) {
  if (isLeaf(value)) into.set(path, value instanceof Literal ? value.source : JSON.stringify(value));
  else if (Object.keys(value).length === 0) into.set(path, Array.isArray(value) ? "[]" : "{}");
  else for (const [key, item] of Object.entries(value)) flat(item, path ? `${path}.${key}` : key, into);
  return into;
}

function differences(before, now) {
  const [old, fresh] = [flat(before, "", new Map()), flat(now, "", new Map())];
  const lines = [];
  for (const [path, value] of fresh) {
    if (!old.has(path)) lines.push(["added", `${path}: ${value}`]);
    else if (old.get(path) !== value) lines.push(["changed", `${path}: ${old.get(path)} → ${value}`]);
  }
  for (const [path, value] of old) if (!fresh.has(path)) lines.push(["removed", `${path}: ${value}`]);
  return lines;
}

function checks(record) {
  const list = element("ul", "checks");
  const marks = { passed: ["good", "✓ passed"], noted: ["odd", "• noted"], failed: ["bad", "✗ failed"], skipped: ["faint", "– not checked"] };
  for (const check of record.checks) {
    const [cls, word] = marks[check.result] ?? ["", check.result];
    const item = element("li", "", element("strong", "", check.check), " ", element("span", cls, word));
    if (check.reason) item.append(element("span", "faint", `: ${plain(check.reason)}`));
    if (check.problems?.length) item.append(...problems(check.problems));
    list.append(item);
  }
  return list;
}

// The first few problems; the others when they are asked for.
function problems(all) {
  const line = (problem) => element(
    "li", "", element("strong", "", plain(problem.what).slice(0, LONG)), `: expected ${plain(problem.expected)}, got ${plain(problem.got).slice(0, LONG)}`);
  const few = element("ul", "", ...all.slice(0, FEW).map(line));
  if (all.length <= FEW) return [few];
  const rest = element("details", "", element("summary", "faint", `and ${all.length - FEW} more like these`), element("ul", "", ...all.slice(FEW).map(line)));
  return [few, rest];
}

function table(cls, rows) {
  return element("table", cls, ...rows.map(([name, value]) => element(
    "tr", "", element("th", "", plain(name)), element("td", "", plain(value).slice(0, 8 * 1024)))));
}

function facts(record) {
  const rows = [
    ["came", `${new Date(record.at * 1000).toISOString()} from ${record.peer}`],
    ["connection", `${record.connection}${record.turn > 1 ? `, used again: its request ${record.turn}` : ""}${record.secure ? ", TLS" : ""}`],
  ];
  if (record.kind === "request") {
    rows.push(["version", record.version]);
    rows.push(["timing", `head ${record.head_ms.toFixed(2)} ms, body ${record.body_ms.toFixed(2)} ms`]);
    const size = bodyOf(record) === null ? (record.body_problem ?? `${bytesOf(record.body_base64 ?? "").length} bytes, not UTF-8`) : `${new Blob([bodyOf(record)]).size} bytes`;
    rows.push(["body", size]);
    if (record.chunks) rows.push(["chunks", `${record.chunks.length}: ${record.chunks.join(", ")} bytes`]);
    if (record.webhook_id) rows.push(["webhook-id", record.webhook_id]);
  }
  if (record.why) rows.push(["what came", record.why]);
  rows.push(["answer", record.status === null ? "none" : String(record.status)]);
  if (record.fault) rows.push(["fault", record.fault.what]);
  return table("", rows);
}

function body(record) {
  const text = bodyOf(record);
  if (text === null) {
    if (record.body_base64) return element("pre", "", plain(new TextDecoder().decode(bytesOf(record.body_base64))).slice(0, RAW));
    return element("p", "faint", plain(record.body_problem ?? "none"));
  }
  try {
    return element("div", "tree", node(null, parse(text), true));
  } catch (error) {
    return element("div", "", element("p", "odd", `not shown as a tree: ${plain(error.message).slice(0, 300)}`), long("pre", "", text, RAW));
  }
}

function section(title, ...children) {
  return [element("h3", "", title), ...children];
}

// Fills `box` with a capture; `previous` is the event's update before it, if there is one.
export function show(box, record, previous, actions) {
  const verdict = judged(record);
  const title = element("h2", `title ${verdict}`, `#${record.number} ${plain(summary(record)).slice(0, 500)} `, element("span", "word", WORDS[verdict]));
  const bar = element("div", "actions");
  for (const [label, id, act] of actions) {
    const button = element("button", "", label);
    button.type = "button";
    if (id) button.id = id;
    button.addEventListener("click", act);
    bar.append(button);
  }
  const parts = [title, bar, ...section("Verdict", checks(record))];
  if (record.kind === "request") {
    parts.push(...section("Difference to the event's previous update", difference(record, previous)));
    parts.push(...section("Body", body(record)));
    parts.push(...section("Header fields", table("mono", record.headers)));
  }
  parts.push(...section("Exchange", facts(record)));
  if (record.raw) {
    const text = new TextDecoder().decode(bytesOf(record.raw));
    const details = element("details", "", element("summary", "", `as it came, secrets masked${record.raw_cut ? "; more came than is kept" : ""}`));
    details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(long("pre", "raw", text, RAW)); });
    parts.push(...section("Bytes", details));
  }
  box.replaceChildren(...parts);
}

function difference(record, previous) {
  if (!previous) return element("p", "faint", "there is none");
  try {
    const lines = differences(parse(bodyOf(previous)), parse(bodyOf(record)));
    const title = element("p", "faint", `to #${previous.number}, ${clock(previous.at)}: ${lines.length === 0 ? "nothing" : `${lines.length} places`}`);
    return element("div", "diff", title, ...lines.slice(0, MANY).map(([cls, text]) => element("p", cls, plain(text).slice(0, LONG))));
  } catch {
    return element("p", "faint", "one of the two is not JSON");
  }
}
