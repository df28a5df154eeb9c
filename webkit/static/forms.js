// Small help for forms: filters that apply when chosen, questions before what cannot be undone, one submit per form, and
// what is half typed in one form outlives the sending of another: it waits in this tab, for whoever is signed in.
(() => {
  const LONG = 12, KEY = "typed", TEXTS = "textarea, input:not([type=hidden], [type=password], [type=file], [type=checkbox], [type=radio])";
  const account = document.body.dataset.account;
  const read = () => {
    const kept = JSON.parse(sessionStorage.getItem(KEY) || "{}");
    return account && kept.account === account ? kept.forms : {};
  };
  const write = (forms) => sessionStorage.setItem(KEY, JSON.stringify({ account, forms }));
  const textsOf = (form) => [...form.querySelectorAll(TEXTS)].filter((field) => field.name);
  const keepOthers = (sent) => {
    const forms = read();
    for (const form of document.querySelectorAll("form[method=post]")) {
      const half = textsOf(form).filter((field) => field.value !== field.defaultValue);
      if (form === sent) delete forms[form.action];
      else if (half.length) forms[form.action] = Object.fromEntries(half.map((field) => [field.name, field.value]));
    }
    write(forms);
  };
  // Into fields as the server left them.
  const giveBack = () => {
    const forms = read();
    for (const form of document.querySelectorAll("form[method=post]")) {
      for (const field of textsOf(form)) {
        const text = forms[form.action]?.[field.name];
        if (text === undefined || field.value !== field.defaultValue) continue;
        field.value = text;
        field.dataset.typed = "";
        if (field.closest("details")) field.closest("details").open = true;
      }
      delete forms[form.action];
    }
    write(forms);
  };
  document.addEventListener("change", (event) => {
    if (event.target.closest("[data-submit-on-change]")) event.target.form.requestSubmit();
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-leaves]");
    const typed = [...document.querySelectorAll("form[method=post]")].some((form) => textsOf(form).some((one) => one.value !== one.defaultValue));
    if (link && typed && !window.confirm(link.dataset.leaves)) event.preventDefault();
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent || (form.dataset.confirm && !window.confirm(form.dataset.confirm))) return event.preventDefault();
    if (form.method !== "post") return;
    form.dataset.sent = "1";
    if (form.hasAttribute("data-sign-out")) sessionStorage.removeItem(KEY);
    else keepOthers(form);
  });
  // A long list of boxes to tick can be searched; what is ticked stays so.
  for (const many of document.querySelectorAll(".many")) {
    const rows = [...many.children];
    if (rows.length <= LONG) continue;
    const search = document.createElement("input");
    Object.assign(search, { type: "search", className: "form-control form-control-sm mb-2", placeholder: "Find in this list", ariaLabel: "Find in this list" });
    search.addEventListener("keydown", (event) => { if (event.key === "Enter") event.preventDefault(); });
    search.addEventListener("input", () => {
      for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(search.value.toLowerCase());
    });
    many.before(search);
  }
  // Shown where a script can do it; without the clipboard (plain http) the field is marked, to be copied by hand.
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const field = document.getElementById(button.dataset.copy);
      field.select();
      button.textContent = await navigator.clipboard?.writeText(field.value).then(() => "Copied", () => "") || "Marked: copy it";
    });
  }
  window.addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("[data-sent]")) delete form.dataset.sent;
  });
  // Escape folds what was unfolded, and leads back to where that was done.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    const summary = event.target.closest("details[open]")?.querySelector("summary");
    const menu = event.target.closest("header")?.querySelector("[aria-expanded='true']");
    (summary || menu)?.click();
    (summary || menu)?.focus();
  });
  if (account) giveBack();
})();
