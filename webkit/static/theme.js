// Light or dark: what was chosen here, else what the system prefers. Runs before the page is painted.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const show = () => {
    document.documentElement.dataset.bsTheme = localStorage.getItem("theme") || (dark.matches ? "dark" : "light");
  };
  show();
  dark.addEventListener("change", show);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-theme-toggle]")) return;
    localStorage.setItem("theme", document.documentElement.dataset.bsTheme === "dark" ? "light" : "dark");
    show();
  });
})();
