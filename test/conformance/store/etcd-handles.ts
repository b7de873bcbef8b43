import { type Engine, openEtcdEngine } from "@halon/coordinator/store";
import { expect } from "vitest";
import type { Etcd } from "./etcd-server.ts";

/** Handles to be closed after a test. */
const opened: Engine[] = [];

export function closeLater(engine: Engine): Engine {
  opened.push(engine);
  return engine;
}

/** For `afterEach`. */
export async function closeAll(): Promise<void> {
  await Promise.all(opened.splice(0).map((engine) => engine.close()));
}

let prefixes = 0;
/** A prefix that no test has used. */
export const freshPrefix = (): string => `halon-${++prefixes}`;

export async function openOn(etcd: Etcd, prefix: string, port = 1): Promise<Engine> {
  const url = etcd.url(prefix);
  const engine = await openEtcdEngine({ url, clusterId: "c1", address: `10.0.0.1:${port}` });
  return closeLater(engine);
}

export async function leadOn(etcd: Etcd, prefix: string, port = 1): Promise<Engine> {
  const engine = await openOn(etcd, prefix, port);
  await engine.lead();
  return engine;
}

export const bytes = (text: string): Uint8Array => Buffer.from(text);
export const base64 = (text: string): string => Buffer.from(text).toString("base64");

export async function fill(engine: Engine, from: number, to: number): Promise<void> {
  for (let position = from; position <= to; position++) {
    const appended = await engine.append(bytes(`s${position}`), { position, epoch: engine.epoch });
    expect(appended).toEqual({ type: "committed" });
  }
}

/** All slots from `from` on, as texts. */
export async function textsOf(engine: Engine, from = 1): Promise<readonly string[]> {
  const all: string[] = [];
  for (;;) {
    const slots = await engine.read(from + all.length);
    if (slots.length === 0) return all;
    all.push(...slots.map(({ data }) => Buffer.from(data).toString("utf8")));
  }
}

export const numbered = (from: number, to: number): readonly string[] =>
  Array.from({ length: to - from + 1 }, (_, at) => `s${from + at}`);

export const lost = (engine: Engine): Promise<string> => new Promise((done) => engine.onLost(done));

export async function* chunked(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}
