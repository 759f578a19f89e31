// An enhancement only: the report reads without it.
(() => {
  "use strict";
  const all = () => [...document.querySelectorAll("main details")];
  const button = document.getElementById("expand");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => {
      const open = button.getAttribute("aria-pressed") !== "true";
      all().forEach((each) => { each.open = open; });
      button.setAttribute("aria-pressed", String(open));
      button.textContent = open ? "Close all details" : "Open all details";
    });
  }
  // A deep link opens whatever it lies in.
  const reveal = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!target) return;
    for (let node = target; node; node = node.parentElement) {
      if (node.tagName === "DETAILS") node.open = true;
    }
    const own = target.querySelector(":scope > details");
    if (own) own.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
  // j and k go to the next and the previous flaw.
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key !== "j" && event.key !== "k") return;
    const flaws = [...document.querySelectorAll("article.flaw")];
    const at = flaws.map((flaw) => flaw.getBoundingClientRect().top);
    const next = event.key === "j"
      ? flaws[at.findIndex((top) => top > 40)]
      : flaws[at.findLastIndex((top) => top < -4)];
    if (next) { next.scrollIntoView(); next.focus({ preventScroll: true }); }
  });
})();
