import { PLAIN, type Profile } from "./profile.js";

/** Its own library and the packages beside it. It may start itself (`multiprocessing`), and nothing else. */
export const python3: Profile = {
  ...PLAIN,
  trees: [
    "{prefix}/lib/{name}",
    "{prefix}/lib/python3",
    "/usr/local/lib/{name}/dist-packages",
    "/etc/{name}",
  ],
  exec_limit: null,
  limits: "build",
  scratch: ["/dev/shm"],
  env: { PYTHONDONTWRITEBYTECODE: "1", PYTHONNOUSERSITE: "1" },
};
