import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bootedFrom, isReachable, type MachineStatus } from "../appliance/status/machine-status.js";
import { disksHere } from "../cli/console/disks-here.js";
import { type ScreenState, screenLines } from "../cli/console/screen.js";
import { troublesOf } from "../cli/console/troubles.js";
import { CTRL_C, DOWN, ENTER, onTerminal } from "./terminal.js";
import { makeWorld, type World } from "./world.js";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0123456789abcdefghijklmnopqrstuv me@desk";
const TIMEOUT = 90_000;

let world: World;
beforeEach(async () => {
  world = await makeWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

describe("agentd system console", () => {
  it(
    "shows that nobody can log in, sets a key by the dialog, and then says how to come in",
    async () => {
      world.put("etc/passwd", "aaos:x:1000:1000::/home/aaos:/bin/bash\n");
      // A file was applied in part: with its key the machine is not set up, and the person's answer ends it.
      world.put("etc/aaos/ssh/authorized_keys.d/aaos", "of a file\n");
      world.put("etc/aaos/.applying", "");
      await using terminal = onTerminal(["--root", world.root, "system", "console"]);
      await terminal.see(/Host key/);
      await terminal.see(/does not answer yet/);
      await terminal.see(/Nobody can log in yet. Press s/);
      terminal.type("s");
      await terminal.see(/How will you log in/);
      terminal.type(ENTER);
      await terminal.see(/The address/);
      terminal.type(`http://127.0.0.1:9/me.keys${ENTER}`);
      await terminal.see(/must be an https URL/);
      await terminal.see(/How will you log in/);
      terminal.type(DOWN + ENTER);
      await terminal.see(/public key/);
      terminal.type(`ssh-rsa nonsense${ENTER}`);
      await terminal.see(/is no public key/);
      await terminal.see(/How will you log in/);
      terminal.type(DOWN + ENTER);
      await terminal.see(/public key/);
      terminal.type(KEY + ENTER);
      await terminal.see(/1 key may log in/);
      await terminal.see(/machine's name/);
      // Left here: the key holds, and the screen comes back.
      terminal.type(CTRL_C);
      await terminal.see(/From another machine|There is no network yet/);
      expect(world.read("etc/aaos/ssh/authorized_keys.d/aaos")).toBe(`${KEY}\n`);
      expect(existsSync(join(world.root, "etc/hostname"))).toBe(false);
      expect(existsSync(join(world.root, "etc/aaos/.applying"))).toBe(false);
      await terminal.see(/Enter logs in {3}l shows the log\r?\n/);
    },
    TIMEOUT,
  );

  it(
    "asks for an address before anything that needs one, where no card has any",
    async () => {
      world.put("sys/class/net/eth9/address", "52:54:00:00:00:09\n");
      world.put("sys/class/net/eth9/device", "");
      await using terminal = onTerminal(["--root", world.root, "system", "console"]);
      await terminal.see(/no address yet/);
      terminal.type("s");
      await terminal.see(/No address came by DHCP. One for eth9/);
      terminal.type(`192.0.2.300/24${ENTER}`);
      await terminal.see(/Its gateway/);
      terminal.type(`2001:db8::1${ENTER}`);
      await terminal.see(/A name server/);
      terminal.type(`192.0.2.53${ENTER}`);
      await terminal.see(/is an address with its prefix/);
      await terminal.see(/No address came by DHCP. One for eth9/);
      terminal.type(`2001:db8::9/64${ENTER}`);
      await terminal.see(/Its gateway/);
      terminal.type(`2001:db8::1${ENTER}`);
      await terminal.see(/A name server/);
      terminal.type(`192.0.2.53${ENTER}`);
      await terminal.see(/How will you log in/);
      expect(world.read("etc/systemd/network/50-aaos-eth9.network")).toMatch(
        /Address=2001:db8::9\/64\nGateway=2001:db8::1\nDNS=192.0.2.53/,
      );
    },
    TIMEOUT,
  );

  it(
    "draws the daemon as it comes, without being asked",
    async () => {
      await using terminal = onTerminal(["--root", world.root, "system", "console"]);
      await terminal.see(/does not answer yet/);
      await world.start();
      await terminal.see(/agentd {5}runs/);
      await terminal.see(/builtin rules/);
    },
    TIMEOUT,
  );

  it(
    "gives access back only where the boot asked for it",
    async () => {
      mkdirSync(join(world.root, "etc/aaos/ssh/authorized_keys.d"), { recursive: true });
      world.put("etc/passwd", "aaos:x:1000:1000::/home/aaos:/bin/bash\n");
      writeFileSync(join(world.root, "etc/aaos/ssh/authorized_keys.d/aaos"), "lost\n");
      {
        await using terminal = onTerminal(["--root", world.root, "system", "console"]);
        await terminal.see(/l shows the log\r?\n/);
        terminal.type("r");
        terminal.type("s");
        expect(terminal.shown()).not.toMatch(/How will you log in/);
      }
      world.put("proc/cmdline", "quiet aaos.access=reset\n");
      await using terminal = onTerminal(["--root", world.root, "system", "console"]);
      await terminal.see(/r gives access back/);
      terminal.type("r");
      await terminal.see(/How will you log in/);
      terminal.type(DOWN + ENTER);
      await terminal.see(/public key/);
      terminal.type(KEY + ENTER);
      await terminal.see(/Done/);
      expect(world.read("etc/aaos/ssh/authorized_keys.d/aaos")).toBe(`${KEY}\n`);
    },
    TIMEOUT,
  );

  it(
    "ends with 4 at Enter, and by itself when nothing has changed for a while; a key pressed meanwhile is given to the next one",
    async () => {
      const args = ["--root", world.root, "system", "console"];
      {
        await using terminal = onTerminal(args);
        await terminal.see(/Host key/);
        terminal.type(ENTER);
        expect(await terminal.ended).toBe(4);
      }
      {
        await using terminal = onTerminal([...args, "--calm", "1"]);
        await terminal.see(/Host key/);
        expect(await terminal.ended).toBe(0);
      }
      await using terminal = onTerminal([...args, "--key", "s"]);
      await terminal.see(/How will you log in/);
    },
    TIMEOUT,
  );

  it(
    "installs only on a live system, and asks for the disk first",
    async () => {
      {
        await using terminal = onTerminal(["--root", world.root, "system", "console"]);
        await terminal.see(/l shows the log/);
        terminal.type("i");
        expect(terminal.shown()).not.toMatch(/Install to which disk/);
      }
      world.put("proc/cmdline", "boot=live quiet\n");
      await using terminal = onTerminal(["--root", world.root, "system", "console"]);
      await terminal.see(/i installs to a disk/);
      terminal.type("i");
      await terminal.see(/Install to which disk\? \(Enter leaves\)/);
      terminal.type(`/dev/nonsense${ENTER}`);
      await terminal.see(/no disk \/dev\/nonsense/);
      await terminal.see(/Any key goes back/);
      terminal.type("x");
      await terminal.see(/Host key/);
    },
    TIMEOUT,
  );

  it("without a terminal it is a usage error", async () => {
    const ended = await world.cli(["system", "console"]);
    expect(ended.code).toBe(2);
    expect(ended.stderr).toMatch(/getty@tty1/);
  });
});

describe("agentd system status", () => {
  it(
    "tells of the machine without a daemon, and what provisioning and the selftest came to",
    async () => {
      world.put(
        "run/aaos/provision.json",
        '{"state":"refused","source":"the volume CIDATA","problems":["user-data:3: hostname: is no host name"],"notes":[]}',
      );
      // One that could not report has failed.
      world.put("run/aaos/selftest.json", '{"error":{"kind":"run_failed"}}');
      const failed = await world.json<{ machine: MachineStatus }>(["system", "status"]);
      expect(failed.machine.selftest).toMatchObject({ ok: false });
      world.put("run/aaos/selftest.json", '{"ok":true,"elapsed_ms":4200,"checks":[]}');
      const { machine: status } = await world.json<{ machine: MachineStatus }>([
        "system",
        "status",
      ]);
      expect(status.memory.total).toBeGreaterThan(0);
      expect(status.disks[0]?.path).toBe("/");
      expect(status.selftest).toMatchObject({ ok: true, elapsed_ms: 4_200 });
      const { stdout } = await world.cli(["system", "status"]);
      expect(stdout).toMatch(/provisioning refused; user-data:3/);
      expect((await world.cli(["doctor"])).stdout).toMatch(
        /✗ provisioning +refused whole: user-data:3/,
      );
    },
    TIMEOUT,
  );

  it("an address that a card gave itself is none", () => {
    const all = ["169.254.7.9", "fe80::1", "FE80::2", "192.0.2.7", "2001:db8::7", "16.9.254.1"];
    expect(all.filter(isReachable)).toEqual(["192.0.2.7", "2001:db8::7", "16.9.254.1"]);
  });

  it(
    "a data volume that an error made read-only is told by status and doctor, and is an error",
    async () => {
      world.put("run/aaos/disk/data", "");
      world.put("proc/mounts", "/dev/vda8 /mnt/data ext4 ro,noatime 0 0\n");
      const status = await world.cli(["system", "status"]);
      expect(status.code).toBe(1);
      expect(status.stdout).toMatch(/data volume +it is read-only/);
      expect((await world.cli(["doctor"])).stdout).toMatch(/✗ data volume +it is read-only/);
    },
    TIMEOUT,
  );

  it("knows a slot, a live system and a package by the kernel's command line", () => {
    expect(bootedFrom("root=x rauc.slot=B quiet")).toBe("slot B");
    expect(bootedFrom("boot=live quiet")).toBe("live");
    expect(bootedFrom("root=/dev/vda1")).toBe("package");
  });
});

describe("the screen", () => {
  const machine: MachineStatus = {
    ...{ product: "aaOS", version: "1.0", booted_from: "live", host: "box", uptime_s: 5 },
    ...{ memory: { total: 1, available: 1 }, disks: [], data_volume: null },
    temperature_c: null,
    network: [{ name: "eth0", mac: "52:54:00:00:00:01", addresses: ["192.0.2.7"] }],
    ...{ host_key: "SHA256:abc", provisioning: null, selftest: null },
  };
  const draw = (changed: Partial<ScreenState> = {}, of: Partial<MachineStatus> = {}): string =>
    screenLines(
      {
        machine: { ...machine, ...of },
        daemon: { provider: "builtin" },
        troubles: [],
        isSetUp: true,
        mayRecover: false,
        ...changed,
      },
      100,
    ).join("\n");

  it("says product, cards, fingerprint, how to come in and what to do next", () => {
    const text = draw();
    for (const part of [
      "aaOS 1.0",
      "eth0",
      "52:54:00:00:00:01",
      "192.0.2.7",
      "SHA256:abc",
      "ssh aaos@192.0.2.7",
      "sudo agentd configure",
    ])
      expect(text).toContain(part);
    expect(draw({ daemon: { provider: "deepseek" } })).toMatch(/deepseek[\s\S]*agentd submit/);
  });

  it("says what is wrong with clock, disk, data volume and memory, and nothing where all is well", () => {
    const well = { now: Date.parse("2027-01-01"), isTimeSet: true, degraded: "" };
    const big = { ...machine, memory: { total: 8 * 2 ** 30, available: 1 } };
    expect(troublesOf({ ...well, machine: big, disks: ["vda"] })).toEqual([]);
    const full = {
      ...machine,
      memory: { total: 2 ** 30, available: 1 },
      ...{ disks: [{ path: "/", total: 2 ** 30, free: 0 }], data_volume: "it is read-only" },
    };
    const wrong = { now: 0, isTimeSet: false, degraded: "no data" };
    const troubles = troublesOf({ ...wrong, machine: full, disks: [] });
    const text = draw({ troubles });
    for (const part of [
      /! The data volume is not in use: no data/,
      /! The data volume: it is read-only/,
      /! \/ is full/,
      /! No time server has set the clock, which says 1970-01-01/,
      /! There is no disk/,
      /! Only 1024 MB of memory/,
    ])
      expect(text).toMatch(part);
  });

  it("a disc, what cannot be written and the stick that it was started from are no disks", () => {
    const at = (path: string): string => join(world.root, path);
    const block = (name: string, ro: string): void => {
      mkdirSync(at(`/sys/block/${name}`), { recursive: true });
      writeFileSync(at(`/sys/block/${name}/ro`), `${ro}\n`);
    };
    for (const name of ["sr0", "loop0", "zram0", "sda"]) block(name, "0");
    block("vda", "1");
    mkdirSync(at("/proc"), { recursive: true });
    writeFileSync(at("/proc/mounts"), "/dev/sda1 /run/live/medium iso9660 ro 0 0\n");
    expect(disksHere(at)).toEqual([]);
    block("nvme0n1", "0");
    expect(disksHere(at)).toEqual(["nvme0n1"]);
  });

  it("says what is missing: network, access, a file that was refused; and no control character gets through", () => {
    expect(draw({}, { network: [] })).toMatch(/no card was found/);
    expect(draw({}, { network: [{ name: "eth0", mac: "x", addresses: [] }] })).toMatch(
      /no address yet/,
    );
    expect(draw({}, { network: [] })).toMatch(/sudo agentd configure/);
    expect(draw({ isSetUp: false })).toMatch(/Nobody can log in yet/);
    const refused = {
      state: "refused" as const,
      source: "CIDATA",
      problems: ["user-data:3: \u001b[31mx"],
      notes: [],
    };
    const text = draw({}, { provisioning: refused });
    expect(text).toMatch(/was refused \(CIDATA\)/);
    expect(text).not.toContain("\u001b");
    // What is too long for a line goes on in the next one.
    const problems = [`aaos.yaml:2: users: ${"word ".repeat(30)}end`];
    const narrow = draw({}, { provisioning: { ...refused, problems } }).split("\n");
    expect(Math.max(...narrow.map(({ length }) => length))).toBeLessThanOrEqual(100);
    expect(narrow.join("\n")).toMatch(/word\n {2}word[\s\S]*end/);
  });
});
