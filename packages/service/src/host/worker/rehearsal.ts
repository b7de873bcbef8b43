import { once } from "node:events";
import { MessageChannel } from "node:worker_threads";
import { threadEntry } from "../thread-entry.ts";
import { serve } from "./serve.ts";
import { createWords, type ThreadData } from "./shared.ts";

/** What is called, one after the other. */
const calls: readonly { readonly name: string; readonly args: readonly unknown[] }[] = [
  { name: "check", args: [] },
  { name: "call", args: ["hello", ["you"]] },
  { name: "stop", args: [] },
];

/**
 * Starts, calls and stops the service of `rehearsed.ts`, so that what every start runs has been loaded and compiled once.
 *
 * The first start in a thread takes twice as long as the second. Twice, as a file is loaded in two ways.
 */
export async function rehearse(): Promise<void> {
  const { href } = threadEntry("worker/rehearsed");
  await rehearseWith(href);
  await rehearseWith(`${href}?generation=1`);
}

/** Told what it is for through a port, and with a port, as a thread is. */
async function rehearseWith(blobUrl: string): Promise<void> {
  const thread = new MessageChannel();
  const { port1: host, port2: port } = new MessageChannel();
  const service = {
    blobUrl,
    node: "",
    service: "rehearsed",
    instance: "",
    config: {},
    resourceKinds: [],
  };
  const data: ThreadData = { type: "own", words: createWords(), service, port };
  thread.port1.postMessage(data, [port]);
  const [given] = (await once(thread.port2, "message")) as [Extract<ThreadData, { type: "own" }>];
  thread.port1.close();
  const waiting = calls.values();
  host.on("message", ({ event, id }: { event?: { type: string }; id?: string }) => {
    if (event?.type !== "ready" && id === undefined) return;
    const { value } = waiting.next();
    if (value === undefined) return;
    const { name, args } = value;
    const argumentList = args.map((arg) => ({ type: "RAW", value: arg }));
    host.postMessage({ id: name, type: "APPLY", path: [name], argumentList });
  });
  await new Promise<void>((ended) => {
    serve({ data: given.service, port: given.port, write: () => undefined, ended: () => ended() });
  });
  host.close();
}
