import { Finding, ok, textOf, type Verdict, warned } from "./finding.ts";
import { stillOpen } from "./left.ts";
import { plainProblem } from "./plain.ts";
import { reasonOf, type Stage, type Started } from "./stage.ts";

/** How long one that is ready is watched for an end of its own. */
const settleMs = 500;
/** What may still be closing when the end has been told. */
const leaveMs = 1_000;
const answerMs = 5_000;

export async function starts(stage: Stage): Promise<Verdict> {
  const started = await stage.start();
  await requireSteady(stage, started);
  return ok(`ready after ${started.readyMs} ms`);
}

async function requireSteady(stage: Stage, { instance }: Started): Promise<void> {
  const end = await stage.untilEnd(instance, settleMs);
  if (end === undefined) return;
  // Throws that it does not apply when its work is done.
  stage.requireRunning(instance);
}

export async function startTwice(stage: Stage): Promise<Verdict> {
  const { instance, action, tap } = await stage.start();
  const osPid = tap.runner.osPid;
  const again = await stage.askRunning(action, answerMs);
  stage.requireStarted(instance, again);
  if (stage.taps.length > 1) throw new Finding("the second start started it again");
  if (tap.runner.osPid !== osPid) {
    throw new Finding(`it was process ${osPid}, and is ${tap.runner.osPid} after the second start`);
  }
  return ok();
}

export async function checkStarting(stage: Stage): Promise<Verdict> {
  const action = stage.nextStart();
  const { instance, service, manifest } = action;
  const start = stage.ask(action, manifest.startTimeoutMs + answerMs);
  // Before anything of it can have run: nothing was awaited since the start.
  const asked = stage.taps
    .at(-1)
    ?.runner.check(manifest.startTimeoutMs)
    .then(
      ({ health }) => `answered ${health}`,
      (error: unknown) => `was refused: ${textOf(error)}`,
    );
  const told = await stage.ask(
    { type: "CheckService", service, instance },
    answerMs + manifest.checkTimeoutMs,
  );
  stage.requireStarted(instance, await start);
  const said = (await asked) ?? "was not asked";
  if (said.includes("No answer to check within")) {
    throw new Finding(`a check that came while it started ${said}`);
  }
  await requireSteady(stage, { instance, service, action, tap: stage.tapOf(instance), readyMs: 0 });
  return ok(told.type === "CommandRefused" ? "refused until it is ready" : "");
}

export async function checks(stage: Stage): Promise<Verdict> {
  const { instance, service, tap } = await stage.start();
  const { checkTimeoutMs } = stage.manifest;
  const direct = await answerOf(stage, instance, () => tap.runner.check(checkTimeoutMs), "Check");
  const told = await stage.askRunning(
    { type: "CheckService", service, instance },
    checkTimeoutMs + answerMs,
  );
  if (told.type !== "ServiceChecked") throw new Finding(`Check was refused: ${reasonOf(told)}`);
  const { health } = told.data;
  const detail = direct.detail === undefined ? "" : `: ${direct.detail}`;
  if (health === "unknown") throw new Finding(`no answer within ${checkTimeoutMs} ms`);
  if (health === "ok") return ok();
  return warned(`right after its start it is ${health}${detail}`);
}

export async function status(stage: Stage): Promise<Verdict> {
  const { instance, service, tap } = await stage.start();
  const { checkTimeoutMs } = stage.manifest;
  const ask = () => tap.runner.status(checkTimeoutMs);
  const report: unknown = await answerOf(stage, instance, ask, "Status");
  const problem = plainProblem(report);
  if (problem !== undefined) throw new Finding(`status${problem}; answer with plain JSON`);
  const told = await stage.askRunning(
    { type: "ReportStatus", service, instance },
    checkTimeoutMs + answerMs,
  );
  if (told.type !== "ServiceReported") throw new Finding(`Status was refused: ${reasonOf(told)}`);
  return report === null ? ok("it reports nothing") : ok();
}

/** The answer of its code; a throw and silence are findings. */
export async function answerOf<T>(
  stage: Stage,
  instance: string,
  ask: () => Promise<T>,
  what: string,
): Promise<T> {
  try {
    return await ask();
  } catch (error) {
    stage.requireRunning(instance);
    throw new Finding(`${what}: ${textOf(error)}`);
  }
}

export async function stops(stage: Stage): Promise<Verdict> {
  const started = await stage.start();
  const { ms, kills } = await stage.stop(started);
  const { stopTimeoutMs } = stage.manifest;
  if (kills > 0) {
    throw new Finding(
      `it did not end within ${stopTimeoutMs} ms after it was asked to, and was killed`,
    );
  }
  return ok(`ended after ${ms} ms`);
}

export async function stopTwice(stage: Stage): Promise<Verdict> {
  const started = await stage.start();
  await stage.stop(started);
  const { service, instance } = started;
  const action = { type: "StopService", service, instance, reason: "conform" } as const;
  const again = await stage.ask(action, stage.manifest.stopTimeoutMs + answerMs);
  if (again.type === "ServiceStopped") return ok();
  throw new Finding(`the second stop was refused: ${reasonOf(again)}`);
}

export async function nothingLeft(stage: Stage): Promise<Verdict> {
  const before = new Set(stage.listeners().map(({ socket }) => socket));
  const started = await stage.start();
  const { instance, tap } = started;
  await tap.runner.check(stage.manifest.checkTimeoutMs).catch(() => undefined);
  stage.requireRunning(instance);
  stage.note();
  const ports = stage.listeners().filter(({ socket }) => !before.has(socket));
  await stage.stop(started);
  await requireNothing(stage);
  const open = stillOpen(ports);
  if (open.length > 0) {
    throw new Finding(`still listens after the stop: ${open.map(({ port }) => port).join(", ")}`);
  }
  const seen = ports.length === 0 ? "" : `, nor port ${ports.map(({ port }) => port).join(", ")}`;
  return ok(`no process${seen}`);
}

/** Nothing that was started on the stage runs any more, or will in a moment. */
export async function requireNothing(stage: Stage): Promise<void> {
  const until = performance.now() + leaveMs;
  let left = stage.traces();
  while (left.length > 0 && performance.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    left = stage.traces();
  }
  if (left.length === 0) return;
  const shown = left.slice(0, 5).map(({ pid, command }) => `${pid} (${command})`);
  throw new Finding(`left behind: process ${shown.join(", ")}`);
}

export async function restarts(stage: Stage): Promise<Verdict> {
  await stage.stop(await stage.start());
  const again = await stage.start();
  await requireSteady(stage, again);
  return ok(`ready after ${again.readyMs} ms`);
}

export async function twoNames(stage: Stage): Promise<Verdict> {
  const { name } = stage.manifest;
  const first = await stage.start({ service: `${name}-1` });
  try {
    const second = await stage.start({ service: `${name}-2` });
    await requireSteady(stage, second);
    stage.requireRunning(first.instance);
    return ok();
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    return warned(`the second one: ${error.message}; give each its own configuration`);
  }
}
