// The changed files: in one column or two, which row has which line, and what lies between.

const SIDES = ["old", "new"];
const STEP = 20; // lines of a gap that are shown at once, as harness/review/rows.py has it

// A file in one of the views.
class Table {
  constructor(node) {
    this.node = node;
    this.read();
  }

  // Finds out anew which row has which line.
  read() {
    this.old = new Map();
    this.new = new Map();
    this.gaps = [];
    for (const row of this.node.tBodies[0].rows) {
      if (row.classList.contains("gap")) this.gaps.push(row);
      else if (row.classList.contains("line")) {
        for (const side of SIDES) if (row.dataset[side]) this[side].set(Number(row.dataset[side]), row);
      }
    }
  }

  gapOf(side, line) {
    return this.gaps.find(({ dataset }) => {
      const from = Number(dataset[side]);
      return from <= line && line < from + Number(dataset.count);
    });
  }
}

export class Files {
  constructor(root) {
    this.root = root;
    this.view = document.body.dataset.view;
    this.all = [...root.querySelectorAll("details.file")].map((node) => ({
      node,
      number: node.dataset.number,
      old: { path: node.dataset.old, lines: Number(node.dataset.oldLines) },
      new: { path: node.dataset.new, lines: Number(node.dataset.newLines) },
      tables: { [this.view]: new Table(node.querySelector("table")) },
    }));
    this.onlayout = () => {}; // rows have come or gone, so that comments are to be placed anew
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-more]");
      if (button) this.more(button.closest("tr"), button.dataset.more);
    });
  }

  of(node) {
    const found = node.closest("details.file");
    return this.all.find((file) => file.node === found);
  }

  table(file) {
    return file.tables[this.view];
  }

  // Where a comment is to be shown: after which row of which file; null where it has no place.
  placeOf({ path, side, last }) {
    const file = this.all.find((one) => one[side].path === path);
    if (!file || last > file[side].lines) return null;
    const row = this.table(file)[side].get(last) ?? this.table(file).gapOf(side, last);
    return row ? { file, row } : null;
  }

  // Marks the lines that a comment is about.
  mark({ path, side, first, last }, on) {
    const file = this.all.find((one) => one[side].path === path);
    if (file) this.paint(file, side, first, last, "about", on);
  }

  paint(file, side, first, last, name, on) {
    for (const [number, row] of this.table(file)[side]) {
      if (number < first || last < number) continue;
      row.querySelector(`.no.${side}`).classList.toggle(name, on);
      this.text(row, side).classList.toggle(name, on);
    }
  }

  text(row, side) {
    return row.querySelector(`.tx.${side}`) ?? row.querySelector(".tx");
  }

  // Shows more of a gap: from its top, from its bottom, or all.
  async more(gap, what) {
    const file = this.of(gap);
    const [old, from, count] = ["old", "new", "count"].map((name) => Number(gap.dataset[name]));
    const step = what === "all" ? count : Math.min(count, STEP);
    const first = what === "bottom" ? from + count - step : from;
    const html = await this.#get(`/files/${file.number}/lines?view=${this.view}&first=${first}&last=${first + step - 1}`);
    if (html === null || !gap.isConnected) return;
    const rows = document.createElement("tbody");
    rows.innerHTML = html;
    if (what === "bottom") gap.after(...rows.children);
    else gap.before(...rows.children);
    const left = count - step;
    const shift = what === "top" ? step : 0;
    Object.assign(gap.dataset, { old: old + shift, new: from + shift, count: left });
    gap.querySelector("[data-more=all]").textContent = `Show ${left} ${left === 1 ? "line" : "lines"}`;
    for (const each of gap.querySelectorAll("[data-more=top], [data-more=bottom]")) each.hidden = left <= STEP;
    if (!left) gap.remove();
    this.table(file).read();
    this.onlayout();
    this.onmore(this.table(file).new.get(first));
  }

  onmore() {}

  // One column or two.
  async show(view) {
    if (view === this.view || !(await this.#load(view))) return;
    for (const file of this.all) this.table(file).node.replaceWith(file.tables[view].node);
    this.view = document.body.dataset.view = view;
    document.cookie = `assay-view=${view}; path=/; SameSite=Strict; max-age=31536000`;
    this.onlayout();
  }

  // Fetches what is not seen as yet: colours, and the other view, so that it comes at once.
  async prepare() {
    for (const file of this.all) if ("plain" in file.node.dataset) await this.#colour(file);
    await this.#load(this.view === "split" ? "unified" : "split");
  }

  async #load(view) {
    if (this.all.every(({ tables }) => tables[view])) return true;
    const html = await this.#get(`/difference?view=${view}`);
    if (html === null) return false;
    const made = document.createElement("template");
    made.innerHTML = html;
    for (const file of this.all) {
      const table = made.content.querySelector(`details[data-number="${file.number}"] table`);
      file.tables[view] ??= new Table(document.adoptNode(table));
    }
    return true;
  }

  async #colour(file) {
    const text = await this.#get(`/files/${file.number}/colours`);
    if (text === null) return;
    const lines = JSON.parse(text);
    for (const table of Object.values(file.tables)) {
      for (const [line, row] of table.new) this.text(row, "new").innerHTML = lines.new[line - 1];
      for (const [line, row] of table.old) {
        const gone = row.matches(".removed, .changed");
        const html = gone ? lines.old[line - 1] : lines.new[row.dataset.new - 1];
        this.text(row, "old").innerHTML = html;
      }
    }
    delete file.node.dataset.plain;
  }

  async #get(path) {
    try {
      const answer = await fetch(path);
      return answer.ok ? await answer.text() : null;
    } catch {
      return null; // the page says by itself that nobody answers
    }
  }
}

// How lines are called.
export const words = ({ side, first, last }) => {
  const lines = first === last ? `line ${first}` : `lines ${first}–${last}`;
  return side === "old" ? `${lines}, before the change` : lines;
};
