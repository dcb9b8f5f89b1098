import { PLAIN, type Profile } from "./profile.js";

/** Once: `--pre` and `--search-zip` start nothing. */
export const rg: Profile = { ...PLAIN, proc: "none" };
