// Keeps the parts of a page that are marked data-live as they are at the server: asks for the page again, every second.
(() => {
  const EVERY_MS = 1000;
  const lost = document.getElementById("connection-lost");
  let tag = "";
  // Nobody's typing, open menu or open details is taken away.
  const isBusy = (part) =>
    part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select, summary") ||
    part.querySelector("[data-typed], details[open], .dropdown-menu.show");
  const update = (page) => {
    let all = true;
    for (const part of document.querySelectorAll("[data-live]")) {
      const fresh = page.getElementById(part.id);
      if (!fresh || fresh.outerHTML === part.outerHTML) continue;
      if (isBusy(part)) all = false;
      else part.replaceWith(fresh);
    }
    return all;
  };
  const look = async () => {
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
    setTimeout(look, EVERY_MS);
  };
  document.addEventListener("input", (event) => { event.target.dataset.typed = ""; });
  setTimeout(look, EVERY_MS);
})();
