import { EventEmitter } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { AlertEntry } from "@halon/protocol";
import { afterEach, expect, test } from "vitest";
import {
  cleanUp,
  ctl,
  events,
  halond,
  halondOf,
  kill,
  project,
  startCluster,
  startNode,
  status,
  temporaryDirectory,
  waitFor,
  waitForState,
} from "./cluster.ts";
import { echoServer, processService } from "./services.ts";

const close: (() => void)[] = [];

afterEach(async () => {
  for (const each of close.splice(0)) each();
  await cleanUp();
});

interface Asked {
  readonly headers: IncomingHttpHeaders;
  readonly body: unknown;
}

/** A webhook that is overloaded at the first request. */
async function webhook() {
  const asked: Asked[] = [];
  const arrivals = new EventEmitter();
  const server = createServer((request, response) => {
    let body = "";
    request.on("data", (text) => {
      body += String(text);
    });
    request.on("end", () => {
      asked.push({ headers: request.headers, body: JSON.parse(body) });
      response.writeHead(asked.length === 1 ? 503 : 200).end("noted");
      arrivals.emit("asked");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook?token=q` };
}

const rulesCalling = (
  url: string,
) => `import { defineEvent, defineRules, events, on, z } from "@halon/rules";
const Seen = defineEvent({ type: "Seen", schema: z.object({ service: z.string() }) });
export default defineRules({
  look: on(events.ServiceFailed).do(({ event, run, call, alert }) => {
    const { node, service } = event;
    run("collect", { on: node, args: [service], deadlineMs: 20_000, ref: "collect-" + service });
    run("format", { on: node, deadlineMs: 20_000 });
    call({
      url: "${url}",
      headers: { authorization: { $secret: "env:HOOK_TOKEN" } },
      body: { service, node },
      deadlineMs: 20_000,
    });
    alert.raise("failed/" + service, { severity: "warning", text: service + " has failed on " + node });
  }),
  collected: on(events.RunEnded)
    .where(({ event }) => event.outcome === "done")
    .do(({ event, why }) => why("collected: " + event.output)),
  seen: on(Seen).do(({ event, alert }) => alert.clear("failed/" + event.service, "a person has seen it")),
});
`;

test("a rule runs a program, calls a webhook and raises an alert when a service fails", async () => {
  const directory = temporaryDirectory();
  const mark = join(directory, "mark");
  const { asked, url } = await webhook();
  const allow = join(directory, "allow.yaml");
  writeFileSync(
    allow,
    `collect:
  command: [sh, -c, 'echo "$0 $1" >> ${mark}; echo "logs of $1"', collecting]
  args: { max: 1, pattern: "[a-z]+" }
`,
  );
  const file = project(join(directory, "project"), {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({
  services: [{ type: "./echo.service.ts" }],
  rules: ["./look.rules.ts"],
});
`,
    "echo.service.ts": processService("echo"),
    "echo.mjs": echoServer,
    "look.rules.ts": rulesCalling(url),
  });
  const { endpoint } = await startNode(join(directory, "data"), ["--allow-run", allow], {
    env: { HOOK_TOKEN: "Bearer hunter2" },
  });
  await ctl(endpoint, "apply", "-f", file);
  const { osPid = 0, node } = await waitForState(endpoint, "echo", "running");
  kill(osPid, "SIGKILL");

  const runs = await waitFor("both runs to end", async () => {
    const found = await events(endpoint, "RunEnded");
    return found.length === 2 && found;
  });
  expect(runs.map(({ data }) => data)).toMatchObject(
    expect.arrayContaining([
      expect.objectContaining({
        ref: "collect-echo",
        node,
        outcome: "done",
        output: "logs of echo",
      }),
      expect.objectContaining({
        name: "format",
        outcome: "refused",
        reason: expect.stringContaining("--allow-run"),
      }),
    ]),
  );
  expect(readFileSync(mark, "utf8")).toBe("collecting echo\n");
  const [ended] = await waitFor("the call to end", async () => {
    const found = await events(endpoint, "CallEnded");
    return found.length === 1 && found;
  });
  expect(ended?.data).toMatchObject({
    ...{ outcome: "done", status: 200, attempts: 2, body: "noted" },
    url: url.replace("?token=q", ""),
  });
  expect(asked.map(({ body }) => body)).toEqual([
    { service: "echo", node },
    { service: "echo", node },
  ]);
  expect(new Set(asked.map(({ headers }) => headers["idempotency-key"])).size).toBe(1);
  expect(asked[0]?.headers.authorization).toBe("Bearer hunter2");
  expect(JSON.stringify(await events(endpoint))).not.toContain("hunter2");

  const text = `echo has failed on ${node}`;
  expect(await ctl(endpoint, "status")).toMatch(new RegExp(`warning +look/failed/echo .*${text}`));
  const listed: unknown = JSON.parse(await ctl(endpoint, "alert", "list", "-o", "json"));
  expect(AlertEntry.array().parse(listed)).toMatchObject([
    { alert: "look/failed/echo", rule: "look/look", severity: "warning", text, count: 1 },
  ]);
  await ctl(endpoint, "event", "emit", "Seen", '{"service":"echo"}');
  expect((await status(endpoint)).alerts).toEqual([]);
  const [cleared] = await events(endpoint, "AlertCleared");
  expect(cleared?.data).toMatchObject({ reason: "a person has seen it" });
});

const slowRules = `import { defineEvent, defineRules, on, z } from "@halon/rules";
const Repair = defineEvent({ type: "Repair", schema: z.object({ node: z.string() }) });
export default defineRules({
  repair: on(Repair).do(({ event, run }) => void run("slow", { on: event.node, deadlineMs: 60_000 })),
});
`;

test("a coordinator that is killed between a rule's decision and the end of its program gives one run", async () => {
  const directory = temporaryDirectory();
  const mark = join(directory, "mark");
  const go = join(directory, "go");
  const allow = join(directory, "allow.yaml");
  const script = `echo ran >> ${mark}; while [ ! -e ${go} ]; do sleep 0.1; done; echo repaired`;
  writeFileSync(allow, `slow: { command: [sh, -c, '${script}'] }\n`);
  const file = project(join(directory, "project"), {
    "cluster.ts": `import { defineCluster } from "@halon/service";
export default defineCluster({ services: [], rules: ["./slow.rules.ts"] });
`,
    "slow.rules.ts": slowRules,
  });
  const dataDir = join(directory, "data");
  const { endpoint } = await startCluster(dataDir, { args: ["--allow-run", allow] });
  await ctl(endpoint, "apply", "-f", file);
  const before = await status(endpoint);
  const { leader } = before.cluster;
  const [runner, witness] = before.nodes.filter(({ name }) => name !== leader);
  await ctl(endpoint, "event", "emit", "Repair", JSON.stringify({ node: runner?.name }));
  await waitFor("the program to run", () => existsSync(mark));
  kill(halondOf(join(dataDir, leader ?? "")), "SIGKILL");
  const elsewhere = `http://${witness?.address}`;
  await waitFor(
    "another to lead",
    async () => {
      const now = (await status(elsewhere)).cluster.leader;
      return now !== null && now !== leader;
    },
    60_000,
  );
  writeFileSync(go, "");
  const [ended] = await waitFor("the run to end", async () => {
    const found = await events(elsewhere, "RunEnded");
    return found.length > 0 && found;
  });
  expect(ended?.data).toMatchObject({ node: runner?.name, outcome: "done", output: "repaired" });
  expect(readFileSync(mark, "utf8")).toBe("ran\n");
  // What comes after it in the log was decided after all that the run could still lead to.
  await ctl(
    elsewhere,
    "event",
    "emit",
    "JobCancelRequested",
    '{"rule":"a/b","key":"c","reason":"d"}',
  );
  expect(await events(elsewhere, "RunEnded")).toHaveLength(1);
});

test("a file of --allow-run that is wrong ends the start, and names the field", async () => {
  const directory = temporaryDirectory();
  const allow = join(directory, "allow.yaml");
  writeFileSync(allow, "collect: { command: [collect], user: root }\n");
  const { code, stderr } = await halond(
    ...["start", "--data-dir", join(directory, "data"), "--allow-run", allow],
  );
  expect(code).toBe(2);
  expect(stderr).toContain(allow);
  expect(stderr).toMatch(/collect: .*"user"/);
});
