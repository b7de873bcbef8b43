import { resolve } from "node:path";
import type { AgencyNodeOptions } from "@halon/node/agency";
import { usage } from "../../failure.ts";
import {
  advertised,
  joined,
  listened,
  logged,
  nameOf,
  type Surroundings,
} from "../common-options.ts";
import type { RawSettings } from "../settings.ts";

/** Settings that only `halond agency` knows, as a person gives them. */
export interface RawTuning {
  readonly electionMinMs?: string | undefined;
  readonly electionMaxMs?: string | undefined;
  readonly compactionStep?: string | undefined;
  readonly compactionKeep?: string | undefined;
  readonly compactionBytes?: string | undefined;
}

/** What `halond agency` does, checked. */
export interface AgencyOptions {
  readonly node: AgencyNodeOptions;
  readonly join: readonly string[];
  readonly agencySize: 1 | 3 | 5 | 7;
  readonly electionMinMs: number;
  readonly electionMaxMs: number;
  /** In transactions. */
  readonly compactionStep: number;
  readonly compactionKeep: number;
  /** Of log, before a snapshot. */
  readonly compactionBytes: number;
}

/** Shorter waits than this are shorter than a heartbeat. */
const electionMsLeast = 100;

/** Checks the settings of `halond agency`. Errors are `HAL_USAGE`. */
export function agencyOptions(raw: RawSettings & RawTuning, around: Surroundings): AgencyOptions {
  const listen = listened(raw);
  const electionMinMs = count("--election.min-ms", raw.electionMinMs, 300, electionMsLeast);
  const electionMaxMs = count("--election.max-ms", raw.electionMaxMs, 600, electionMsLeast);
  if (electionMaxMs <= electionMinMs) {
    throw usage(
      `Expected --election.max-ms to be more than --election.min-ms, got ${electionMaxMs} and ${electionMinMs}: members that all wait equally long vote for themselves again and again.`,
    );
  }
  return {
    node: {
      name: nameOf(raw.name, around.hostname),
      dataDir: resolve(around.directory, raw.dataDir ?? "halon-data"),
      listen,
      advertise: advertised(raw.advertise, listen.host),
      log: logged(raw, around),
    },
    join: joined(raw.join ?? []),
    agencySize: sizeOf(raw.agencySize ?? "3"),
    electionMinMs,
    electionMaxMs,
    compactionStep: count("--compaction.step", raw.compactionStep, 1_000, 1),
    compactionKeep: count("--compaction.keep", raw.compactionKeep, 50_000, 1),
    compactionBytes: count("--compaction.bytes", raw.compactionBytes, 16_777_216, 0),
  };
}

function sizeOf(text: string): AgencyOptions["agencySize"] {
  const size = ([1, 3, 5, 7] as const).find((one) => String(one) === text);
  if (size !== undefined) return size;
  throw usage(
    `Expected --agency-size to be 1, 3, 5 or 7, got ${JSON.stringify(text.slice(0, 50))}: an even number survives no more failures than the odd one below it.`,
  );
}

function count(option: string, text: string | undefined, standard: number, least: number): number {
  if (text === undefined) return standard;
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
  if (number >= least) return number;
  throw usage(
    `Expected ${option} to be a whole number of at least ${least}, got ${JSON.stringify(text.slice(0, 50))}.`,
  );
}
