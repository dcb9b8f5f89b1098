import type { AttemptGroup } from "../attempt.js";

/** How much one process may use, and whether anything outlives it. */
export const LIMITS: AttemptGroup = {
  group: "process",
  attempts: [
    { id: "P15", title: "a thousand processes at once", tokens: "nothing", attempt: ["forks", "1000"], expect: "EAGAIN", layers: [] },
    { id: "P15a", title: "as many descriptors as there are", tokens: "nothing", attempt: ["open_all", "20000"], expect: "EMFILE", bare: null, layers: [] },
    { id: "P16", title: "more memory than it may have", tokens: "nothing", attempt: ["map_memory", "1400"], expect: "ENOMEM", layers: [] },
    { id: "P16a", title: "lock a quarter of a gigabyte in memory", tokens: "nothing", attempt: ["lock_memory"], expect: "ENOMEM", bare: null, layers: [] },
    { id: "P17", title: "spin for ever", tokens: "nothing", attempt: ["spin"], expect: "timeout", bare: null, layers: [] },
    { id: "P18", title: "leave the session and the parent and live on", tokens: "work", attempt: ["outlive", "{out}/marker"], expect: "ENOENT", layers: [], marker: { path: "{out}/marker", after_ms: 900 } },
    { id: "P19", title: "stop itself and wait", tokens: "nothing", attempt: ["stop_self"], expect: "timeout", bare: null, layers: [] },
    { id: "P19a", title: "ignore every signal that can be ignored", tokens: "nothing", attempt: ["linger"], expect: "timeout", bare: null, layers: [] },
    { id: "P22", title: "four gigabytes of output", tokens: "nothing", attempt: ["flood"], expect: "timeout", bare: null, layers: [] },
    { id: "P40", title: "a better priority", tokens: "nothing", attempt: ["nice_up"], expect: "EACCES", bare: "EACCES", layers: [] },
    { id: "P40a", title: "real time", tokens: "nothing", attempt: ["realtime"], expect: "EPERM", bare: "EPERM", layers: [] },
    { id: "P40b", title: "real time for input and output", tokens: "nothing", attempt: ["ioprio_realtime"], expect: "EPERM", bare: "EPERM", layers: [] },
    { id: "P41", title: "raise its limit of descriptors", tokens: "nothing", attempt: ["raise_nofile"], expect: "EPERM", bare: "EPERM", layers: [] },
    { id: "P41a", title: "raise its limit of file sizes", tokens: "nothing", attempt: ["raise_fsize"], expect: "EPERM", layers: [] },
    { id: "P41b", title: "raise its limit of processes", tokens: "nothing", attempt: ["raise_nproc"], expect: "EPERM", bare: "EPERM", layers: [] },
    { id: "P41c", title: "dump its memory on a crash", tokens: "nothing", attempt: ["core_limit"], expect: "EPERM", bare: null, layers: [] },
  ],
};
