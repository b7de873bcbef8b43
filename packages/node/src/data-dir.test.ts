import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { endpointOf, openDataDir } from "./data-dir.ts";

test("one process uses a directory, and who asks is told where it can be reached", async () => {
  const path = join(mkdtempSync(join(tmpdir(), "halon-data-dir-")), "data");
  expect(await endpointOf(path)).toBeUndefined();
  const held = await openDataDir(path);
  await expect(openDataDir(path)).rejects.toMatchObject({ code: "HAL_DATA_DIR_LOCKED" });
  expect(await endpointOf(path)).toBe("");
  held.announce("127.0.0.1:1234");
  expect(await endpointOf(path)).toBe("127.0.0.1:1234");
  held.release();
  expect(await endpointOf(path)).toBeUndefined();
  rmSync(join(path, ".."), { recursive: true });
});
