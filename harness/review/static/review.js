// The page comes to life: the review is read, comments are placed, and keys and buttons do things.

import { Comments } from "./comments.js";
import { Files } from "./files.js";
import { Picking } from "./picking.js";
import { visible } from "./visible.js";
import { State } from "./state.js";

const byId = (id) => document.getElementById(id);
const state = new State(document.body.dataset.kit);
const files = new Files(byId("files"));
const picking = new Picking(files);
const comments = new Comments(state, files, picking, tell);
const verdict = byId("verdict").elements;
const keys = byId("keys");

// Tells the person something, for a while, with what can be done about it.
function tell(sentence, acts = {}) {
  const said = document.createElement("p");
  said.textContent = visible(sentence);
  const gone = setTimeout(() => said.remove(), 15_000);
  for (const [name, act] of Object.entries({ ...acts, Close: () => {} })) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: name });
    button.addEventListener("click", () => {
      clearTimeout(gone);
      said.remove();
      act();
    });
    said.append(button);
  }
  byId("told").append(said);
  while (byId("told").children.length > 3) byId("told").firstElementChild.remove();
}

const STATUS = { saved: "Saved", saving: "Saving …", writing: "Saving …" };

function status(what, sentence) {
  const node = byId("saved");
  const text = sentence ?? (state.revision === "none" && what === "saved" ? "" : STATUS[what]);
  node.ariaLive = what === "failed" ? "assertive" : "off"; // that it saves need not be said again and again
  if (node.textContent !== text) node.textContent = text;
  node.title = text;
  node.classList.toggle("failed", what === "failed");
  document.body.dataset.status = what;
}

function showVerdict() {
  for (const one of verdict.decision) one.checked = one.value === state.now.decision;
  if (verdict.summary.value !== state.now.summary) verdict.summary.value = state.now.summary;
}

function decide() {
  const all = [...verdict.decision];
  (all.find((one) => one.checked) ?? all[0]).focus();
  byId("decision").scrollIntoView();
}

// One column or two; the person stays at the same lines.
async function show(view) {
  const { now } = picking;
  picking.letGo();
  await files.show(view);
  picking.enter();
  if (now) picking.goTo({ path: now.file[now.side].path, side: now.side, last: now.last });
  for (const link of document.querySelectorAll(".views a")) {
    if (link.dataset.view === view) link.ariaCurrent = "true";
    else link.removeAttribute("aria-current");
  }
}

state.onstatus = status;
state.ontell = tell;
state.onrename = (id, name) => comments.rename(id, name);
state.onchange = (ids) => {
  comments.draw(ids);
  showVerdict();
};
files.onlayout = () => comments.place();
files.onmore = (row) => picking.go(row);
picking.onpick = () => comments.begin();

for (const link of document.querySelectorAll(".views a")) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    show(link.dataset.view);
  });
}
byId("ask").addEventListener("click", () => keys.showModal());
for (const one of verdict.decision) one.addEventListener("change", () => state.decide(one.value));
verdict.summary.addEventListener("input", () => state.summarise(verdict.summary.value));
verdict.summary.addEventListener("blur", () => state.flush());
byId("verdict").addEventListener("submit", (event) => event.preventDefault());

document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "hidden") state.flush({ leaving: true });
  else state.refresh();
});
addEventListener("pagehide", () => state.flush({ leaving: true }));
addEventListener("focus", () => state.refresh());

const ACTS = {
  j: () => picking.step(1),
  k: () => picking.step(-1),
  n: () => comments.step(1),
  p: () => comments.step(-1),
  c: () => comments.begin(),
  e: () => on((id) => comments.edit(id)),
  Delete: () => on((id) => comments.remove(id)),
  u: () => show("unified"),
  s: () => show("split"),
  d: () => decide(),
  "?": () => keys.showModal(),
  ArrowDown: (event) => picking.move(1, event.shiftKey),
  ArrowUp: (event) => picking.move(-1, event.shiftKey),
  ArrowLeft: () => picking.turn("old"),
  ArrowRight: () => picking.turn("new"),
  Escape: () => picking.letGo(),
};

// Does something with the comment that has the focus.
function on(act) {
  const id = document.activeElement?.closest("article.comment")?.dataset.id;
  if (id) act(id);
}

addEventListener("keydown", (event) => {
  if (keys.open || event.isComposing) return;
  const form = event.target.closest?.("form.editor");
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    if (form) comments.close({ focus: true });
    else state.flush();
    return;
  }
  if (event.key === "Escape" && form) {
    event.preventDefault();
    comments.close({ focus: true });
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest?.("input:not([type=radio]), select, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const arrow = event.key.startsWith("Arrow");
  if (arrow && !event.target.closest?.("tr.line")) return; // else the window scrolls, as it should
  const act = ACTS[event.key];
  if (!act) return;
  if (event.key !== "Escape") event.preventDefault();
  act(event);
});

document.documentElement.classList.remove("no-script");
await state.start();
comments.draw([]);
showVerdict();
document.body.dataset.ready = "true";
await files.prepare();
document.body.dataset.prepared = "true";
