/** Attempts of the list that are no single call of one program, and the test that makes each. */
export const ELSEWHERE: readonly {
  readonly id: string;
  readonly title: string;
  readonly where: string;
}[] = [
  {
    id: "F34",
    title: "the granted path is a link, or becomes one between check and mount",
    where: "`sandbox/launch.test.ts`: a grant whose path is a symbolic link fails the launch",
  },
  {
    id: "T06",
    title: "names that are not granted, other types and long labels at the DNS stub",
    where: "`sandbox/egress/serve-capture.test.ts`, `parsers.test.ts`, `netns.test.ts`",
  },
  {
    id: "T08",
    title: "a granted name resolves to a private address, or to another one the second time",
    where: "`sandbox/egress/serve-proxy.test.ts`: T08",
  },
  {
    id: "T09",
    title: "CONNECT to addresses in every spelling",
    where: "`sandbox/egress/serve-proxy.test.ts`",
  },
  {
    id: "T10",
    title: "another SNI or Host than the one granted",
    where: "`sandbox/egress/serve-proxy.test.ts`, `serve-capture.test.ts`: T10",
  },
  {
    id: "T12",
    title: "request smuggling",
    where: "`sandbox/egress/serve-proxy.test.ts`: T12",
  },
  {
    id: "T15",
    title: "a redirect to a host that is not granted",
    where: "`sandbox/egress/serve-proxy.test.ts`: T15, and `A09` above through `web_fetch`",
  },
  {
    id: "T17",
    title: "the grant is taken away while a connection is open",
    where: "`sandbox/egress/serve-proxy.test.ts`: T17",
  },
  {
    id: "T25",
    title: "the listener of another agent",
    where: "`sandbox/egress/netns.test.ts`: T25",
  },
  {
    id: "P20",
    title: "the daemon or the launcher is killed",
    where: "`sandbox/launch.test.ts`: a killed launcher takes every sandbox with it",
  },
  {
    id: "P21",
    title: "writing to the control socket of the launcher",
    where: "P11: the program has no descriptor but its three; `sandbox/launch.test.ts`",
  },
  {
    id: "P23",
    title: "a kill at every step of a launch",
    where: "`sandbox/launch.test.ts`: kill at every step",
  },
  {
    id: "P24",
    title: "reuse of a pid while the maps are written",
    where: "the child writes its own maps (`native/src/namespaces.cc`); signals go by pidfd",
  },
  {
    id: "P26",
    title: "changing the path after the supervisor of execve has read it",
    where: "the supervisor reads no path; it counts (`native/src/sandbox.cc`)",
  },
  {
    id: "P27",
    title: "the supervisor of execve is killed",
    where: "it is the launcher: P20",
  },
  {
    id: "P28",
    title: "a token is revoked while a program runs",
    where: "A20 above, through `exec`",
  },
  {
    id: "P30",
    title: "git, rg or tar of the daemon on a tree that an agent wrote",
    where: "A21 above; no tool starts a program but through the port of confined programs",
  },
];
