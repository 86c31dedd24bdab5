// What every page has: the menu, which a phone folds away, and the choice of appearance.

import { byId } from "./elements.js";

const menu = byId("menu");
const menuSwitch = byId("menu-switch");
menuSwitch.addEventListener("click", () => {
  const isOpen = menu.classList.toggle("show");
  menuSwitch.setAttribute("aria-expanded", String(isOpen));
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !menu.classList.contains("show")) return;
  menu.classList.remove("show");
  menuSwitch.setAttribute("aria-expanded", "false");
  menuSwitch.focus();
});

const theme = byId("theme");
theme.value = window.proxywebTheme.chosen();
theme.addEventListener("change", () => window.proxywebTheme.choose(theme.value));
