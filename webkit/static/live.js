// Keeps the parts of a page that are marked data-live as they are at the server: asks for the page again, every second.
(() => {
  const EVERY_MS = 1000, REST_MS = 250;
  const lost = document.getElementById("connection-lost");
  let tag = "";
  // Nobody's typing, open menu or open form is taken away.
  const isBusy = (part) =>
    part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select") ||
    part.querySelector("[data-typed], details[open] form, .dropdown-menu.show");
  const name = (one) => [one.tagName, one.href || one.form?.action || "", one.textContent].join();
  // The same control in the new copy of a part: of several alike, the one at the same place among them.
  const twin = (one, part, fresh) => {
    const alike = (where) => [...where.querySelectorAll(one.tagName)].filter((other) => name(other) === name(one));
    return alike(fresh)[alike(part).indexOf(one)];
  };
  const renew = (part, fresh) => {
    const focused = part.contains(document.activeElement) && twin(document.activeElement, part, fresh);
    part.replaceWith(fresh);
    if (focused) focused.focus({ preventScroll: true });
  };
  const update = (page) => {
    let all = true;
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh) continue;
      for (const summary of part.querySelectorAll("details[open] > summary")) {
        twin(summary, part, fresh)?.parentElement.setAttribute("open", "");
      }
      if (fresh.outerHTML === part.outerHTML) continue;
      if (isBusy(part)) all = false;
      else renew(part, fresh);
    }
    return all;
  };
  const look = async () => {
    const begun = performance.now();
    if (!document.hidden && document.querySelector("[data-live]")) {
      try {
        const answer = await fetch(location.href, { headers: { "X-Live": "1", "If-None-Match": tag } });
        if (answer.status === 401) return location.reload();
        if (answer.ok) {
          const page = new DOMParser().parseFromString(await answer.text(), "text/html");
          tag = update(page) ? answer.headers.get("ETag") || "" : "";
        }
        lost.hidden = answer.status < 500;
      } catch {
        lost.hidden = false;
      }
    }
    // A slow answer counts as part of the second, but a busy server is left alone for a moment.
    setTimeout(look, Math.max(REST_MS, EVERY_MS - (performance.now() - begun)));
  };
  document.addEventListener("input", (event) => { event.target.dataset.typed = ""; });
  setTimeout(look, EVERY_MS);
})();
