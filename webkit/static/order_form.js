// Checks an order form while people type: the server says what is wrong, and it stands beside the fields they have been at.
(() => {
  const form = document.querySelector("form[data-check]");
  if (!form) return;
  const status = form.querySelector("[data-check-status]");
  const typed = new Set();
  let timer, isAsking = false, again = false;
  const show = (errors) => {
    for (const field of form.querySelectorAll("[data-field]")) {
      const { dataset: { field: name } } = field, slot = field.querySelector("[data-errors]");
      if (!typed.has(name) && !slot.textContent) continue;
      slot.textContent = (errors[name] || []).join(" ");
      for (const input of field.querySelectorAll("[name]")) {
        input.classList.toggle("is-invalid", name in errors);
        input.setAttribute("aria-invalid", name in errors);
      }
    }
  };
  const ask = async () => {
    const body = new URLSearchParams(new FormData(form));
    const answer = await fetch(form.dataset.check, { method: "POST", body, headers: { "X-Live": "1" } });
    if (answer.status === 401) return form.dataset.signedOut;
    if (!answer.ok) throw answer.status;
    const told = await answer.json();
    show(told.errors);
    return told.status;
  };
  // One question at a time: an older state of the form must not arrive after a newer one.
  const check = async () => {
    again = isAsking;
    if (isAsking) return;
    isAsking = true;
    status.textContent = await ask().catch(() => form.dataset.lost);
    isAsking = false;
    if (again) check();
  };
  form.addEventListener("input", (event) => {
    typed.add(event.target.name);
    clearTimeout(timer);
    timer = setTimeout(check, 400);
  });
})();
