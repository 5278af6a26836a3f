// The page: takes what comes, keeps what is shown in the address, and listens to the keys.

import { VirtualList, captureRow, element, eventRow, inView, judged } from "./list.js";
import { show } from "./detail.js";

const MOST = 10_000;
const $ = (id) => document.getElementById(id);
const list = new VirtualList($("list"), $("rows"));

const state = {
  captures: [], // oldest first
  waiting: [], // what came while paused
  view: [], // what is listed, newest first: captures, or groups of them
  counts: {},
  found: null, // numbers in which the search text was found, or null
  selected: null,
  following: true,
  paused: false,
  group: false,
  verdict: "",
  q: "",
};

// ---- the address: #n=7&v=failed&q=text&g=1 ----

function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const number = Number.parseInt(parts.get("n") ?? "", 10);
  state.selected = Number.isSafeInteger(number) ? number : null;
  state.following = state.selected === null;
  state.verdict = parts.get("v") ?? "";
  state.q = parts.get("q") ?? "";
  state.group = parts.get("g") === "1";
  $("verdict").value = state.verdict;
  $("search").value = state.q;
}

function writeAddress() {
  const parts = new URLSearchParams();
  if (state.selected !== null && !state.following) parts.set("n", state.selected);
  if (state.verdict) parts.set("v", state.verdict);
  if (state.q) parts.set("q", state.q);
  if (state.group) parts.set("g", "1");
  const hash = parts.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname);
}

// ---- what is listed ----

function wanted(capture) {
  if (state.verdict && judged(capture) !== state.verdict) return false;
  return state.found === null || state.found.has(capture.number);
}

function groups(captures) {
  const byEvent = new Map();
  for (const capture of captures) {
    const key = capture.event ?? null;
    if (!byEvent.has(key)) byEvent.set(key, { id: key, updates: [] });
    byEvent.get(key).updates.push(capture);
  }
  const latest = (group) => group.updates.at(-1).number;
  return [...byEvent.values()].sort((a, b) => latest(b) - latest(a));
}

function draw() {
  const anchors = state.following ? [] : list.anchors();
  const shown = state.captures.filter(wanted);
  state.view = state.group ? groups(shown) : shown.reverse();
  if (state.following && shown.length > 0) {
    const newest = state.group ? state.view[0].updates.at(-1) : state.view[0];
    select(newest.number, false);
  }
  list.show(state.view.length, state.group ? EVENTS : CAPTURES);
  if (state.following) $("list").scrollTop = 0;
  else list.hold(anchors);
  const { received = 0, failed = 0, passed = 0, without_request: without = 0, dropped = 0 } = state.counts;
  const parts = [`${received} received`, `${passed} verified`, `${failed} failed`];
  if (without) parts.push(`${without} without a request`);
  if (dropped) parts.push(`${dropped} dropped`);
  if (state.view.length !== state.captures.length && !state.group) parts.push(`${state.view.length} shown`);
  if (!state.following && state.captures.length > 0) parts.push("not following the newest");
  if (state.paused) parts.push(`paused, ${state.waiting.length} wait`);
  $("counts").textContent = parts.join(" · ");
  $("follow").textContent = state.following ? "Following newest" : "Follow newest";
  for (const [id, on] of [["follow", state.following], ["pause", state.paused], ["group", state.group]]) $(id).setAttribute("aria-pressed", String(on));
  $("pause").textContent = state.paused ? "Go on" : "Pause";
  if (state.captures.length === 0 && state.selected === null) {
    $("detail").replaceChildren(element("p", "empty", "Nothing came yet. Point a sender at the receiver's URL above."));
  }
}

function mark(row, number, selected) {
  row.dataset.number = number;
  row.id = `row-${number}`;
  row.setAttribute("aria-selected", String(selected));
}

const CAPTURES = {
  key: (index) => state.view[index].number,
  age: (index) => state.view[index].number,
  stamp: () => "capture",
  make: (index) => captureRow(state.view[index]),
  mark: (index, row) => mark(row, state.view[index].number, state.view[index].number === state.selected),
};

const has = (group, number) => group.updates.some((update) => update.number === number);

const EVENTS = {
  key: (index) => (state.view[index].id === null ? "none" : `event ${state.view[index].id}`),
  age: (index) => state.view[index].updates.at(-1).number,
  stamp: (index) => {
    const group = state.view[index];
    const selected = has(group, state.selected) ? state.selected : null;
    return JSON.stringify([group.updates.length, selected, inView(group.updates, selected)[1].map((update) => update.number)]);
  },
  make: (index) => eventRow(state.view[index], state.selected),
  mark: (index, row) => mark(row, state.view[index].updates.at(-1).number, has(state.view[index], state.selected)),
};

