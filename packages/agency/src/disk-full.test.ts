import { afterEach, expect, test } from "vitest";
import { diskFs } from "./disk-fs.ts";
import type { LogFile, LogFs } from "./log-fs.ts";
import {
  deadlineMs,
  leaderOf,
  makeDir,
  read,
  startAgency,
  startTestMember,
  until,
  write,
} from "./testing.ts";

const cleanUps: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
}, deadlineMs);

const set = (path: string, value: unknown) => [{ [path]: { op: "set", new: value } }];
const limit = { timeout: 4 * deadlineMs };

/** A real disk that refuses to write while `refusal` is set. */
class RefusingFs implements LogFs {
  refusal: string | null = null;
  readonly mkdir = diskFs.mkdir;
  readonly readdir = diskFs.readdir;
  readonly size = diskFs.size;
  readonly rename = diskFs.rename;
  readonly unlink = diskFs.unlink;
  readonly syncDir = diskFs.syncDir;

  async open(path: string, mode: "create" | "edit"): Promise<LogFile> {
    if (mode === "create") this.#check();
    const file = await diskFs.open(path, mode);
    return {
      read: file.read,
      truncate: file.truncate,
      close: file.close,
      writeSync: (data, position) => {
        this.#check();
        file.writeSync(data, position);
      },
      write: async (data, position) => {
        this.#check();
        await file.write(data, position);
      },
      datasyncSync: () => {
        this.#check();
        file.datasyncSync();
      },
      datasync: async () => {
        this.#check();
        await file.datasync();
      },
    };
  }

  #check(): void {
    const code = this.refusal;
    if (code !== null)
      throw Object.assign(new Error(`${code}: refused`), { code, syscall: "write" });
  }
}

test(
  "a full disk makes its leader step down and say so; with room again it has all",
  limit,
  async () => {
    const full = new RefusingFs();
    const first = await startTestMember(makeDir(cleanUps), { fs: full });
    cleanUps.push(() => first.close());
    const rest = [];
    for (let at = 0; at < 2; at++) {
      const one = await startTestMember(makeDir(cleanUps), { join: [first.address] });
      cleanUps.push(() => one.close());
      rest.push(one);
    }
    const leader = await leaderOf([first, ...rest]);
    if (leader !== first) {
      const to = first.member.status.id;
      await leader.member.request({ type: "transferLeader", to });
      await leaderOf([first]);
    }
    expect(await write(first.member, [set("/a", 1)])).toMatchObject({ status: 200 });
    full.refusal = "ENOSPC";
    const unknown = await write(first.member, [set("/b", 2)]);
    // Its followers may have committed it already, without its own disk.
    expect(["lostLeadership", "written"]).toContain(unknown.type);
    await until("an unavailable member", () => first.member.status.role === "unavailable");
    expect(first.member.status.reason).toContain("ENOSPC");
    expect(await read(first.member, [["/a"]])).toEqual({ type: "noLeader" });

    const next = await leaderOf(rest);
    expect(await write(next.member, [set("/c", 3)])).toMatchObject({ status: 200 });
    expect(await read(next.member, [["/a"]])).toMatchObject({ text: '[{"a":1}]' });
    full.refusal = null;
    const { index } = next.member.view.committed;
    await until("a member that has all", () => first.member.view.committed.index >= index);
  },
);

test("a disk that fails ends its member with 1", limit, async () => {
  const broken = new RefusingFs();
  const [one] = await startAgency(cleanUps, 1, { fs: broken });
  if (one === undefined) throw new Error("no member");
  await leaderOf([one]);
  expect(await write(one.member, [set("/a", 0)])).toMatchObject({ status: 200 });
  broken.refusal = "EIO";
  expect(await write(one.member, [set("/a", 1)])).toEqual({ type: "lostLeadership" });
  expect(await one.ended).toMatchObject({ exitCode: 1, reason: expect.stringContaining("EIO") });
});

test(
  "the host's log is fenced while the disk is full, can be read, and goes on after",
  limit,
  async () => {
    const full = new RefusingFs();
    const [one] = await startAgency(cleanUps, 1, { fs: full });
    if (one === undefined) throw new Error("no member");
    const { hostLog } = one.member;
    const { epoch } = await until("a leader", () => hostLog.status.leading);
    const data = Buffer.from("record");
    expect(await hostLog.append(data, { position: 1, epoch })).toEqual({ type: "committed" });
    full.refusal = "ENOSPC";
    await expect(hostLog.append(data, { position: 2, epoch })).rejects.toMatchObject({
      code: "HAL_STORE_FAILED",
    });
    await until("an unavailable member", () => one.member.status.role === "unavailable");
    expect(hostLog.status).toMatchObject({ leading: null, owner: null, lastPosition: 1 });
    expect(hostLog.read(1)).toMatchObject([{ position: 1 }]);
    expect(await hostLog.append(data, { position: 2, epoch })).toMatchObject({ type: "fenced" });
    await expect(hostLog.loadSnapshot()).rejects.toMatchObject({ code: "HAL_STORE_FAILED" });
    full.refusal = null;
    const again = await until("a leader again", () => hostLog.status.leading);
    expect(again.epoch).toBeGreaterThan(epoch);
    // What was refused by the disk was answered as unknown: it may be there or not.
    const position = again.position + 1;
    expect(await hostLog.append(data, { position, epoch: again.epoch })).toEqual({
      type: "committed",
    });
    expect(hostLog.status.installs).toBe(0);
  },
);
