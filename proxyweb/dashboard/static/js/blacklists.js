// A list of what is blocked: look for an entry, add one, take one off.

import { get, send } from "./api.js";
import { byId, el, fill } from "./elements.js";
import { fullTime, number } from "./format.js";
import { saying } from "./said.js";
import { table } from "./table.js";
import { say } from "./words.js";

const PAGE = 10;
const TYPING_MS = 250;

/**
 * The list of the macro's `id`, which the API has at `path` with entries' names in `field`. Gives `refresh(settings)`,
 * which tells too whether the setting `enabledBy` is off; `onChanged` is called when there is something else to show.
 */
export function blacklist({ id, path, field, enabledBy, onChanged }) {
  const part = (name) => byId(`${id}-${name}`);
  const form = document.getElementById(`${id}-add`);
  let offset = 0;
  let shown = null;

  async function refresh(settings) {
    part("off").hidden = settings.find((setting) => setting.setting_name === enabledBy).setting_value === "true";
    const found = await get(path, { search: part("search").value.trim(), limit: PAGE, offset });
    if (!found.data.length && offset) {
      offset = Math.max(0, Math.ceil(found.total / PAGE) - 1) * PAGE;
      return refresh(settings);
    }
    if (found !== shown) show(found);
    shown = found;
  }

  function show({ data: entries, total }) {
    const isSearch = part("search").value.trim() !== "";
    const columns = [
      { title: say(`settings.lists.${field}`), cell: (entry) => [el("span", { class: "entries-name" }, entry[field]), el("span", { class: "setting-purpose" }, entry.description)] },
      { title: say("settings.lists.added"), cell: (entry) => fullTime(entry.added_date), class: "text-secondary entries-added" },
    ];
    if (form) columns.push({ title: say("settings.lists.remove"), cell: removal, class: "text-end entries-remove" });
    fill(part("entries"), table(columns, entries, {
      caption: say(`settings.lists.${id}`), empty: say(isSearch ? "settings.lists.empty_search" : `settings.lists.empty_${id}`), kind: "table-sm list" }));
    fill(part("shown"), entries.length
      ? say("settings.lists.shown", { first: number(offset + 1), last: number(offset + entries.length), total: number(total) }) : "");
    part("previous").disabled = offset === 0;
    part("next").disabled = offset + entries.length >= total;
  }

  function removal(entry) {
    return el("button", {
      class: "btn btn-sm", type: "button", "aria-label": say("settings.lists.remove_it", { name: entry[field] }),
      onclick: () => acting(async () => (await send("DELETE", `${path}/${entry.id}`)).message),
    }, say("settings.lists.remove"));
  }

  /** Do it, say what came of it, and show the list as it is then. */
  async function acting(action) {
    const isDone = await saying(`${id}-said`, action);
    if (isDone) await onChanged();
    return isDone;
  }

  function turn(to) {
    offset = to;
    onChanged();
  }

  form?.addEventListener("submit", async (event) => {
    event.preventDefault();
    const isAdded = await acting(async () => {
      const { message } = await send("POST", path, { [field]: part("name").value.trim(), description: part("description").value.trim() });
      offset = 0;
      return message;
    });
    if (isAdded) form.reset();
    part("name").focus();
  });
  let typing = null;
  part("search").addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => turn(0), TYPING_MS);
  });
  part("search-form").addEventListener("submit", (event) => event.preventDefault());
  part("previous").addEventListener("click", () => turn(Math.max(0, offset - PAGE)));
  part("next").addEventListener("click", () => turn(offset + PAGE));
  return refresh;
}
