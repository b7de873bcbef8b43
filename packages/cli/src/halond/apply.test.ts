import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { CompiledCluster } from "@halon/service/host";
import { afterEach, expect, test } from "vitest";
import { memoryIo } from "../../testdata/memory-io.ts";
import { applyAll } from "./apply.ts";

const cluster = {
  spec: { types: [], services: [], rules: [], prune: false },
  blobs: [],
} as unknown as CompiledCluster;

const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

/** A node that answers with these errors first, one a request, and then as one that leads. */
async function startNode(errors: readonly (readonly [status: number, code: string])[]) {
  const left = [...errors];
  const applied: string[] = [];
  const server = createServer((request, response) => {
    const next = left.shift();
    const isApply = request.url?.startsWith("/v1/apply") === true;
    if (next === undefined && isApply) applied.push(request.url ?? "");
    const [status, errorCode] = next ?? [200, ""];
    const good = isApply
      ? { operation: "o-1", index: 7, state: "done", waiting: [] }
      : { missing: [] };
    const body = errorCode === "" ? good : { errorCode, errorMessage: `said ${errorCode}` };
    request.resume();
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { endpoint: `http://127.0.0.1:${port}`, applied };
}

test("a change of the leader while a cluster file is applied is waited for, and told once", async () => {
  const { endpoint, applied } = await startNode([
    [503, "HAL_NO_LEADER"],
    [409, "HAL_BLOB_MISSING"],
  ]);
  const { io, written } = memoryIo();
  await applyAll(endpoint, [cluster], io);
  expect(applied).toHaveLength(1);
  expect(written.err).toBe("halond: --apply is tried again: said HAL_NO_LEADER\n");
});

test("what does not pass by itself is told at once, and is not tried again", async () => {
  const { endpoint, applied } = await startNode([[400, "HAL_CONFIG_INVALID"]]);
  const { io, written } = memoryIo();
  await applyAll(endpoint, [cluster], io);
  expect(applied).toHaveLength(0);
  expect(written.err).toBe("halond: HAL_CONFIG_INVALID: said HAL_CONFIG_INVALID\n");
});
