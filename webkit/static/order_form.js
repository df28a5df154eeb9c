// Checks an order form while people type: the server says what is wrong, and it stands beside the fields they have been at.
(() => {
  const form = document.querySelector("form[data-check]");
  if (!form) return;
  const status = form.querySelector("[data-check-status]");
  const typed = new Set(), chosen = new Set();
  let timer, isAsking = false, again = false;
  const show = (errors, files) => {
    for (const field of form.querySelectorAll("[data-field]")) {
      const { dataset: { field: name } } = field, slot = field.querySelector("[data-errors]");
      if (!typed.has(name) && !slot.textContent) continue;
      if (field.querySelector("input[type=file]")?.value && !files.includes(name)) continue; // the server has not seen it
      slot.textContent = (errors[name] || []).join(" ");
      for (const input of field.querySelectorAll("[name]:not([data-drop])")) {
        input.classList.toggle("is-invalid", name in errors);
        input.setAttribute("aria-invalid", name in errors);
      }
    }
  };
  // Files go once, right after they were chosen: what is kept of them stands beside their fields.
  const read = () => {
    const body = new FormData(form), files = [...chosen];
    chosen.clear();
    for (const input of form.querySelectorAll("input[type=file]")) if (!files.includes(input.name)) body.delete(input.name);
    return [files.length ? body : new URLSearchParams(body), files];
  };
  const showFiles = (told, sent) => {
    for (const field of form.querySelectorAll("[data-field]")) {
      const line = field.querySelector("[data-chosen-line]"), { dataset: { field: name } } = field;
      if (!line) continue;
      const kept = told.files[name] || "";
      line.hidden = !kept;
      line.querySelector("[data-chosen]").textContent = kept;
      line.querySelector("[data-drop]").checked = false;
      if (sent.includes(name) && kept && !(name in told.errors)) field.querySelector("input[type=file]").value = "";
    }
  };
  const ask = async () => {
    const [body, files] = read();
    const answer = await fetch(form.dataset.check, { method: "POST", body, headers: { "X-Live": "1" } });
    if (answer.status === 401) return form.dataset.signedOut;
    if (!answer.ok) throw answer.status;
    const told = await answer.json();
    show(told.errors, files);
    showFiles(told, files);
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
    typed.add(event.target.name.replace(/^drop /, ""));
    if (event.target.type === "file") chosen.add(event.target.name);
    clearTimeout(timer);
    timer = setTimeout(check, 400);
  });
})();
