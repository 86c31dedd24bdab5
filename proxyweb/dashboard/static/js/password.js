// Changing one's own password, which ends every session of one's own.

import { address, ApiError, send } from "./api.js";
import { byId } from "./elements.js";
import { saying } from "./said.js";
import { say } from "./words.js";

export function changePassword() {
  const form = byId("password-form");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const { current, new: wanted, again } = form.elements;
    const isDone = await saying("password-said", async () => {
      if (wanted.value !== again.value) throw new ApiError(400, say("settings.password.differ"));
      return (await send("POST", "/api/change-password", { current_password: current.value, new_password: wanted.value })).message;
    }, { current_password: say("settings.password.current"), new_password: say("settings.password.new") });
    if (isDone) location.assign(address("/sign-in", { next: "/settings" }));
  });
}