// What is selected is named for who hears the list, while its row is there.
list.after = () => {
  const selected = $("rows").querySelector('[aria-selected="true"]');
  if (selected) $("list").setAttribute("aria-activedescendant", selected.id);
  else $("list").removeAttribute("aria-activedescendant");
};

// ---- what is selected ----

function stopFollowing() {
  if (!state.following) return;
  state.following = false;
  writeAddress();
  draw();
}

// By hand: that stops following.
function choose(number, read) {
  state.following = false;
  select(number, true);
  if (read) document.body.classList.add("reading");
  draw();
}

let asked = 0;

async function select(number, force) {
  if (number === state.selected && !force && $("detail").dataset.number === String(number)) return;
  state.selected = number;
  writeAddress();
  asked += 1;
  const mine = asked;
  try {
    const record = await fetchJson(`/api/captures/${number}`);
    const previous = record.event ? await fetchJson(`/api/captures/${number}/previous`).catch(() => null) : null;
    if (mine !== asked) return;
    show($("detail"), record, previous, actions(record));
    $("detail").dataset.number = String(number);
  } catch (error) {
    if (mine === asked) $("detail").replaceChildren(element("p", "empty", `#${number}: ${error.message}`));
  }
}

async function fetchJson(path) {
  const answer = await fetch(path);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error ?? answer.statusText);
  return body;
}

function actions(record) {
  const back = ["← List", "back", () => { document.body.classList.remove("reading"); $("list").focus(); }];
  if (record.kind !== "request") return [back];
  const save = (kind) => () => { location.assign(`/api/captures/${record.number}/${kind}`); };
  return [back, ["Copy as curl", "copy", () => copy(record.number)], ["HAR", "", save("har")], ["JSON", "", save("json")]];
}

async function copy(number) {
  const command = await (await fetch(`/api/captures/${number}/curl`)).text();
  let word = "Copied";
  try {
    await navigator.clipboard.writeText(command);
  } catch {
    // Without the right to the clipboard the command is shown, to be copied by hand.
    const box = element("pre", "", command);
    $("detail").querySelector(".actions").after(box);
    getSelection().selectAllChildren(box);
    word = "Marked below";
  }
  const button = $("copy");
  if (button) button.textContent = word;
}

// ---- what comes ----

function take(captures) {
  state.captures.push(...captures);
  if (state.captures.length > MOST) state.captures.splice(0, state.captures.length - MOST);
  if (state.q && captures.length > 0) search(captures[0].number - 1);
}

function listen() {
  const source = new EventSource("/api/stream");
  let lost = false;
  source.addEventListener("open", () => {
    $("link").textContent = "";
    $("link").className = "";
    if (!lost) return;
    // The receiver may be another one by now, or have forgotten: all is read again.
    source.close();
    Object.assign(state, { captures: [], waiting: [] });
    list.forget();
    delete $("detail").dataset.number;
    draw();
    listen();
  });
  source.addEventListener("error", () => { lost = true; $("link").textContent = "connection lost, trying again"; $("link").className = "lost"; });
  source.addEventListener("captures", (event) => {
    const { captures, counts } = JSON.parse(event.data);
    const last = (state.waiting.at(-1) ?? state.captures.at(-1))?.number ?? 0;
    const fresh = captures.filter((capture) => capture.number > last);
    state.counts = counts;
    if (state.paused) state.waiting = [...state.waiting, ...fresh].slice(-MOST);
    else take(fresh);
    draw();
  });
  source.addEventListener("cleared", (event) => {
    Object.assign(state, { captures: [], waiting: [], selected: null, following: true, counts: JSON.parse(event.data) });
    document.body.classList.remove("reading");
    delete $("detail").dataset.number;
    writeAddress();
    draw();
  });
}

let searching = 0;

// From `after` on; what was found before that stays.
async function search(after = 0) {
  if (after === 0) searching += 1;
  const mine = searching;
  if (!state.q) {
    state.found = null;
  } else {
    const found = after === 0 || state.found === null ? new Set() : state.found;
    for (let more = true; more;) {
      const answer = await fetchJson(`/api/captures?limit=1000&after=${after}&q=${encodeURIComponent(state.q)}`);
      if (mine !== searching) return;
      for (const capture of answer.captures) found.add(capture.number);
      more = answer.more;
      after = answer.captures.at(-1)?.number ?? after;
    }
    state.found = found;
  }
  draw();
}

