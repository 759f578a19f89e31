// What has not arrived at the server, kept in the browser until it has; the next page takes it up.

const PARTS = ["summary", "decision"];

// Changes one after the other as one: from what the first began with to what the last made of it.
export const joined = (saves) => {
  const comments = new Map();
  const found = {};
  for (const save of saves) {
    for (const { was, now } of save.comments ?? []) {
      const { id } = now ?? was;
      comments.set(id, { was: comments.get(id)?.was ?? was, now });
    }
    for (const part of PARTS) {
      if (save[part]) found[part] = { was: (found[part] ?? save[part]).was, now: save[part].now };
    }
  }
  if (comments.size) found.comments = [...comments.values()];
  return found;
};

export class Keeping {
  constructor(kit) {
    this.prefix = `assay-review:${kit}:`;
    this.key = `${this.prefix}${crypto.randomUUID()}`;
    navigator.locks?.request(this.key, () => new Promise(() => {})); // says that this page lives
  }

  keep(saves) {
    try {
      if (saves.length) localStorage.setItem(this.key, JSON.stringify(joined(saves)));
      else localStorage.removeItem(this.key);
    } catch {
      // A browser that keeps nothing still saves.
    }
  }

  // Gives what pages that are no more have left, each once; `take` says where it is kept then.
  async adopt(take) {
    const keys = Object.keys(localStorage).filter((key) => key.startsWith(this.prefix) && key !== this.key);
    for (const key of keys) {
      await navigator.locks?.request(key, { ifAvailable: true }, (lock) => {
        const kept = lock && localStorage.getItem(key);
        if (!kept) return;
        take(JSON.parse(kept));
        localStorage.removeItem(key);
      });
    }
  }
}
