// The review as this page has it, and its way to the disk.
//
// `now` is what the page shows, `was` what the server is known to have. What differs is sent, a
// moment after it was written, each part with both, so that the server can merge it.

import { Keeping } from "./keeping.js";

const PAUSE = 200; // milliseconds without a key after which it is saved,
const LONGEST = 1000; // and at the latest after which, while somebody writes on
const KEEPALIVE = 60_000; // bytes that a browser sends on after the page is gone
const PATIENCE = [1000, 2000, 5000, 10_000]; // milliseconds until it is tried again

const same = (one, other) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null);

// A comment as review.json has it: its members, in their order.
const tidy = ({ id, path, side, first, last, severity, category, why, mend }) => ({
  ...{ id, path, side, first, last, severity, category },
  ...{ why: why.toWellFormed(), mend: mend.toWellFormed() },
});
const empty = () => ({ comments: new Map(), summary: "", decision: null });

export class State {
  constructor(kit) {
    this.now = empty();
    this.was = empty();
    this.revision = "none";
    this.touched = new Set();
    this.uncertain = new Map(); // sent, and no answer came
    this.failures = 0;
    this.sent = 0; // how often something was sent
    this.flying = new Set(); // what was sent, and is not answered
    this.keeping = new Keeping(kit);
    // What the rest of the page does about news.
    this.onchange = () => {};
    this.onrename = () => {};
    this.onstatus = () => {};
    this.ontell = () => {};
  }

  // Reads the review, and what earlier pages could not save.
  async start() {
    await this.refresh();
    await this.keeping.adopt((kept) => this.#adopt(kept));
    if (this.pending()) await this.flush();
  }

  comment(id) {
    return this.now.comments.get(id);
  }

  put(comment) {
    this.now.comments.set(comment.id, tidy(comment));
    this.#changed(comment.id);
  }

  remove(id) {
    this.now.comments.delete(id);
    this.#changed(id);
  }

  decide(decision) {
    this.now.decision = decision;
    this.#changed();
  }

  summarise(summary) {
    this.now.summary = summary.toWellFormed();
    this.#changed();
  }

  #changed(id) {
    if (id !== undefined) this.touched.add(id);
    this.#keep();
    this.onstatus("writing");
    const since = (this.since ??= Date.now());
    const pause = Math.max(0, Math.min(PAUSE, since + LONGEST - Date.now()));
    this.#later(pause);
  }

