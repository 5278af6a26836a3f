// Keeps a page fresh, and answers while somebody types. Everything that it does, the pages do without it, one load later:
// it asks the server for the same page again, and takes out of the answer the parts that are marked `data-live`.

const EVERY = 2000;
const PATIENCE = 300;

const LIVE = { "x-live": "1" };

/** Puts the marked parts of an answer in the place of those that are there, unless somebody is using them. */
function take(fresh, marked) {
  for (const part of document.querySelectorAll(marked)) {
    const other = fresh.getElementById(part.id);
    if (!other || other.innerHTML === part.innerHTML || inUse(part)) continue;
    part.replaceChildren(...[...other.childNodes].map((node) => document.importNode(node, true)));
  }
}

async function read(answer) {
  return new DOMParser().parseFromString(await answer.text(), "text/html");
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
  document.getElementById("state")?.classList.toggle("unknown", is);
}

let asking = false;
async function refresh() {
  if (asking || document.hidden) return;
  asking = true;
  try {
    const answer = await fetch(location.href, { headers: LIVE });
    if (answer.redirected && new URL(answer.url).pathname !== location.pathname) return location.assign(answer.url);
    // What is said of a form is not taken away again: a page that is asked for anew says nothing of it.
    if (answer.ok) take(await read(answer), "[data-live][id]:not(.wrong)");
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
  let saving = false;

  /** Posts the form as it stands, for what the button says. A server that was started again wants another confirmation. */
  async function send(act, again = true) {
    const body = new URLSearchParams(new FormData(form));
    body.set("act", act);
    const answer = await fetch(form.action, { method: "POST", body, headers: LIVE });
    if (answer.status !== 403 || !again) return answer;
    const fresh = await read(await fetch(location.href, { headers: LIVE }));
    const word = fresh.querySelector("form[data-check] [name='csrf']")?.value;
    if (!word) return answer;
    form.elements.csrf.value = word;
    return send(act, false);
  }

  /** Says above the form what stands in the way. */
  function say(text) {
    const place = document.getElementById("wrong-other");
    place.textContent = text;
    place.scrollIntoView({ block: "nearest" });
  }

  /** Asks, and shows what the answer says; of several looks only the latest counts. Gives whether it was good. */
  async function post(act) {
    const turn = ++last;
    try {
      const answer = await send(act);
      if (act === "look" && (turn !== last || saving)) return true;
      lost(false);
      if (answer.redirected && /^\/(login|setup)$/.test(new URL(answer.url).pathname)) {
        say("You are no longer logged in (a start of the server ends all sessions). Log in again in another tab, and go on here.");
        return false;
      }
      if (answer.redirected) {
        location.assign(answer.url);
        return true;
      }
      const fresh = await read(answer);
      if (answer.ok || answer.status === 422) {
        take(fresh, "[data-live][id]");
        return answer.ok;
      }
      say(fresh.querySelector("[role='alert']")?.textContent || `The server answers ${answer.status}.`);
      return false;
    } catch {
      lost(true);
      if (act !== "look") say("The server does not answer. Nothing that was typed is lost: try again when it does.");
      return false;
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
    if (saving) return;
    clearTimeout(waiting);
    document.querySelector(".done")?.remove();
    saving = true;
    const button = event.submitter;
    if (button) button.disabled = true;
    const good = await post(button?.value || "save");
    if (button) button.disabled = false;
    saving = false;
    const shown = good ? document.getElementById("tried") : document.querySelector(".wrong:not(:empty)");
    shown?.scrollIntoView({ block: "nearest" });
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
addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll("form[data-filters] :disabled")) field.disabled = false;
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
