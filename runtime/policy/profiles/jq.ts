import { PLAIN, type Profile } from "./profile.js";

export const jq: Profile = { ...PLAIN, proc: "none" };
