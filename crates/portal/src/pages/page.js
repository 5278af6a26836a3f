// Keeps a page fresh, and answers while somebody types. Everything that it does, the pages do without it, one load later:
// it asks the server for the same page again, and takes out of the answer the parts that are marked `data-live`.

const EVERY = 2000;
const PATIENCE = 300;

/** Puts the marked parts of an answer in the place of those that are there, unless somebody is using them. */
function take(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const other = fresh.getElementById(part.id);
    if (!other || other.innerHTML === part.innerHTML || inUse(part)) continue;
    part.replaceChildren(...[...other.childNodes].map((node) => document.importNode(node, true)));
  }
}

function inUse(part) {
  if (part.matches(".wrong, #preview, #tried")) return false;
  const selection = getSelection();
  const selected = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  return selected || (part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea, button"));
}

function lost(is) {
  const sign = document.getElementById("lost");
  if (sign) sign.hidden = !is;
}

let asking = false;
async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.assign(answer.url);
    if (answer.ok) take(await answer.text());
    lost(false);
  } catch {
    lost(true);
  } finally {
    asking = false;
  }
}

const form = document.querySelector("form[data-check]");
if (form) {
  let last = 0;
  /** Posts the form as it stands, for what the button says; only the latest answer counts. */
  async function post(act) {
    const turn = ++last;
    const body = new URLSearchParams(new FormData(form));
    body.set("act", act);
    try {
      const answer = await fetch(form.action, { method: "POST", body });
      if (turn !== last) return null;
      if (answer.redirected) {
        location.assign(answer.url);
        return null;
      }
      take(await answer.text());
      lost(false);
      return answer;
    } catch {
      lost(true);
      return null;
    }
  }
  let waiting = 0;
  if (form.id === "integration") {
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => post("look"), PATIENCE);
    });
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    const button = event.submitter;
    if (button) button.disabled = true;
    const answer = await post(button?.value || "save");
    if (button) button.disabled = false;
    if (!answer) return;
    const first = answer.ok ? document.getElementById("tried") : document.querySelector(".wrong:not(:empty)");
    first?.scrollIntoView({ block: "nearest" });
  });
} else if (document.querySelector("[data-live]")) {
  setInterval(refresh, EVERY);
  document.addEventListener("visibilitychange", refresh);
}

// What cannot be undone asks first.
document.addEventListener("submit", (event) => {
  const ask = event.target.dataset?.ask;
  if (ask && !confirm(ask)) event.preventDefault();
});

// Empty filters need not stand in the address.
document.querySelector("form[data-filters]")?.addEventListener("submit", (event) => {
  for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
});

// A search over the rows of a table.
for (const search of document.querySelectorAll("[data-filter]")) {
  search.addEventListener("input", (event) => {
    event.stopPropagation();
    const wanted = search.value.trim().toLowerCase();
    for (const row of document.querySelectorAll(search.dataset.filter)) {
      const named = [...row.querySelectorAll("input")].map((input) => input.value).join(" ");
      row.hidden = !(row.textContent + " " + named).toLowerCase().includes(wanted);
    }
  });
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
}
