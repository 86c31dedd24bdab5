// The settings' controls: each saves by itself, and says what came of it.

import { send } from "./api.js";
import { byId, fill } from "./elements.js";
import { said, saying } from "./said.js";
import { hasWords, say } from "./words.js";

const rows = [...document.querySelectorAll("[data-setting]")].map((row) => row.dataset.setting);
const known = new Map();

/** Show the values of `/api/settings`; what is being changed at the moment stays as it is typed. */
export function showSettings(settings) {
  const values = new Map(settings.map(({ setting_name: name, setting_value: value }) => [name, value]));
  for (const name of rows) {
    const control = byId(name);
    const isTouched = isChanged(name);
    known.set(name, values.get(name));
    control.disabled = false;
    if (control.tagName === "OUTPUT") fill(control, inWords(known.get(name)));
    else if (!isTouched) put(control, known.get(name));
    dress(name);
  }
}

/** What is stored for `name`, as far as is known. */
export function stored(name) {
  return known.get(name);
}

/** Whether what the control shows is not what is stored. */
export function isChanged(name) {
  const control = byId(name);
  return known.has(name) && control.tagName !== "OUTPUT" && value(control) !== known.get(name);
}

/** Saves what people change; `onSaved` is called after each. */
export function saveSettings(onSaved) {
  for (const name of rows) {
    const control = byId(name);
    if (control.form) {
      control.addEventListener("input", () => dress(name));
      control.form.addEventListener("submit", (event) => {
        event.preventDefault();
        save(name, control, onSaved);
      });
    } else if (control.tagName !== "OUTPUT") {
      control.addEventListener("change", () => save(name, control, onSaved));
    }
  }
}

async function save(name, control, onSaved) {
  const wanted = value(control);
  said(`${name}-said`);
  const isDone = await saying(`${name}-said`, async () => {
    await send("PUT", `/api/settings/${name}`, { value: wanted });
    return say("settings.saved");
  });
  if (!isDone && !control.form) put(control, known.get(name));
  control.setAttribute("aria-invalid", String(!isDone && Boolean(control.form)));
  if (!isDone) return;
  known.set(name, value(control)); // so that what the server made of it replaces what was typed
  await onSaved();
}

/** A setting that is typed has a button, of use only while there is something to save. */
function dress(name) {
  const button = byId(name).form?.querySelector("button");
  if (button) button.disabled = !isChanged(name);
}

function value(control) {
  return control.type === "checkbox" ? String(control.checked) : control.value;
}

function put(control, text) {
  if (control.type === "checkbox") control.checked = text === "true";
  else control.value = text;
}

function inWords(text) {
  if (text === "true" || text === "false") return say(text === "true" ? "settings.on" : "settings.off");
  if (hasWords(`settings.choices.${text}`)) return say(`settings.choices.${text}`);
  return text || say("settings.nothing");
}
