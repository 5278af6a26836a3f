// The list: only the rows that are in view exist, so that thousands scroll as ten do.

export const ROW = 50;
const AHEAD = 8;

// What came over the network is shown as text; what would move the text around is written out.
export function plain(text) {
  return String(text).replace(
    /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (c) => `\\u{${c.codePointAt(0).toString(16)}}`,
  );
}

export function element(tag, cls, ...children) {
  const made = document.createElement(tag);
  if (cls) made.className = cls;
  made.append(...children);
  return made;
}

export function clock(at) {
  const date = new Date(at * 1000);
  return Number.isNaN(date.getTime()) ? "" : date.toISOString().slice(11, 23);
}

export function judged(capture) {
  if (capture.kind !== "request" && capture.kind !== "head") return "other";
  if (!capture.passed) return "failed";
  return (capture.checks || []).some((check) => check.result === "noted") ? "noted" : "passed";
}

export const WORDS = { passed: "✓ verified", noted: "• noted", failed: "✗ failed", other: "○ no request" };

const KINDS = {
  head: "a head that is none",
  handshake: "a TLS handshake that ended",
  unused: "closed unused",
  evicted: "closed to make room",
  turned: "not read, on purpose",
};

export function summary(capture) {
  if (capture.kind !== "request") return KINDS[capture.kind] || capture.kind;
  return `${capture.method} ${capture.target}`;
}

// One capture as a row of two lines.
export function captureRow(capture) {
  const verdict = judged(capture);
  const status = capture.status ?? "---";
  const first = element(
    "p", "",
    element("span", "time", `#${capture.number} ${clock(capture.at)}`),
    element("span", "grow", ""),
    element("span", "mono", String(status)),
    element("span", "word", WORDS[verdict]),
  );
  const what = capture.event || capture.alerttype ? `${capture.alerttype ?? ""} ${capture.event ?? ""}` : summary(capture);
  const second = element("p", "", element("span", "grow id", plain(what).slice(0, 200)));
  if (capture.kind === "request" && what !== summary(capture)) second.append(element("span", "faint mono", plain(capture.method)));
  if (capture.fault) second.append(element("span", "odd", "fault"));
  const row = element("div", `row ${verdict}`, first, second);
  row.title = plain(summary(capture)).slice(0, 300);
  return row;
}

// Which part of an event's life has room in its row: the latest updates, or those around the selected one.
const MOST = 8;

export function inView(updates, selected) {
  const at = updates.findIndex((update) => update.number === selected);
  const latest = Math.max(0, updates.length - MOST);
  const first = at === -1 ? latest : Math.min(latest, Math.max(0, at - 1));
  return [first, updates.slice(first, first + MOST)];
}

// One event as a row: its life from start to end, each update a chip. Chips are no buttons: a row of a list box holds
// none. The arrow keys go from one to the next.
export function eventRow(group, selected) {
  const words = new Set(group.updates.map(judged));
  const verdict = ["failed", "noted", "passed", "other"].find((word) => words.has(word));
  const what = group.id === null ? "capture" : "update";
  const first = element(
    "p", "",
    element("span", "grow id", plain(group.id ?? "(no event)").slice(0, 200)),
    element("span", "faint", group.updates.length === 1 ? `1 ${what}` : `${group.updates.length} ${what}s`),
    element("span", "word", WORDS[verdict]),
  );
  const second = element("p", "");
  const [before, shown] = inView(group.updates, selected);
  const after = group.updates.length - before - shown.length;
  if (before > 0) second.append(element("span", "faint", `${before} earlier →`));
  shown.forEach((update, at) => {
    if (at > 0) second.append(element("span", "faint", "→"));
    const failed = judged(update) === "failed";
    const word = update.alerttype ?? summary(update);
    const chip = element("span", failed ? "chip failed" : "chip", `${failed ? "✗ " : ""}${plain(word).slice(0, 24)}`);
    chip.dataset.number = update.number;
    chip.title = `#${update.number} ${clock(update.at)} ${update.status ?? "no answer"}`;
    chip.setAttribute("aria-current", String(update.number === selected));
    second.append(chip);
  });
  if (after > 0) second.append(element("span", "faint", `→ ${after} later`));
  return element("div", `row ${verdict}`, first, second);
}

// Keeps `rows` filled with what is in view. A row is made once and stays the same element while it is in view and says the
// same, so that it can be clicked, marked and read aloud however fast others come.
//
// What is listed tells of each index: `key`, which row it is; `age`, what its place goes by; `stamp`, what it says; `make`,
// the row; `mark`, how it is marked.
export class VirtualList {
  constructor(box, rows) {
    Object.assign(this, { box, rows, length: 0, listed: null, drawn: false, made: new Map(), after: () => {} });
    box.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.soon()).observe(box);
  }

  show(length, listed) {
    Object.assign(this, { length, listed });
    this.rows.style.height = `${length * ROW}px`;
    this.soon();
  }

  // However often something changes, it is drawn once a frame.
  soon() {
    if (this.drawn) return;
    this.drawn = true;
    requestAnimationFrame(() => { this.drawn = false; this.draw(); });
  }

  draw() {
    const { scrollTop, clientHeight } = this.box;
    const first = Math.max(0, Math.floor(scrollTop / ROW) - AHEAD);
    const last = Math.min(this.length, Math.ceil((scrollTop + clientHeight) / ROW) + AHEAD);
    const made = new Map();
    let next = this.rows.firstChild;
    for (let index = first; index < last; index += 1) {
      const [key, stamp] = [this.listed.key(index), this.listed.stamp(index)];
      let row = this.made.get(key);
      if (row?.dataset.stamp !== stamp) {
        row = this.listed.make(index);
        row.dataset.stamp = stamp;
        row.setAttribute("role", "option");
      }
      row.style.top = `${index * ROW}px`;
      row.setAttribute("aria-posinset", String(index + 1));
      row.setAttribute("aria-setsize", String(this.length));
      this.listed.mark(index, row);
      if (row === next) next = next.nextSibling;
      else this.rows.insertBefore(row, next);
      made.set(key, row);
    }
    this.made = made;
    const kept = new Set(made.values());
    for (const row of [...this.rows.children]) if (!kept.has(row)) row.remove();
    this.after();
  }

  // The rows in view, and where in it they are.
  anchors() {
    const { scrollTop, clientHeight } = this.box;
    const anchors = [];
    for (let index = Math.floor(scrollTop / ROW); index < this.length && index * ROW < scrollTop + clientHeight; index += 1) {
      anchors.push({ key: this.listed.key(index), age: this.listed.age(index), below: index * ROW - scrollTop });
    }
    return anchors;
  }

  // Puts the first of those rows that did not move for a reason of its own back to where it was.
  hold(anchors) {
    const at = new Map();
    if (anchors.length > 0) for (let index = 0; index < this.length; index += 1) at.set(this.listed.key(index), index);
    const held = anchors.find(({ key, age }) => at.has(key) && this.listed.age(at.get(key)) === age);
    if (!held) return;
    const top = Math.max(0, at.get(held.key) * ROW - held.below);
    if (top !== this.box.scrollTop) this.box.scrollTop = top;
  }

  // What was listed is of something else: no row of it is used again.
  forget() {
    this.made.clear();
  }

  reveal(index) {
    const top = index * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW - this.box.clientHeight;
  }
}
