// Small help for forms: filters that apply when chosen, questions before what cannot be undone, one submit per form;
// and for what unfolds: Escape folds it, and leads back to where it was unfolded.
document.addEventListener("change", (event) => {
  if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent || (form.dataset.confirm && !window.confirm(form.dataset.confirm))) return event.preventDefault();
  if (form.method === "post") form.dataset.sent = "1";
});
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const summary = event.target.closest("details[open]")?.querySelector("summary");
  const menu = event.target.closest("header")?.querySelector("[aria-expanded='true']");
  (summary || menu)?.click();
  (summary || menu)?.focus();
});
