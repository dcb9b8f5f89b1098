import { PLAIN, type Profile } from "./profile.js";

/** Without a PDF engine: that would be a program of its own. */
export const pandoc: Profile = {
  ...PLAIN,
  trees: ["/usr/share/pandoc", "/usr/share/pandoc-data"],
  env: { XDG_DATA_HOME: "{tmp}" },
};
