// The comments, each below the line that it ends at, and the form in which one is written.

import { words } from "./files.js";
import { visible } from "./visible.js";

const part = (id) => document.getElementById(id).content.firstElementChild;
const OVERVIEW = 200; // comments that the overview lists

export class Comments {
  constructor(state, files, picking, tell) {
    Object.assign(this, { state, files, picking, tell });
    this.nodes = new Map(); // id -> its card or its form
    this.names = new Map([...part("editor").elements.category.options].map((one) => [one.value, one.text]));
    this.elsewhere = document.getElementById("elsewhere");
    this.astray = document.getElementById("astray");
  }

  // Shows some of them anew, and what they come to.
  draw(ids) {
    for (const id of ids) this.#drawOne(id);
    this.#sum();
  }

  #drawOne(id) {
    const node = this.nodes.get(id);
    const one = this.state.comment(id);
    if (node && node === this.form) {
      if (one) return this.#fill(node, one); // as another page wrote it, before it is written on
      this.form = null;
    }
    this.#discard(node);
    this.nodes.delete(id);
    if (!one) return;
    this.nodes.set(id, this.#card(one));
    this.#put(one);
  }

  #discard(node) {
    const row = node?.closest("tr.remark");
    node?.remove();
    if (row && !row.querySelector(".comment")) row.remove();
  }

  // Puts each to its place, as after a change of the view.
  place() {
    for (const row of this.files.root.querySelectorAll("tr.remark")) row.remove();
    for (const one of this.state.now.comments.values()) this.#put(one);
    if (this.draft) this.#put(this.draft);
  }

  #put(one) {
    const node = this.nodes.get(one.id);
    const place = this.files.placeOf(one);
    if (!place) this.astray.append(node);
    else this.#below(place.row).append(node);
  }

  // The cell below a row in which its comments stand.
  #below(row) {
    const next = row.nextElementSibling;
    if (next?.classList.contains("remark")) return next.firstElementChild;
    const made = document.createElement("tr");
    made.className = "remark";
    const cell = made.insertCell();
    cell.colSpan = this.files.view === "split" ? 6 : 4;
    row.after(made);
    return cell;
  }

  #card(one) {
    const node = part("comment").cloneNode(true);
    const fill = (name, text) => {
      node.querySelector(`.${name}`).textContent = visible(text);
    };
    fill("severity", one.severity);
    node.querySelector(".severity").classList.add(one.severity);
    fill("category", this.names.get(one.category) ?? one.category);
    fill("place", this.files.placeOf(one) ? words(one) : `${one.path}, ${words(one)}`);
    fill("why", one.why);
    fill("mend", one.mend);
    node.ariaLabel = `Comment, ${one.severity}, on ${words(one)}`;
    node.dataset.id = one.id;
    node.addEventListener("focusin", () => this.files.mark(one, true));
    node.addEventListener("focusout", () => this.files.mark(one, false));
    node.querySelector("[data-act=edit]").addEventListener("click", () => this.edit(node.dataset.id));
    node.querySelector("[data-act=delete]").addEventListener("click", () => this.remove(node.dataset.id));
    return node;
  }

  // Opens the form for a new comment on what is picked.
  begin() {
    const picked = this.picking.now;
    if (!picked) return;
    const { file, side, first, last } = picked;
    this.close();
    this.draft = {
      ...{ id: `c-${crypto.randomUUID()}`, path: file[side].path, side, first, last },
      ...{ severity: "medium", category: "other", why: "", mend: "" },
    };
    this.#open(this.draft);
  }

  edit(id) {
    this.close();
    const one = this.state.comment(id);
    if (one) this.#open(one);
  }

  #open(one) {
    const form = part("editor").cloneNode(true);
    form.dataset.id = one.id;
    form.fresh = one === this.draft;
    this.#fill(form, one);
    form.addEventListener("input", () => this.#written(form));
    form.addEventListener("change", () => this.#written(form));
    form.addEventListener("focusout", () => this.state.flush());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.close({ focus: true });
    });
    form.querySelector("[data-act=delete]").addEventListener("click", () => this.remove(form.dataset.id));
    this.#discard(this.nodes.get(one.id));
    this.nodes.set(one.id, form);
    this.form = form;
    this.#put(one);
    this.files.mark(one, true);
    form.elements.why.focus({ preventScroll: true });
    form.scrollIntoView({ block: "nearest" });
  }

  #fill(form, one) {
    const { severity, category, first, last, why, mend } = form.elements;
    if (!this.names.has(one.category)) category.add(new Option(visible(one.category), one.category));
    [severity.value, category.value, why.value, mend.value] = [one.severity, one.category, one.why, one.mend];
    [first.value, last.value] = [one.first, one.last];
    const place = this.files.placeOf(one);
    const most = place ? place.file[one.side].lines : one.last;
    first.max = last.max = most;
    form.querySelector(".place").textContent = one.side === "old" ? "before the change" : "";
    form.querySelector(".about").textContent = category.selectedOptions[0]?.title ?? "";
    form.ariaLabel = `Comment on ${words(one)}`;
  }

  // What the form says is the comment, whatever is still missing of it.
  #written(form) {
    const one = this.state.comment(form.dataset.id) ?? this.draft;
    const { severity, category, first, last, why, mend } = form.elements;
    const lines = first.validity.valid && last.validity.valid && Number(first.value) <= Number(last.value);
    const span = lines ? { first: Number(first.value), last: Number(last.value) } : {};
    last.setCustomValidity(Number(first.value) > Number(last.value) ? "It ends before it begins." : "");
    form.querySelector(".about").textContent = category.selectedOptions[0]?.title ?? "";
    const next = { ...one, ...span, severity: severity.value, category: category.value, why: why.value, mend: mend.value };
    if (next.first !== one.first || next.last !== one.last) {
      this.files.mark(one, false);
      this.files.mark(next, true);
    }
    if (this.draft?.id === next.id) this.draft = null;
    this.state.put(next);
    this.#sum();
  }

  // Closes the form; a new comment without a word was none.
  close({ focus = false } = {}) {
    const form = this.form;
    if (!form) return;
    this.form = null;
    const id = form.dataset.id;
    const one = this.state.comment(id) ?? this.draft;
    this.draft = null;
    if (one) this.files.mark(one, false);
    this.#discard(form);
    this.nodes.delete(id);
    const empty = form.fresh && !one.why.trim() && !one.mend.trim();
    if (empty && this.state.comment(id)) this.state.remove(id);
    else this.state.flush();
    if (this.state.comment(id)) this.#drawOne(id);
    this.#sum();
    this.picking.letGo();
    if (focus) this.#return(one);
  }

  // The focus goes back to the line, from where the keys lead on.
  #return(one) {
    if (one && !this.picking.goTo(one)) this.nodes.get(one.id)?.focus();
  }

  remove(id) {
    const one = this.state.comment(id) ?? this.draft;
    const known = one === this.state.comment(id);
    if (this.form?.dataset.id === id) this.form = this.draft = null;
    this.files.mark(one, false);
    if (known) this.state.remove(id);
    this.draw([id]);
    this.#return(one);
    if (!known) return;
    const undo = () => {
      this.state.put(one);
      this.draw([one.id]);
      this.nodes.get(one.id)?.focus();
    };
    this.tell("The comment is deleted.", { Undo: undo });
  }

  // What was one comment has become two, and what is written here is the second.
  rename(id, name) {
    const node = this.nodes.get(id);
    if (!node) return;
    node.dataset.id = name;
    this.nodes.delete(id);
    this.nodes.set(name, node);
  }

  // The next (1) or the previous (-1) comment from where one is.
  step(way) {
    const all = [...document.querySelectorAll("main .comment")];
    const at = document.activeElement?.closest(".comment, tr.line") ?? this.picking.now?.row;
    const after = (one) => !at || Boolean(at.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING);
    const next = way > 0 ? all.find(after) : all.findLast((one) => one !== at && !(at && after(one)));
    (next ?? all.at(way > 0 ? 0 : -1))?.focus();
    document.activeElement?.scrollIntoView({ block: "center" });
  }

  goTo(id) {
    const node = this.nodes.get(id);
    const file = node?.closest("details.file");
    if (file) file.open = true;
    node?.focus();
    node?.scrollIntoView({ block: "center" });
  }

  // How many there are, by file and in all.
  #sum() {
    const count = new Map();
    for (const one of this.state.now.comments.values()) {
      const file = this.files.placeOf(one)?.file.number;
      count.set(file, (count.get(file) ?? 0) + 1);
    }
    for (const node of document.querySelectorAll(".said")) {
      const number = count.get(node.dataset.count) ?? 0;
      node.textContent = number || "";
      node.title = number ? `${number} ${number === 1 ? "comment" : "comments"}` : "";
    }
    this.elsewhere.hidden = !this.astray.firstElementChild;
    this.#overview();
  }

  #overview() {
    const order = [...part("editor").elements.severity.options].map((one) => one.value);
    const all = [...this.state.now.comments.values()].sort((one, other) => order.indexOf(one.severity) - order.indexOf(other.severity));
    const heading = document.createElement("p");
    heading.textContent = all.length ? `${all.length} ${all.length === 1 ? "comment" : "comments"}${all.length > OVERVIEW ? `, of which ${OVERVIEW} are listed` : ""}` : "No comments yet.";
    const table = document.createElement("table");
    for (const one of all.slice(0, OVERVIEW)) {
      const row = table.insertRow();
      const severity = row.insertCell();
      severity.append(Object.assign(document.createElement("span"), { className: `severity ${one.severity}`, textContent: one.severity }));
      const link = Object.assign(document.createElement("a"), { href: "#difference", textContent: visible(`${one.path.split("/").at(-1)}:${one.first}`), title: visible(one.path) });
      link.addEventListener("click", (event) => {
        event.preventDefault();
        this.goTo(one.id);
      });
      const where = row.insertCell();
      where.className = "where";
      where.append(link);
      row.insertCell().textContent = visible((one.why || one.mend || this.names.get(one.category) || "").split("\n")[0].slice(0, 200));
    }
    document.getElementById("overview").replaceChildren(heading, ...(all.length ? [table] : []));
  }
}