  #later(pause) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), pause);
  }

  // What differs from what the server has, in its own words; null where nothing does.
  pending() {
    const found = {};
    const comments = [];
    for (const id of this.touched) {
      const [was, now] = [this.was.comments.get(id) ?? null, this.comment(id) ?? null];
      if (same(was, now)) this.touched.delete(id);
      else comments.push({ was, now });
    }
    if (comments.length) found.comments = comments;
    for (const part of ["summary", "decision"]) {
      if (this.now[part] !== this.was[part]) found[part] = { was: this.was[part], now: this.now[part] };
    }
    return Object.keys(found).length ? found : null;
  }

  // Sends what is pending; once at a time, but for the last time when the page goes.
  async flush({ leaving = false } = {}) {
    clearTimeout(this.timer);
    this.since = undefined;
    if (this.flying.size && !leaving) {
      this.again = true;
      return;
    }
    if (this.uncertain.size && !leaving && !(await this.#settle())) return;
    const sent = this.pending();
    if (!sent) {
      this.#keep();
      if (this.failures) await this.refresh();
      else if (!this.flying.size) this.onstatus("saved");
      return;
    }
    const back = this.#trust(sent);
    const body = JSON.stringify({ revision: this.revision, ...sent });
    this.flying.add(sent);
    this.sent += 1;
    this.onstatus("saving");
    try {
      const answer = await this.#ask("POST", "/review", body);
      this.failures = 0;
      this.flying.delete(sent);
      this.#arrived(answer);
    } catch (failure) {
      back();
      this.flying.delete(sent);
      if (!failure.answered) for (const { was, now } of sent.comments ?? []) this.uncertain.set((now ?? was).id, now);
      this.#failed(failure);
      return;
    }
    this.#keep();
    if (this.again || this.pending()) {
      this.again = false;
      await this.flush();
    } else {
      this.onstatus("saved");
    }
  }

  // Takes for saved what is on its way, and gives the way back from that.
  #trust(sent) {
    const old = { ...this.was, comments: new Map() };
    for (const { was, now } of sent.comments ?? []) {
      const id = (now ?? was).id;
      old.comments.set(id, was);
      if (now) this.was.comments.set(id, now);
      else this.was.comments.delete(id);
    }
    for (const part of ["summary", "decision"]) if (sent[part]) this.was[part] = sent[part].now;
    return () => {
      for (const [id, was] of old.comments) {
        if (was) this.was.comments.set(id, was);
        else this.was.comments.delete(id);
        this.touched.add(id);
      }
      for (const part of ["summary", "decision"]) if (sent[part]) this.was[part] = old[part];
    };
  }

  #arrived(answer) {
    this.revision = answer.revision;
    for (const [id, name] of Object.entries(answer.renamed)) {
      const [now, was] = [this.now.comments.get(id), this.was.comments.get(id)];
      for (const side of [this.now, this.was]) side.comments.delete(id);
      if (was) this.was.comments.set(name, { ...was, id: name });
      if (now) this.now.comments.set(name, { ...now, id: name });
      this.touched.delete(id);
      this.touched.add(name);
      this.onrename(id, name);
    }
    if (answer.review) this.#take(answer.review);
    for (const sentence of answer.told) this.ontell(sentence);
  }

  // Takes in what others wrote, but for what is being written here: the server merges that.
  #take(review) {
    const changed = new Set();
    const count = { added: 0, changed: 0, removed: 0 };
    const theirs = new Map(review.comments.map((one) => [one.id, one]));
    const mine = new Set(this.pending()?.comments?.map(({ was, now }) => (now ?? was).id));
    for (const [id, one] of theirs) {
      if (mine.has(id)) {
        if (same(one, this.comment(id))) this.was.comments.set(id, one);
        continue;
      }
      if (!same(one, this.comment(id))) {
        count[this.comment(id) ? "changed" : "added"] += 1;
        changed.add(id);
      }
      this.was.comments.set(id, one);
      this.now.comments.set(id, one);
    }
    for (const id of [...this.now.comments.keys()]) {
      if (theirs.has(id) || mine.has(id)) continue;
      this.now.comments.delete(id);
      this.was.comments.delete(id);
      changed.add(id);
      count.removed += 1;
    }
    for (const part of ["summary", "decision"]) {
      const clean = this.now[part] === this.was[part] || this.now[part] === review[part];
      if (clean) this.now[part] = this.was[part] = review[part];
    }
    this.onchange(changed);
    const said = Object.entries(count).filter(([, number]) => number).map(([what, number]) => `${number} ${what}`);
    if (this.started && said.length) this.ontell(`Comments were written elsewhere, and are taken in here: ${said.join(", ")}.`);
    this.started = true;
  }

  // Asks for what others wrote. What was asked before a save says nothing any more after it.
  async refresh() {
    if (this.flying.size) return;
    const { sent } = this;
    try {
      const since = this.started ? `?since=${this.revision}` : "";
      const answer = await this.#ask("GET", `/review${since}`);
      this.failures = 0;
      if (sent !== this.sent) return;
      this.revision = answer.revision;
      if (answer.review) this.#take(answer.review);
      if (!this.pending()) this.onstatus("saved");
    } catch (failure) {
      this.#failed(failure);
    }
  }

  // Finds out whether what was sent without an answer has arrived.
  async #settle() {
    try {
      const { review } = await this.#ask("GET", "/review");
      const theirs = new Map(review.comments.map((one) => [one.id, one]));
      for (const [id, sent] of this.uncertain) {
        if (!same(theirs.get(id), sent)) continue;
        if (sent) this.was.comments.set(id, sent);
        else this.was.comments.delete(id);
      }
      this.uncertain.clear();
      return true;
    } catch (failure) {
      this.#failed(failure);
      return false;
    }
  }

  async #ask(method, path, body) {
    const headers = body ? { "Content-Type": "application/json" } : {};
    const keepalive = body !== undefined && new Blob([body]).size < KEEPALIVE;
    const answer = await fetch(path, { method, headers, body, keepalive });
    if (answer.ok) return answer.json();
    const text = await answer.text();
    let sentence = text.trim();
    try {
      sentence = JSON.parse(text).problem ?? sentence;
    } catch {
      // It was a sentence already.
    }
    throw Object.assign(new Error(sentence), { answered: true });
  }

  #failed(failure) {
    this.onstatus("failed", failure.answered ? failure.message : "Not saved: 'assay review' does not answer. Start it again; what you write is kept in this browser.");
    this.#later(PATIENCE[Math.min(this.failures, PATIENCE.length - 1)]);
    this.failures += 1;
  }

  // Keeps in the browser what has not arrived.
  #keep() {
    const found = this.pending();
    this.keeping.keep(found ? [...this.flying, found] : [...this.flying]);
  }

  // Takes up what a page that is no more could not save.
  #adopt(kept) {
    const changed = new Set();
    for (const { was, now } of kept.comments ?? []) {
      const { id } = now ?? was;
      if (same(this.comment(id), now)) continue;
      for (const [side, one] of [[this.was, was], [this.now, now]]) {
        if (one) side.comments.set(id, one);
        else side.comments.delete(id);
      }
      this.touched.add(id);
      changed.add(id);
    }
    for (const part of ["summary", "decision"]) {
      if (!kept[part] || kept[part].now === this.now[part]) continue;
      [this.was[part], this.now[part]] = [kept[part].was, kept[part].now];
      changed.add(part);
    }
    this.#keep();
    if (!changed.size) return;
    this.onchange(changed);
    this.ontell("What was not saved when this page was last open has been taken up again.");
  }
}
