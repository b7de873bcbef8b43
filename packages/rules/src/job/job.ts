import type { Json } from "@halon/protocol";
import type { RuleHost } from "../host.ts";
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
  /** How many have asked for it; those who are named stand beside it, at `requesterKey`. */
  readonly requests: number;
  /** Why it is to end before its work is done. */
  readonly cancelled: string | null;
}

/** In the memory of the rule file: what the keys of a rule's jobs begin with. */
export function jobsPrefix(rule: string): string {
  return `@job/${nameOf(rule)}/`;
}

/** In the memory of the rule file. */
export function jobKey(rule: string, key: string): string {
  return `${jobsPrefix(rule)}${key}`;
}

/** The job that runs for the key. */
export function readJob(host: RuleHost, rule: string, key: string): Job | undefined {
  const value = host.memory(fileOf(rule), jobKey(rule, key));
  return value === undefined || value === null ? undefined : (value as unknown as Job);
}

/** In the memory of the rule file: who was the n-th to ask for the job, from 0. */
export function requesterKey(rule: string, key: string, number: number): string {
  return `@asked/${nameOf(rule)}/${key}/${number}`;
}

/** Of the rule file; a delay's timer. Without one: that of the deadline. */
export function jobTimerKey(rule: string, key: string, timer: string | null): string {
  const name = nameOf(rule);
  return timer === null
    ? `@deadline/${name}/${key}`
    : `@delay/${name}/${JSON.stringify([key, timer])}`;
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

/** With one more event that waits for a later state. */
export function deferring(job: Job, event: Happened<string, Json>): Job {
  return { ...job, deferred: [...job.deferred, event].slice(-deferredMax) };
}
