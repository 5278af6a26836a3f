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
  if (capture.kind === "request") second.append(element("span", "faint mono", plain(capture.method)));
  if (capture.fault) second.append(element("span", "odd", "fault"));
  const row = element("div", `row ${verdict}`, first, second);
  row.title = plain(summary(capture)).slice(0, 300);
  return row;
}

// One event as a row: its life from start to end, each update a chip.
export function eventRow(group, selected, choose) {
  const MOST = 8;
  const verdict = group.updates.some((update) => judged(update) === "failed") ? "failed" : "passed";
  const first = element(
    "p", "",
    element("span", "grow id", plain(group.id ?? "(no event)").slice(0, 200)),
    element("span", "faint", group.updates.length === 1 ? "1 update" : `${group.updates.length} updates`),
    element("span", "word", verdict === "failed" ? WORDS.failed : WORDS.passed),
  );
  const second = element("p", "");
  const shown = group.updates.slice(-MOST);
  if (shown.length < group.updates.length) second.append(element("span", "faint", `${group.updates.length - shown.length} earlier →`));
  shown.forEach((update, at) => {
    if (at > 0) second.append(element("span", "faint", "→"));
    const failed = judged(update) === "failed";
    const word = update.alerttype ?? summary(update);
    const chip = element("button", failed ? "chip failed" : "chip", `${failed ? "✗ " : ""}${plain(word).slice(0, 24)}`);
    chip.type = "button";
    chip.tabIndex = -1;
    chip.title = `#${update.number} ${clock(update.at)} ${update.status ?? "no answer"}`;
    chip.setAttribute("aria-current", String(update.number === selected));
    chip.addEventListener("click", (event) => { event.stopPropagation(); choose(update.number); });
    second.append(chip);
  });
  return element("div", `row ${verdict}`, first, second);
}

// Keeps `rows` filled with what is in view. `make(index)` gives a row, `key(index)` tells rows apart.
export class VirtualList {
  constructor(box, rows) {
    Object.assign(this, { box, rows, length: 0, make: () => element("div"), drawn: false });
    box.addEventListener("scroll", () => this.soon(), { passive: true });
    new ResizeObserver(() => this.soon()).observe(box);
  }

  show(length, make) {
    Object.assign(this, { length, make });
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
    this.rows.style.height = `${this.length * ROW}px`;
    const rows = [];
    for (let index = first; index < last; index += 1) {
      const row = this.make(index);
      row.style.top = `${index * ROW}px`;
      row.setAttribute("role", "option");
      row.setAttribute("aria-posinset", String(index + 1));
      row.setAttribute("aria-setsize", String(this.length));
      rows.push(row);
    }
    this.rows.replaceChildren(...rows);
  }

  reveal(index) {
    const top = index * ROW;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    else if (top + ROW > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = top + ROW - this.box.clientHeight;
  }
}
