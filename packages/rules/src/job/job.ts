import type { JobRequester, Json } from "@halon/protocol";
import type { Happened } from "./statechart.ts";

/** Requesters of one job that are named; those after them are counted. */
export const requestsMax = 1_000;
/** Events that one job defers; the oldest makes room. */
export const deferredMax = 100;

/** A job as the memory of its rule file holds it: plain JSON. */
export interface Job {
  /** Of the rule file that it began with, or was moved to. */
  readonly version: string;
  /** Log time in ms. */
  readonly since: number;
  /** Of XState, as its machine persists it. */
  readonly snapshot: Json;
  /** Types of event that its present state takes; and those that it puts off. */
  readonly waits: readonly string[];
  readonly defers: readonly string[];
  /** Oldest first. */
  readonly deferred: readonly Happened<string, Json>[];
  /** Ids of its delays. */
  readonly armed: readonly string[];
  readonly requests: readonly JobRequester[];
  /** Requesters that found no room. */
  readonly more: number;
  /** Why it is to end before its work is done. */
  readonly cancelled: string | null;
}

/** In the memory of the rule file. */
export function jobKey(rule: string, key: string): string {
  return `@job/${nameOf(rule)}/${key}`;
}

/** Of the rule file; a delay's timer. Without one: that of the deadline. */
export function jobTimerKey(rule: string, key: string, timer: string | null): string {
  return timer === null
    ? `@deadline/${nameOf(rule)}/${key}`
    : `@delay/${nameOf(rule)}/${timer}/${key}`;
}

/** In the memory of the rule file: how many of its jobs are of that version. */
export function jobCountKey(version: string): string {
  return `@jobs/${version}`;
}

/** The rule file of `file/rule`. */
export function fileOf(rule: string): string {
  return rule.slice(0, rule.indexOf("/"));
}

function nameOf(rule: string): string {
  return rule.slice(rule.indexOf("/") + 1);
}

/** With one more who asked for it; the same one is named once. */
export function joined(job: Job, requester: JobRequester): Job {
  if (job.requests.some(({ event }) => event === requester.event)) return job;
  return job.requests.length < requestsMax
    ? { ...job, requests: [...job.requests, requester] }
    : { ...job, more: job.more + 1 };
}

/** With one more event that waits for a later state. */
export function deferring(job: Job, event: Happened<string, Json>): Job {
  return { ...job, deferred: [...job.deferred, event].slice(-deferredMax) };
}
