// Which lines are picked: by pointer or by keys, on one side of one file.

const follows = (one, other) =>
  Boolean(one.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING);

export class Picking {
  constructor(files) {
    this.files = files;
    this.now = null; // {file, side, first, last, row}: the lines that a comment would be on
    this.anchor = null; // the row where a range began
    this.onpick = () => {}; // lines were picked by pointer
    files.root.addEventListener("pointerdown", (event) => this.#pressed(event));
    this.enter();
  }

  // Lets the keyboard in: one row can be reached by Tab.
  enter(row = this.files.root.querySelector("tr.starts")) {
    if (this.tabbable) this.tabbable.tabIndex = -1;
    this.tabbable = row;
    if (row) row.tabIndex = 0;
  }

  // Picks a row's line, or all from where the range began.
  pick(row, side, { extend = false } = {}) {
    const file = this.files.of(row);
    const line = Number(row.dataset[side]);
    const goesOn = extend && this.now?.file === file && this.anchor.isConnected;
    if (!goesOn) this.anchor = row;
    const start = this.#nearest(this.anchor, side, row) ?? line;
    this.letGo();
    this.now = { file, side, row, first: Math.min(start, line), last: Math.max(start, line) };
    this.files.paint(file, side, this.now.first, this.now.last, "picked", true);
    this.files.text(row, side).classList.add("here");
  }

  letGo() {
    if (!this.now) return;
    const { file, side, first, last, row } = this.now;
    this.files.paint(file, side, first, last, "picked", false);
    for (const cell of row.querySelectorAll(".here")) cell.classList.remove("here");
    this.now = null;
  }

  // The line of a side at a row, or the first that has one on the way to another.
  #nearest(from, side, to) {
    const down = follows(from, to);
    for (let row = from; row; row = down ? row.nextElementSibling : row.previousElementSibling) {
      if (row.matches(".line") && row.dataset[side]) return Number(row.dataset[side]);
      if (row === to) return null;
    }
    return null;
  }

  // Goes to a row: it has the focus, and is picked.
  go(row, side = row.dataset.new ? "new" : "old", options = {}) {
    this.files.of(row).node.open = true;
    this.enter(row);
    this.pick(row, side, options);
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: options.block ?? "nearest" });
  }

  // Goes to the end of the lines that a comment is about, if they are seen.
  goTo({ path, side, last }) {
    const row = this.files.placeOf({ path, side, last })?.row;
    if (row?.matches(".line")) this.go(row, side);
    return Boolean(row?.matches(".line"));
  }

  // The next (1) or the previous (-1) change from where one is.
  step(way) {
    const starts = [...this.files.root.querySelectorAll("tr.starts")];
    const at = this.#here();
    const next =
      way > 0
        ? starts.find((one) => one !== at && follows(at, one))
        : starts.findLast((one) => follows(one, at));
    const row = next ?? starts.at(way > 0 ? -1 : 0);
    if (row) this.go(row, undefined, { block: "center" });
  }

  // Where the person is: the focus, what is picked, or the file at the top of the window.
  #here() {
    const focus = document.activeElement;
    if (this.files.root.contains(focus)) return focus.closest("tr") ?? focus;
    if (this.now?.row.isConnected) return this.now.row;
    const above = this.files.all.findLast(({ node }) => node.getBoundingClientRect().top < 0);
    return above?.node ?? this.files.root;
  }

  // One line on (1) or back (-1).
  move(way, extend) {
    if (!this.now) return;
    const { side, row } = this.now;
    const fits = (one) => one.matches(".line") && (!extend || one.dataset[side]);
    let next = row;
    do next = way > 0 ? next.nextElementSibling : next.previousElementSibling;
    while (next && !fits(next));
    if (next) this.go(next, next.dataset[side] ? side : undefined, { extend });
  }

  // To the same row's other side, where it has one.
  turn(side) {
    const row = this.now?.row;
    if (row?.dataset[side]) this.go(row, side);
  }

  // A line's number begins a range, which ends where the pointer is let go.
  #pressed(event) {
    const cell = event.target.closest("tr.line .no");
    if (!cell?.textContent || event.button) return;
    event.preventDefault(); // a drag picks lines and no text
    const side = cell.classList.contains("old") ? "old" : "new";
    this.go(cell.parentElement, side, { extend: event.shiftKey });
    const { file } = this.now;
    const moved = ({ clientX, clientY }) => {
      const row = document.elementFromPoint(clientX, clientY)?.closest("tr.line");
      if (row?.dataset[side] && this.files.of(row) === file) this.pick(row, side, { extend: true });
    };
    const ended = ({ type }) => {
      removeEventListener("pointermove", moved);
      removeEventListener("pointerup", ended);
      removeEventListener("pointercancel", ended);
      if (type === "pointerup") this.onpick();
    };
    addEventListener("pointermove", moved);
    addEventListener("pointerup", ended);
    addEventListener("pointercancel", ended);
  }
}
