// Fills a select of an order form with what the provider knows now: at first, while people search, and again when the
// answer changes that it depends on. What is chosen stays; without an answer the select stays as it is.
(() => {
  const form = document.querySelector("form[data-choices-url]");
  if (!form) return;
  const setUp = (box) => {
    const search = box.querySelector("input"), field = box.closest("[data-field]");
    const select = field.querySelector("select"), notice = field.querySelector("[data-choices-notice]");
    const { choices: variable, dependsOn } = box.dataset;
    const answered = () => (dependsOn ? new FormData(form).get(dependsOn) || "" : "");
    let timer, latest = 0, above = answered();
    const show = (told) => {
      const chosen = select.value, kept = select.selectedOptions[0];
      const options = told.options.filter(([value]) => value !== chosen).map(([value, label]) => new Option(label, value));
      select.replaceChildren(select.options[0], ...(chosen ? [kept] : []), ...options);
      select.value = chosen;
      notice.textContent = told.notice;
    };
    const ask = async () => {
      const mine = ++latest;
      const body = new URLSearchParams(new FormData(form));
      body.set("variable", variable);
      body.set("search", search.value);
      const told = await fetch(form.dataset.choicesUrl, { method: "POST", body, headers: { "X-Live": "1" } })
        .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
        .catch(() => null);
      if (mine !== latest) return; // a later question has been asked meanwhile
      if (told) show(told);
      else notice.textContent = form.dataset.choicesLost;
    };
    const askSoon = () => {
      clearTimeout(timer);
      timer = setTimeout(ask, 250);
    };
    search.addEventListener("input", (event) => {
      event.stopPropagation(); // it is no answer
      askSoon();
    });
    search.addEventListener("keydown", (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      ask();
    });
    box.querySelector("button").addEventListener("click", (event) => {
      event.preventDefault();
      ask();
    });
    form.addEventListener("change", () => {
      if (answered() === above) return;
      above = answered();
      select.value = "";
      ask();
    });
    ask();
  };
  form.querySelectorAll("[data-choices]").forEach(setUp);
})();