// ---- by hand ----

function move(step) {
  if (state.view.length === 0) return;
  const of = (item) => (state.group ? item.updates : [item]);
  const at = state.view.findIndex((item) => of(item).some((capture) => capture.number === state.selected));
  const next = Math.min(state.view.length - 1, Math.max(0, at + step));
  choose(of(state.view[next]).at(-1).number, false);
  list.reveal(next);
}

// Along the life of the selected event.
function along(step) {
  const group = state.group && state.view.find((item) => has(item, state.selected));
  if (!group) return;
  const at = group.updates.findIndex((update) => update.number === state.selected);
  const next = group.updates[at + step];
  if (next) choose(next.number, false);
}

function follow() {
  state.following = !state.following;
  writeAddress();
  draw();
}

function pause() {
  state.paused = !state.paused;
  if (!state.paused) { take(state.waiting); state.waiting = []; }
  draw();
}

function group() {
  state.group = !state.group;
  writeAddress();
  draw();
}

async function rules() {
  const { lines } = await fetchJson("/api/faults");
  $("rules-text").value = lines.join("\n");
  $("rules-error").textContent = "";
  $("rules").showModal();
}

async function applyRules() {
  const lines = $("rules-text").value.split("\n").map((line) => line.trim()).filter((line) => line);
  const answer = await fetch("/api/faults", { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify({ rules: lines }) });
  if (answer.ok) $("rules").close();
  else $("rules-error").textContent = (await answer.json()).error;
}

const KEYS = {
  ArrowLeft: () => along(-1), ArrowRight: () => along(1),
  j: () => move(1), ArrowDown: () => move(1), k: () => move(-1), ArrowUp: () => move(-1),
  "/": () => $("search").focus(), f: follow, p: pause, g: group, "?": () => $("keys").showModal(),
  c: () => { if (state.selected !== null) copy(state.selected); },
  Enter: () => { stopFollowing(); document.body.classList.add("reading"); $("detail").focus(); },
  Escape: () => { document.body.classList.remove("reading"); $("list").focus(); },
};

document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (target.matches("input, textarea, select")) {
    if (key === "Escape") { target.blur(); $("list").focus(); }
    return;
  }
  const ownKeys = target.matches("button, summary, a") && (key === "Enter" || key === " ");
  const reading = $("detail").contains(target) && key.startsWith("Arrow");
  if (!KEYS[key] || ownKeys || reading) return;
  event.preventDefault();
  KEYS[key]();
});

let typing;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { state.q = $("search").value; writeAddress(); search(); }, 150);
});
$("verdict").addEventListener("change", () => { state.verdict = $("verdict").value; writeAddress(); draw(); });
$("follow").addEventListener("click", follow);
$("pause").addEventListener("click", pause);
$("group").addEventListener("click", group);
$("help").addEventListener("click", () => $("keys").showModal());
$("faults").addEventListener("click", rules);
$("rules-apply").addEventListener("click", applyRules);
$("rules-close").addEventListener("click", () => $("rules").close());
$("clear").addEventListener("click", () => fetch("/api/captures", { method: "DELETE" }));
$("rows").addEventListener("click", ({ target }) => {
  const chosen = target.closest(".chip") ?? target.closest(".row");
  if (chosen) choose(Number(chosen.dataset.number), true);
});
// While it follows the newest the list stays at its top, so that only a hand moves it away; and whoever reads a capture
// wants it to stay.
$("list").addEventListener("scroll", () => { if ($("list").scrollTop > 4) stopFollowing(); }, { passive: true });
for (const kind of ["wheel", "touchmove", "pointerdown"]) $("detail").addEventListener(kind, stopFollowing, { passive: true });
$("export").addEventListener("toggle", () => {
  const query = new URLSearchParams();
  if (state.q) query.set("q", state.q);
  if (["failed", "noted", "passed"].includes(state.verdict)) query.set("verdict", state.verdict);
  for (const link of $("export").querySelectorAll("a")) link.href = `/api/export/${link.dataset.as}?${query}`;
});
addEventListener("hashchange", () => { readAddress(); search(); if (state.selected !== null) select(state.selected, true); });

readAddress();
draw();
if (state.selected !== null) { select(state.selected, true); document.body.classList.add("reading"); }
if (state.q) search();
listen();
fetchJson("/api/captures?limit=0").then(({ receiver }) => { $("where").textContent = receiver; document.title = `Inspector ${receiver}`; }).catch(() => {});
