// Applied before the first paint, which is why it is no module: modules run after it.
(() => {
  const KEY = "proxyweb.theme";
  const dark = matchMedia("(prefers-color-scheme: dark)");

  function chosen() {
    const kept = localStorage.getItem(KEY);
    return kept === "light" || kept === "dark" ? kept : "system";
  }

  function apply() {
    const theme = chosen() === "system" ? (dark.matches ? "dark" : "light") : chosen();
    if (document.documentElement.dataset.bsTheme === theme) return;
    document.documentElement.dataset.bsTheme = theme;
    document.dispatchEvent(new CustomEvent("theme"));
  }

  function choose(theme) {
    if (theme === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme);
    apply();
  }

  apply();
  dark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  window.proxywebTheme = { chosen, choose };
})();
